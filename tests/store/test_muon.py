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
