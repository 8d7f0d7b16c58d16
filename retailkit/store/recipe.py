"""Two ways to train a detector: ultralytics' own defaults, and a recipe for few photographs and few minutes.

    weights, curve = train(data_yaml, minutes=4, folder=scratch)

"stock" is ultralytics as it comes (on CUDA without its loader processes and mixed precision, which slows it there).
"small-data" starts from the same blank model and has the same minutes.
Figures: yolo11n on 333 photographs of shelves, mAP50 of one seed each. Rows without one are judgement:

=============================  ===========================================================================
what                           why
=============================  ===========================================================================
batch of 16, a step for each   by default 64 photographs make one step: 5 steps an epoch here
Muon in AdamW's place          mAP50 0.29 against 0.23 after 13 epochs; it costs 0.1 s a step on one core
small photographs first        192 px cost 0.6 of 256 px, and coarse features come first
learning rate by the clock     it ends its cosine exactly when the minutes end, however fast the machine is
memory kept by the process     glibc hands large blocks back at every step: 98 against 66 ms a photograph
channels last                  1.2 times faster; ultralytics does so on CUDA alone
idle cores used                ultralytics leaves one core of two unused
average over 2 % of the steps  ultralytics' average looks back over 2,000 steps, more than there are
zoom by up to a half           mAP50-95 0.59 against 0.56 (a fifth) on people after 109 epochs; equal on shelves
no mosaic                      it pays over hundreds of epochs rather than over tens
=============================  ===========================================================================
"""

import ctypes
import io
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd

from retailkit.lab import project

SETTINGS: dict[str, dict[str, Any]] = {
    "small-data": {
        "batch": 16, "nbs": 16, "lr0": 0.002, "warmup_epochs": 0, "cache": "ram", "deterministic": False,
        "mosaic": 0.0, "close_mosaic": 0, "scale": 0.5, "hsv_s": 0.5, "hsv_v": 0.3,
    },
    "stock": {},
}  # fmt: skip
RECIPES = tuple(SETTINGS)
SHARED = {"plots": False, "workers": 0, "amp": False, "verbose": False, "exist_ok": True}
# amp: its check downloads weights; plots and workers change speed alone


def train(
    data_yaml: Path | str,
    *,
    folder: Path | str,
    model: str = "yolo11n.yaml",
    recipe: str = "small-data",
    minutes: float | None = None,
    epochs: int | None = None,
    size: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> tuple[Path, pd.DataFrame]:
    """Train a detector until its minutes or its epochs are over.

    >>> weights, curve = train("photos/data.yaml", folder="training", minutes=4)       # doctest: +SKIP
    >>> curve.tail(1)                                                                  # doctest: +SKIP
        epoch  minutes  photos  size    box    cls    dfl       rate
    21     22      4.0    7232   256  1.972  1.304  1.213   0.000020

    Parameters
    ----------
    data_yaml : path
        ultralytics' description of a YOLO set, in a folder that may be written: ultralytics leaves a cache
        beside the labels. All of `train` is learnt from; `val` is not looked at.
    folder : path
        Where ultralytics may write.
    model : str
        A blank model (`yolo11n.yaml`) or weights to go on from (a `.pt` file).
    recipe : str
        One of `RECIPES`.
    minutes, epochs : float, int
        The budget: wall-clock minutes, passes over the photographs, or both as caps. Loading torch is not
        counted; building the model and reading the photographs are ("stock" counts as ultralytics does,
        from the first step).
    size : int
        Long side of the photographs, pixels, a multiple of 32.
    seed : int
        Same seed and epochs, same weights. Minutes hold as many steps as the machine manages.
    progress : bool
        Show one bar with the time left.

    Returns
    -------
    weights : Path
        The averaged weights, for `ultralytics.YOLO(weights)`.
    curve : DataFrame
        A row an epoch: epoch, minutes since the start, photos seen, size in pixels, the loss's terms (box,
        cls and dfl or what the model has), rate (learning rate).

    Raises
    ------
    ValueError
        Unknown recipe, no budget, or a budget of nothing.
    FileNotFoundError
        The model is neither a file nor one of ultralytics' blank models.
    """
    _check(model, recipe, minutes, epochs)
    project.quiet()
    device = _device()
    import torch._dynamo  # the first optimizer loads it, for up to 9 s of the budget

    from retailkit.store.training import SmallDataTraining, StockTraining

    kind = SmallDataTraining if recipe == "small-data" else StockTraining
    folder = Path(folder).resolve()
    budget = {"epochs": epochs or 100, "time": minutes / 60 if minutes else None}
    ours_on_cpu = recipe == "small-data" and device == "cpu"
    # sums over two threads differ in the last digit, and so would weights: a budget of epochs gets one
    threads = idle_cores() if minutes else 1
    with _fast_memory(ours_on_cpu), _silence():
        started = time.time()
        settings = {"data": str(data_yaml), "model": model, "imgsz": size, "seed": seed, "device": device}
        places = {"project": str(folder.parent), "name": folder.name}
        trainer = kind(overrides={**SHARED, **SETTINGS[recipe], **settings, **places, **budget})
        trainer.started, trainer.cap = started, epochs
        curve = _follow(trainer, recipe, progress)
        if ours_on_cpu:
            torch.set_num_threads(threads)
        trainer.train()
    return trainer.last, pd.DataFrame(curve)


def _check(model: str, recipe: str, minutes: float | None, epochs: int | None) -> None:
    if recipe not in SETTINGS:
        raise ValueError(f"No recipe '{recipe}': choose one of {', '.join(SETTINGS)}")
    if minutes is None and epochs is None:
        raise ValueError("No budget: give minutes, epochs or both")
    for name, value in (("minutes", minutes), ("epochs", epochs)):
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value!r} leaves no time to train: give a number above 0")
    if Path(model).suffix == ".pt" and not Path(model).is_file():
        raise FileNotFoundError(f"No weights at '{model}': give an existing .pt file or a blank model (yolo11n.yaml)")


def _device() -> str:
    """CUDA where there is one, and a word about it before the wait begins."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    print(f"CUDA found: training on {torch.cuda.get_device_name(0)}")
    return "0"


def _follow(trainer: Any, recipe: str, progress: bool) -> list[dict[str, float]]:
    """Let a trainer report each epoch into the list returned, and its progress on a bar."""
    from tqdm.auto import tqdm

    rows: list[dict[str, float]] = []
    style = "{desc} {percentage:3.0f} %|{bar}| {elapsed} gone, {remaining} left{postfix}"
    bar = tqdm(total=1.0, desc=f"Training ({recipe})", bar_format=style, disable=not progress, mininterval=1.0)

    def start(trainer: Any) -> None:
        if recipe != "stock":  # ultralytics starts its own clock here, after the set-up
            trainer.train_time_start = trainer.started

    def step(trainer: Any) -> None:
        bar.update(trainer.progress() - bar.n)

    def row(trainer: Any) -> None:
        terms = {name.removesuffix("_loss"): float(value) for name, value in trainer.tloss.items()}
        rows.append(
            {
                "epoch": trainer.epoch + 1,
                "minutes": (time.time() - trainer.train_time_start) / 60,
                "photos": trainer.seen,
                "size": trainer.side,
                **terms,
                "rate": trainer.optimizer.param_groups[0]["lr"],
            }
        )
        bar.set_postfix_str(", ".join(f"{name} {value:.2f}" for name, value in terms.items()), refresh=False)
        trainer.stop |= trainer.cap is not None and trainer.epoch + 1 >= trainer.cap

    events: dict[str, Callable[[Any], None]] = {
        "on_train_start": start,
        "on_train_batch_end": step,
        "on_train_epoch_end": row,
        "teardown": lambda trainer: bar.close(),
    }
    for event, action in events.items():
        trainer.add_callback(event, action)
    return rows


@contextmanager
def _silence() -> Iterator[None]:
    """Keep ultralytics' log, bars and harmless warnings from the page, for as long as training lasts."""
    logger = logging.getLogger("ultralytics")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # its bar of cached photographs obeys nothing
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        try:
            yield
        finally:
            logger.setLevel(before)


@contextmanager
def _fast_memory(wanted: bool) -> Iterator[None]:
    """Keep freed memory for as long as training lasts, and leave the threads as they were found."""
    import torch

    threads = torch.get_num_threads()  # ultralytics sets them too, to one less than there are cores
    if wanted:
        _keep_freed_memory(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if wanted:
            _keep_freed_memory(False)


def idle_cores(seconds: float = 0.5, most: int = 8) -> int:
    """Count the cores of this process that nobody else uses now; at least 1, and at most what pays.

    Asked while nothing runs here. A second thread on a busy core makes the first one wait for it at every
    layer: measured 6 times slower than one thread alone.
    """
    import psutil

    busy = psutil.cpu_percent(interval=seconds, percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(busy))
    return min(most, max(1, sum(busy[core] < 30 for core in mine if core < len(busy))))


def _keep_freed_memory(keep: bool) -> None:
    """Tell glibc to keep freed blocks of any size (or to return those above 128 kB, its default).

    Otherwise every layer's output comes from the kernel as fresh pages at every step: 98 ms a photograph
    (yolo11n, 256 px, one thread) against 66 ms. Other C libraries have no such switch.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(mmap_threshold, 2**30 if keep else 2**17)
        mallopt(trim_threshold, 2**31 - 1 if keep else 2**17)
