"""ultralytics' predictor, looking as its validator does, and twice.

Import it only when a detector looks: it loads torch and ultralytics. `retailkit.store.detect` is the door.
"""

from typing import Any

import torch
from torch import Tensor
from ultralytics.models.yolo.detect import DetectionPredictor
from ultralytics.utils import nms

Predictor: Any = DetectionPredictor  # its attributes are declared as None and filled later


class EveryClassPredictor(Predictor):
    """Let one box carry several classes, as ultralytics' validator does and its predictor does not.

    Without it, average precision comes out lower than ultralytics' own figure for the same weights.
    """

    def postprocess(self, preds: Any, img: Tensor, orig_imgs: Any, **kwargs: Any) -> Any:
        """Suppress overlapping boxes class by class."""
        kept = nms.non_max_suppression(
            preds, self.args.conf, self.args.iou, multi_label=True, max_det=self.args.max_det,
            end2end=getattr(self.model, "end2end", False),
        )  # fmt: skip
        return self.construct_results(kept, img, orig_imgs, **kwargs)


class MirroredPredictor(EveryClassPredictor):
    """Look at a photograph and at its mirror image, and take the mean of what every cell says.

    Shelves have no handedness. On 140 photographs of `shelf_gaps` it was worth 0.013 mAP50 (one detector, no interval),
    for twice the time.
    """

    def inference(self, im: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return the mean of both looks; models that pick their boxes themselves (end to end) look once."""
        straight = super().inference(im, *args, **kwargs)
        if getattr(self.model, "end2end", False):
            return straight
        mirrored = super().inference(im.flip(-1), *args, **kwargs)
        strides = [int(stride) for stride in self.model.model.stride]
        return (_raw(straight) + mirror(_raw(mirrored), (im.shape[-2], im.shape[-1]), strides)) / 2


def _raw(preds: Any) -> Tensor:
    """The predictions of every cell, of what a model returns in use."""
    return preds[0] if isinstance(preds, (list, tuple)) else preds


def mirror(predictions: Tensor, size: tuple[int, int], strides: list[int]) -> Tensor:
    """Turn what was predicted on a mirror image into predictions on the photograph itself.

    Parameters
    ----------
    predictions : Tensor
        Shape (photographs, 4 + classes, cells): centre x, y, width, height in pixels, then a confidence per class;
        cells level by level, row by row.
    size : height and width in pixels
    strides : pixels per cell of each level

    Returns
    -------
    Tensor
        The same shape, cells and centres mirrored.
    """
    height, width = size
    cells = [(height // stride, width // stride) for stride in strides]
    levels = predictions.split([rows * columns for rows, columns in cells], dim=-1)
    flipped = [level.unflatten(-1, shape).flip(-1).flatten(-2) for level, shape in zip(levels, cells, strict=True)]
    result = torch.cat(flipped, dim=-1)
    result[:, 0] = width - result[:, 0]
    return result
