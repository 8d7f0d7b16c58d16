"""Muon (Jordan et al., 2024), an optimiser that learns more per step than AdamW when steps are few.

A convolution's update is made orthogonal, so that all its directions move by the same amount, rather than
the few in which gradients happen to be large. ultralytics' `MuSGD` does so in bfloat16, which CPUs without
such instructions emulate; this one stays in single precision.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

WIDE = 1.5  # columns to a row from which it pays to work on the square x xᵀ


class Muon(torch.optim.Optimizer):
    """Muon for convolutions that batch normalisation follows, AdamW for all else.

    Parameters
    ----------
    model : Module
        Whose trainable parameters to optimise.
    rate, rate_of_others : float
        Peak learning rates: of the convolutions, and of the rest (norms, biases, depthwise convolutions
        and the last layers, whose scale means something).
    momentum : float
        Share of the past in the running mean of gradients.
    """

    def __init__(self, model: nn.Module, rate: float, rate_of_others: float, momentum: float = 0.95) -> None:
        inside = [
            layer.weight
            for layer in model.modules()
            if isinstance(layer, nn.Conv2d) and layer.bias is None and layer.groups == 1 and layer.weight.requires_grad
        ]
        known = {id(weight) for weight in inside}
        others = [value for value in model.parameters() if id(value) not in known and value.requires_grad]
        super().__init__(inside, {"lr": rate, "momentum": momentum})
        self.rest = torch.optim.AdamW(others, lr=rate_of_others, betas=(0.9, 0.999), weight_decay=0.0, fused=True)
        self.param_groups.extend(self.rest.param_groups)  # the same dicts: one schedule moves all rates

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        group = self.param_groups[0]
        weights = [weight for weight in group["params"] if weight.grad is not None]
        gradients = [weight.grad for weight in weights]
        means = [self.state[weight].setdefault("mean", torch.zeros_like(weight)) for weight in weights]
        torch._foreach_lerp_(means, gradients, 1 - group["momentum"])
        updates = torch._foreach_lerp(gradients, means, group["momentum"])  # a look ahead (Nesterov)
        alike = defaultdict(list)
        for weight, update in zip(weights, updates, strict=True):
            alike[tuple(weight.shape)].append((weight, update))
        for shape, pairs in alike.items():  # convolutions of one shape in one call: 60 calls instead of 90
            rows, columns = shape[0], shape[1] * shape[2] * shape[3]
            straight = orthogonal(torch.stack([update.reshape(rows, columns) for _, update in pairs]))
            for (weight, _), update in zip(pairs, straight, strict=True):
                weight.add_(update.reshape(shape), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)
        self.rest.step()


def orthogonal(matrices: Tensor, steps: int = 4) -> Tensor:
    """Pull all singular values of each matrix towards 1 (roughly 0.7 to 1.2) by Newton–Schulz steps.

    Parameters
    ----------
    matrices : Tensor
        Shape (matrices, rows, columns).
    steps : int
        Each step's odd polynomial of fifth degree has Jordan's coefficients, steepest at 0.

    Returns
    -------
    Tensor
        The same shape.

    Notes
    -----
    A step multiplies x from the left by a polynomial p of x xᵀ. Where there are many more columns than rows, the
    polynomials are multiplied first and x once in the end; x xᵀ then becomes p (x xᵀ) p, and all but two products are
    of small squares. That saves a quarter of the time over all layers of yolo11n.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    if x.shape[-1] > WIDE * x.shape[-2]:
        x = _polynomials(x @ x.mT, steps) @ x
    else:
        for _ in range(steps):
            x = torch.baddbmm(x, _bend(x @ x.mT), x, beta=3.4445)
    return x.mT if tall else x


def _bend(square: Tensor) -> Tensor:
    """The polynomial of x xᵀ, without its constant term 3.4445."""
    return torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)


def _polynomials(square: Tensor, steps: int) -> Tensor:
    """Multiply the polynomials of all steps, given x xᵀ before the first; all of them commute."""
    whole = torch.eye(square.shape[-1]).to(square).expand_as(square)
    for _ in range(steps):
        step = _bend(square)
        step.diagonal(dim1=-2, dim2=-1).add_(3.4445)
        whole, square = step @ whole, step @ square @ step
    return whole
