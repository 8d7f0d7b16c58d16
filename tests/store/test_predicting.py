"""Cells vote on where a box is: by confidence, of their class, of those that overlap."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from retailkit.store.predicting import vote


def cells(*boxes: tuple[float, ...]) -> torch.Tensor:
    """Predictions of corners and confidences per class, as a model gives them."""
    table = torch.tensor(boxes)
    corners, confidences = table[:, :4], table[:, 4:]
    middle, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return torch.cat([middle, size, confidences], dim=1).T


def test_a_box_is_where_its_cells_say_weighted_by_how_sure_they_are():
    said = cells((0, 0, 10, 20, 0.6, 0.0), (0, 0, 11, 20, 0.3, 0.0), (50, 0, 60, 20, 0.9, 0.0))
    (moved,) = vote(torch.tensor([[0, 0, 10, 20, 0.6, 0.0]]), said)
    assert moved.tolist() == pytest.approx([0, 0, (0.6 * 10 + 0.3 * 11) / 0.9, 20, 0.6, 0])


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ((0, 0, 16, 20, 0.5, 0.0), "it overlaps too little"),
        ((0, 0, 11, 20, 0.0, 0.9), "it speaks of another class"),
        ((0, 0, 11, 20, 0.005, 0.0), "it is too faint"),
    ],
)
def test_who_has_no_say(other, why):
    best = torch.tensor([[0, 0, 10, 20, 0.6, 0.0]])
    assert torch.allclose(vote(best, cells((0, 0, 10, 20, 0.6, 0.0), other)), best), why


def test_a_box_that_nobody_speaks_for_stays():
    best = torch.tensor([[0, 0, 10, 20, 0.6, 1.0]])
    assert torch.equal(vote(best, cells((50, 50, 60, 70, 0.9, 0.9))), best)
    assert vote(best[:0], cells((50, 50, 60, 70, 0.9, 0.9))).shape == (0, 6)


@given(some.integers(0, 10_000))
def test_votes_stay_within_what_was_said_and_move_with_the_picture(seed):
    torch.manual_seed(seed)
    corners = torch.tensor([10.0, 10.0, 40.0, 90.0]) + torch.rand(30, 4) * 4
    said = cells(*[(*box.tolist(), *torch.rand(2).tolist()) for box in corners])
    kept = torch.cat([corners[:3], torch.rand(3, 1), torch.tensor([[0.0], [1.0], [0.0]])], dim=1)
    moved = vote(kept, said)
    assert torch.equal(moved[:, 4:], kept[:, 4:])
    assert (moved[:, :4] >= corners.min(dim=0).values - 1e-3).all()
    assert (moved[:, :4] <= corners.max(dim=0).values + 1e-3).all()
    shifted, there = said.clone(), kept.clone()
    shifted[:2] += 100
    there[:, :4] += 100
    assert torch.allclose(vote(there, shifted)[:, :4], moved[:, :4] + 100, atol=1e-3)
