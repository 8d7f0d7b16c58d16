"""Cells vote on where a box is: by confidence, of their class, of those that overlap."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from retailkit.lab import project


@pytest.fixture(scope="module")
def predicting():
    """Import it where ultralytics finds its own folder and stays offline."""
    project.quiet()
    from retailkit.store import predicting

    return predicting


def cells(*boxes: tuple[float, ...]) -> torch.Tensor:
    """Predictions of corners and confidences per class, as a model gives them."""
    table = torch.tensor(boxes)
    corners, confidences = table[:, :4], table[:, 4:]
    middle, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return torch.cat([middle, size, confidences], dim=1).T


def test_a_box_is_where_its_cells_say_weighted_by_how_sure_they_are(predicting):
    said = cells((0, 0, 10, 20, 0.6, 0.0), (0, 0, 11, 20, 0.3, 0.0), (50, 0, 60, 20, 0.9, 0.0))
    (moved,) = predicting.vote(torch.tensor([[0, 0, 10, 20, 0.6, 0.0]]), said)
    assert moved.tolist() == pytest.approx([0, 0, (0.6 * 10 + 0.3 * 11) / 0.9, 20, 0.6, 0])


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ((0, 0, 16, 20, 0.5, 0.0), "it overlaps too little"),
        ((0, 0, 11, 20, 0.0, 0.9), "it speaks of another class"),
        ((0, 0, 11, 20, 0.005, 0.0), "it is too faint"),
    ],
)
def test_who_has_no_say(predicting, other, why):
    best = torch.tensor([[0, 0, 10, 20, 0.6, 0.0]])
    assert torch.allclose(predicting.vote(best, cells((0, 0, 10, 20, 0.6, 0.0), other)), best), why


def test_a_box_that_nobody_speaks_for_stays(predicting):
    best = torch.tensor([[0, 0, 10, 20, 0.6, 1.0]])
    assert torch.equal(predicting.vote(best, cells((50, 50, 60, 70, 0.9, 0.9))), best)
    assert predicting.vote(best[:0], cells((50, 50, 60, 70, 0.9, 0.9))).shape == (0, 6)


@given(seed=some.integers(0, 10_000))
def test_votes_stay_within_what_was_said_and_move_with_the_picture(predicting, seed):
    torch.manual_seed(seed)
    corners = torch.tensor([10.0, 10.0, 40.0, 90.0]) + torch.rand(30, 4) * 4
    said = cells(*[(*box.tolist(), *torch.rand(2).tolist()) for box in corners])
    kept = torch.cat([corners[:3], torch.rand(3, 1), torch.tensor([[0.0], [1.0], [0.0]])], dim=1)
    moved = predicting.vote(kept, said)
    assert torch.equal(moved[:, 4:], kept[:, 4:])
    assert (moved[:, :4] >= corners.min(dim=0).values - 1e-3).all()
    assert (moved[:, :4] <= corners.max(dim=0).values + 1e-3).all()
    shifted, there = said.clone(), kept.clone()
    shifted[:2] += 100
    there[:, :4] += 100
    assert torch.allclose(predicting.vote(there, shifted)[:, :4], moved[:, :4] + 100, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "sizes"),
    [((192, 192), [(192, 192), (160, 160), (224, 224)]), ((192, 96), [(192, 96), (160, 64), (224, 128)]),
     ((64, 64), [(64, 64)]), ((32, 32), [(32, 32)])],
)  # fmt: skip
def test_a_picture_is_looked_at_smaller_and_larger(predicting, size, sizes):
    assert predicting.look_sizes(*size) == sizes


def test_looks_at_all_sizes_agree_on_where_a_thing_is(predicting, monkeypatch):
    """A model that finds the bright square of whatever it is shown: both ways, at each size, the same box."""
    photo = torch.zeros(1, 3, 192, 96)
    photo[..., 40:120, 20:70] = 1.0

    def find(self, photos, *args, **kwargs):
        rows, columns = (torch.nonzero(photos[0, 0].sum(dim=way) > 0.5 * photos[0, 0].sum(dim=way).max()).flatten()
                         for way in (1, 0))  # fmt: skip
        box = torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=torch.float32)
        cells = sum((photos.shape[-2] // stride) * (photos.shape[-1] // stride) for stride in (8, 16, 32))
        said = torch.tensor([*((box[:2] + box[2:]) / 2), *(box[2:] - box[:2]), 0.9])
        return said[None, :, None].repeat(1, 1, cells)

    monkeypatch.setattr(predicting.EveryClassPredictor, "inference", find)
    looker = predicting.CarefulPredictor.__new__(predicting.CarefulPredictor)
    looker.model = SimpleNamespace(end2end=False, model=SimpleNamespace(stride=torch.tensor([8, 16, 32])))
    said = looker.inference(photo)[0]
    sizes, strides = predicting.look_sizes(192, 96), (8, 16, 32)
    cells = sum((rows // stride) * (columns // stride) for rows, columns in sizes for stride in strides)
    assert len(sizes) == 3 and said.shape[1] == cells
    assert torch.allclose(said[:4], torch.tensor([45.0, 80.0, 50.0, 80.0])[:, None].expand(4, said.shape[1]), atol=1.5)
