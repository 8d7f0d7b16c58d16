"""Figures from much that a machine saw, put right by a little that somebody labelled as well.

A camera that mistakes people for one another tells of too many who gave up a queue, on a million visits as on a
thousand: more data make a wrong figure surer, not better. A stretch in which somebody wrote down what really happened
tells by how much.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.intervals import Estimate, student

LEAST_BLOCKS = 5
_FIGURES = (*Estimate(0, 0, 0).row(), "count", "of")
Describe = Callable[[pd.DataFrame], pd.DataFrame]


def rectify(
    describe: Describe,
    seen: pd.DataFrame,
    labelled: pd.DataFrame,
    truth: pd.DataFrame,
    by: str = "block",
    level: float = 0.95,
) -> pd.DataFrame:
    """Correct what a machine saw by the difference that a labelled stretch shows, with an interval that holds both.

    >>> def mean(rows):
    ...     low, high = (rows["wait"].mean() + side * 1.96 * rows["wait"].sem() for side in (-1, 1))
    ...     return pd.DataFrame({"quantity": ["wait"], "value": rows["wait"].mean(), "low": low, "high": high})
    >>> rng = np.random.default_rng(0)
    >>> truth = pd.DataFrame({"block": np.repeat(range(10), 9), "wait": rng.exponential(60, 90)})
    >>> labelled = truth.assign(wait=truth["wait"] + 20)  # the camera always tells twenty seconds too many
    >>> seen = pd.DataFrame({"wait": rng.exponential(60, 5000) + 20})
    >>> rectify(mean, seen, labelled, truth)[["as_seen", "shift", "value", "low", "high"]].round(1)
       as_seen  shift  value   low  high
    0     80.8  -20.0   60.8  59.1  62.5

    Parameters
    ----------
    describe : function
        Gives figures of a table as tidy rows: value, low, high, and columns that say which figure it is, such as
        ``quantity`` and ``zone``. `describe_queue` is one, ``lambda stays: dwell_times(stays, groups)`` another.
    seen : DataFrame
        What the machine made of the days that nobody labelled.
    labelled : DataFrame
        What it made of the labelled stretch.
    truth : DataFrame
        The same table as somebody wrote it down for that stretch, after the same definitions.
    by : str
        Column of `labelled` and `truth`: blocks of time, such as quarters of an hour; the same name is the same block.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        A row for each figure of `seen`: what names it; value, low, high, level; as_seen, before the correction; shift
        (truth minus what was seen, in the labelled stretch) with shift_low and shift_high, which says how far off the
        machine is; blocks. nan where the labelled stretch does not tell the figure. Ends are cut at 0, and at 1 for
        figures whose ``quantity`` begins with ``share``.

    Raises
    ------
    ValueError
        A table has no column `by`, or there are fewer than 5 blocks.

    Notes
    -----
    Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan & Zrnic 2023): what was seen, plus the shift.
    The shift's variance is found by leaving out one block of both tables at a time (Quenouille 1956; Shao & Wu 1989 for
    medians), that of what was seen is read from its interval; the ends of both are joined by their squares (Zou &
    Donner 2008), which keeps skewed ones skewed. A share's shift is taken as if one more mistake had been made to each
    side (in the spirit of Agresti & Coull 1998): a machine that made none in an hour may yet make one.

    What was seen has its full weight always. A weight that makes the variance least (Angelopoulos, Duchi & Zrnic 2023)
    trusts the labels most where by chance they hold no long waits, and gives means that are too low.

    It holds as far as the labelled stretch is like the rest: the same camera, the same light, the same crowd.
    """
    told = describe(seen).reset_index(drop=True)
    names = [str(column) for column in told if column not in _FIGURES]
    keys, blocks, shares = pd.MultiIndex.from_frame(told[names]), _blocks(labelled, truth, by), _are_shares(told)

    def shift(without: object = None) -> NDArray[np.float64]:
        true, machine = (_values(describe(table[table[by] != without]), names, keys) for table in (truth, labelled))
        return true - machine

    whole, others = shift(), np.array([shift(block) for block in blocks])
    variance = (len(blocks) - 1) / len(blocks) * np.square(others - others.mean(axis=0)).sum(axis=0)
    error = np.sqrt(variance + _unseen(describe(truth), names, keys, shares))
    reach = student(level, len(blocks)) * error
    shifts = {"shift": whole, "shift_low": whole - reach, "shift_high": whole + reach}
    low, high = (np.hypot(reach, told[end] - told["value"]) for end in ("low", "high"))
    value = told["value"] + whole
    ends = {"value": value, "low": value - low, "high": value + high}
    ends = {name: np.clip(end, 0.0, np.where(shares, 1.0, np.inf)) for name, end in ends.items()}
    return told[names].assign(**ends, level=level, as_seen=told["value"], **shifts, blocks=len(blocks))


def _values(figures: pd.DataFrame, names: list[str], keys: pd.MultiIndex, column: str = "value") -> NDArray[np.float64]:
    """Figures in the order of `keys`; nan for one that these rows do not tell."""
    return figures.set_index(pd.MultiIndex.from_frame(figures[names]))[column].reindex(keys).to_numpy(float)


def _are_shares(told: pd.DataFrame) -> NDArray[np.bool_]:
    quantity = told["quantity"] if "quantity" in told else pd.Series("", index=told.index)
    return quantity.str.startswith("share").to_numpy(bool)


def _unseen(
    truth: pd.DataFrame, names: list[str], keys: pd.MultiIndex, shares: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Variance of the mistakes that did not happen to come: as if one more had been made to each side of a share."""
    if "of" not in truth:
        return np.zeros(len(keys))
    return np.where(shares, 2 / np.maximum(_values(truth, names, keys, "of"), 1) ** 2, 0.0)


def _blocks(labelled: pd.DataFrame, truth: pd.DataFrame, by: str) -> NDArray:
    for name, table in (("labelled", labelled), ("truth", truth)):
        if by not in table:
            raise ValueError(f"{name} has no column {by!r} to tell blocks by; it has {', '.join(map(str, table))}")
    blocks = pd.unique(pd.concat([labelled[by], truth[by]]))
    if len(blocks) < LEAST_BLOCKS:
        raise ValueError(
            f"the labelled stretch has {len(blocks)} blocks by {by!r}: at least {LEAST_BLOCKS} are needed, such as "
            "quarters of an hour"
        )
    return blocks
