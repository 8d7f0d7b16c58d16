"""Muon's updates are near-orthogonal, and it learns."""

import numpy as np
import pytest
import torch
from torch import nn

from retailkit.store.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16), (1, 24, 24)])
def test_orthogonal_keeps_directions_and_evens_out_their_strength(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrices, steps=5))
    assert values.max() < 1.3 and values.quantile(0.2) > 0.6
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    product = left.mT @ orthogonal(matrices) @ right.mT  # diagonal: the singular vectors are the same
    assert (product - torch.diag_embed(product.diagonal(dim1=-2, dim2=-1))).abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(3, 16, 144), (2, 144, 16), (1, 20, 31), (1, 20, 29)])
def test_the_short_cut_for_wide_matrices_gives_what_plain_steps_give(shape):
    """The reference: Newton–Schulz step by step, on matrices with singular values over six orders of magnitude.

    In 64 bits: with 32, processors round differently by more than any tolerance worth having.
    """
    generator = torch.Generator().manual_seed(1)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=generator, dtype=torch.float64), full_matrices=False)
    matrices = left * torch.logspace(0, -6, min(shape[1:]), dtype=torch.float64) @ right
    x = matrices / torch.linalg.matrix_norm(matrices, keepdim=True)
    for _ in range(4):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    torch.testing.assert_close(orthogonal(matrices), x, atol=2e-5, rtol=1e-4)


def test_every_trainable_parameter_moves_and_the_loss_falls():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.Conv2d(8, 2, 1),
    )
    model[0].weight.requires_grad = True
    frozen = nn.Parameter(torch.ones(1), requires_grad=False)
    model.register_parameter("frozen", frozen)
    optimizer = Muon(model, rate=0.02, rate_of_others=0.01)
    assert len(optimizer.param_groups[0]["params"]) == 1  # neither the depthwise nor the last convolution
    before = {name: value.clone() for name, value in model.named_parameters()}
    photos, truth = torch.randn(16, 3, 8, 8), torch.randn(16, 2, 4, 4)
    losses = []
    for _ in range(40):
        loss = ((model(photos) - truth) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.95 * losses[0]
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == set(before) - {"frozen"}


def test_one_schedule_moves_all_rates():
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2))
    optimizer = Muon(model, rate=0.1, rate_of_others=0.2)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [value.clone() for value in model.parameters()]
    model(torch.randn(4, 1, 3, 3)).pow(2).sum().backward()
    optimizer.step()
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
