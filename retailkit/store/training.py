"""ultralytics' trainer with what a few hundred photographs, a few minutes and two CPU cores ask for.

Import it only when training starts: it loads torch and ultralytics. `retailkit.store.recipe` is the door.
The classes' names leave out the word that ends ultralytics' own (`DetectionTrainer`), because ultralytics
hangs its integrations (MLflow, Weights & Biases and others) on every class that carries it.
"""

import math
import time
from typing import Any

import torch
from torch.nn.functional import interpolate
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import strip_optimizer

from retailkit.store.muon import Muon

EMA_SHARE = 0.02  # the averaged weights look back over this share of the steps so far
STAGES = ((0.5, 0.75), (1.0, 1.0))  # until this share of the budget, this share of the size
WARM_UP = 0.05  # share of the budget in which the learning rate climbs
CALIBRATING, FEWEST_CALIBRATING = 0.02, 64  # photographs that measure the norms: a share of those seen, and at least
LAGGING = 300  # steps: a longer training needs no such measuring
MUON_RATE = 0.03  # peak learning rate of the convolutions inside
LAST_RATE = 0.01  # the learning rate ends at this share of its peak


Trainer: Any = DetectionTrainer  # its attributes are declared as None and filled later, which no type checker likes


class StockTraining(Trainer):
    """ultralytics' defaults, without validating, plotting and saving on the way.

    Every photograph given is for learning, so there is nothing to validate on: the last averaged weights
    are the result. ultralytics would spend some of the minutes on validation, so leaving it out favours it.
    """

    started: float  # time.time() when the clock of the budget began
    cap: int | None  # most epochs
    seen: int = 0  # photographs so far
    side: int = 0  # side of the last photographs, pixels

    def progress(self) -> float:
        """Share of the budget used so far, 0 to 1."""
        time_share = (time.time() - self.train_time_start) / (self.args.time * 3600) if self.args.time else 0.0
        photos = self.cap * len(self.train_loader.dataset) if self.cap else math.inf
        return min(1.0, max(time_share, self.seen / photos))

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Load the training photographs once; "val" is asked for by ultralytics and never read."""
        if mode == "val":
            return self.train_loader
        return super().get_dataloader(dataset_path, batch_size, rank, mode)

    def preprocess_batch(self, batch: dict) -> dict:
        """Note how many photographs of which size were seen."""
        self.seen += len(batch["img"])
        self.side = batch["img"].shape[-1]
        return super().preprocess_batch(batch)

    def validate(self) -> tuple[dict, None]:
        """Leave out the look at other photographs."""
        return {}, None

    def save_metrics(self, metrics: dict) -> None:
        """Leave out the CSV file; the curve is collected by `retailkit.store.recipe`."""

    def save_model(self) -> bool:
        """Leave out the checkpoint of every epoch."""
        return False

    def final_eval(self) -> None:
        """Write the averaged weights, once."""
        self.finish()
        self.best_fitness = 0.0  # unlike `fitness`, which is None: no second copy named best.pt
        super().save_model()
        strip_optimizer(self.last)

    def finish(self) -> None:
        """Do what remains to be done to the averaged weights: nothing."""


class SmallDataTraining(StockTraining):
    """Many small steps, small pictures first, one clock for all that changes on the way."""

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """Keep channels last: 1.2 times faster on this kind of CPU (ultralytics does so on CUDA alone)."""
        return super().get_model(cfg, weights, verbose).to(memory_format=torch.channels_last)

    def build_optimizer(self, model: torch.nn.Module, *_: Any, **__: Any) -> torch.optim.Optimizer:
        """Muon for the convolutions inside: mAP50 0.29 where AdamW had 0.23 after 13 epochs of shelves."""
        return Muon(model, rate=MUON_RATE, rate_of_others=self.args.lr0)

    def _setup_train(self) -> None:
        super()._setup_train()
        self.ema.decay = lambda updates: 1 - 1 / (1 + EMA_SHARE * updates)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]

    def _setup_scheduler(self) -> None:
        """Hold ultralytics' own schedule still: it guesses how many epochs the minutes hold, and stops there."""
        self.epochs = self.args.epochs = self.cap or 10**6
        self.lf = lambda epoch: 1.0
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.lf)

    def preprocess_batch(self, batch: dict) -> dict:
        """Shrink photographs early in training, when coarse features are learnt, at a third of the cost."""
        side = stage_size(self.progress(), self.args.imgsz)
        photos = batch["img"].contiguous(memory_format=torch.channels_last)  # bytes still: a sixth of the time
        if side < photos.shape[-1]:
            photos = interpolate(photos, size=(side, side), mode="bilinear", antialias=True)
        return super().preprocess_batch({**batch, "img": photos})

    def optimizer_step(self) -> None:
        """Set the learning rate by the clock, then step."""
        rate = learning_rate(self.progress())
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * rate
        super().optimizer_step()

    def finish(self) -> None:
        """Measure what batch normalisation subtracts and divides by, with the averaged weights (Wu & Johnson 2021).

        Its running figures lag some 30 steps behind the weights, which in a short training change until the end, and
        are those of unaveraged weights. After many steps there is no lag, and the mean over many more photographs is
        the better figure.
        """
        if self.ema.updates > LAGGING:
            return
        photos = max(FEWEST_CALIBRATING, CALIBRATING * self.seen)
        model = self.ema.ema.train()
        norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
        with torch.no_grad():
            for number, batch in enumerate(self.train_loader):
                if number * self.args.batch >= photos:
                    break
                model(self.preprocess_batch(batch)["img"])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.eval()


def stage_size(progress: float, size: int) -> int:
    """Side of the photographs at this share of the budget: pixels, a multiple of 32, at least 64."""
    share = next((share for end, share in STAGES if progress < end), 1.0)
    return min(size, max(64, round(size * share / 32) * 32))


def learning_rate(progress: float) -> float:
    """Share of the peak learning rate: a short climb, then half a cosine down (Loshchilov & Hutter, 2017)."""
    climb = min(1.0, progress / WARM_UP + 0.01)
    return climb * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))
