"""Notebooks for the smart store: what works, by how much, and how sure we are.

    import retailkit as rk

Names are loaded on first use, so that the line above costs milliseconds.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load": "retailkit.datasets",
    "split": "retailkit.datasets",
    "leakage": "retailkit.datasets",
    "start_run": "retailkit.lab.runs",
    "read_runs": "retailkit.lab.records",
    "Estimate": "retailkit.lab.intervals",
    "load_store": "retailkit.datasets.stores",
    "read_choices": "retailkit.datasets.choices",
    "read_fixture_walks": "retailkit.datasets.fixture_walks",
    "read_tagged_people": "retailkit.datasets.tagged_people",
    "train_detector": "retailkit.store.detect",
    "load_detector": "retailkit.store.detect",
    "compare_scores": "retailkit.store.score",
    "mean_score": "retailkit.store.score",
    "list_notebooks": "retailkit.lab.source",
    "read_curve": "retailkit.lab.records",
    "read_estimates": "retailkit.lab.records",
    "rectify": "retailkit.lab.rectified",
    "sweep": "retailkit.lab.sweep",
    "compare_runs": "retailkit.lab.compare",
}
_ROOMS = {
    "datasets": "retailkit.datasets",
    "charts": "retailkit.lab.charts",
    "fusion": "retailkit.store.fusion",
    "intervals": "retailkit.lab.intervals",
    "render": "retailkit.lab.render",
    "rfid": "retailkit.store.rfid",
    "visits": "retailkit.store.visits",
}
__all__ = sorted([*_HOMES, *_ROOMS, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    raise AttributeError(f"retailkit has no '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
