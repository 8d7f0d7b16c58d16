"""Nobody is to be found again: keys that mean nothing, and tables without cells of a few people."""

import secrets
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NAMES = ("visit", "piece")
_LOOKS = 6  # linear programmes with aims by chance, before each cell gets one of its own


def new_keys(*frames: pd.DataFrame, columns: Sequence[str] = _NAMES) -> list[pd.DataFrame]:
    """Give every visit a random key in place of the number that it had.

    >>> tracks = pd.DataFrame({"visit": [7, 7, 8], "time": [0.0, 1.0, 0.5], "x": 0.0, "y": 0.0})
    >>> [keyed] = new_keys(tracks)
    >>> keyed["visit"].nunique(), keyed["visit"].isin([7, 8]).any().item()
    (2, False)

    Parameters
    ----------
    frames : DataFrames
        Of one recording, such as tracks and hand events: the same visit gets the same key in all of them.
    columns : list of str
        Columns that hold visits; those that a frame does not have are passed over.

    Returns
    -------
    list of DataFrames
        By visit and time where they have such columns, since the old order would tell who came first; the index counts
        from 0.

    Notes
    -----
    Keys are drawn from the system's source of chance (62 bits) and are kept nowhere: there is no seed, a second call
    gives others, and so nothing links two days, two calls, or a key to what it replaced.
    """
    held = [frame[name] for frame in frames for name in columns if name in frame]
    old = pd.Index(pd.unique(pd.concat([part.astype(object) for part in held]).dropna())) if held else pd.Index([])
    keys = _draw(len(old))
    return [_replaced(frame, columns, old, keys) for frame in frames]


def _draw(number: int) -> NDArray[np.int64]:
    drawn: set[int] = set()
    while len(drawn) < number:
        drawn.add(secrets.randbits(62))
    keys = np.array(list(drawn), dtype=np.int64)
    return keys[np.argsort([secrets.randbits(62) for _ in keys])]  # a set is in no order that may be relied on


def _replaced(frame: pd.DataFrame, columns: Sequence[str], old: pd.Index, keys: NDArray[np.int64]) -> pd.DataFrame:
    new = {name: _looked_up(frame[name], old, keys) for name in columns if name in frame}
    order = [name for name in ("visit", "time") if name in frame]
    changed = frame.assign(**new)
    return (changed.sort_values(order, kind="stable") if order else changed).reset_index(drop=True)


def _looked_up(names: pd.Series, old: pd.Index, keys: NDArray[np.int64]) -> pd.Series:
    place = old.get_indexer(pd.Index(names.astype(object)))
    found = pd.Series(keys[place] if len(keys) else 0, index=names.index, dtype="int64")
    return found if (place >= 0).all() else found.astype("Int64").mask(place < 0)


def suppress(
    frame: pd.DataFrame,
    count: str = "visits",
    least: int = 11,
    *,
    keep: Sequence[str] = (),
    totals: Sequence[str | Sequence[str]] = ((),),
) -> tuple[pd.DataFrame, str]:
    """Blank cells of a few people before a table is shown, and whatever would give them away.

    >>> table = pd.DataFrame({"zone": ["milk", "tea", "wine"], "visits": [40, 25, 3], "share": [0.59, 0.37, 0.04]})
    >>> shown, note = suppress(table)
    >>> shown["visits"].tolist(), shown["suppressed"].tolist()
    ([40.0, nan, nan], [False, True, True])
    >>> note
    '2 of 3 cells are blanked: 1 with under 11 visits, and 1 since totals would give it away.'

    Parameters
    ----------
    frame : DataFrame
        A row per cell.
    count : str
        Column with the number of people in each cell. A cell in which nobody is counts as one of few, too.
    least : int
        Fewest people that a cell may show.
    keep : list of str
        Columns of numbers that name the cell, such as x, y or the hour, and are not blanked; those of words never are.
    totals : list of columns, or of lists of columns
        Which totals readers know, also from a share shown beside a count: ``["start", "end"]`` where those of every
        `start` and of every `end` are; ``[()]``, the sum over all cells, by default; ``[]`` for none.

    Returns
    -------
    shown : DataFrame
        The same rows, and the column suppressed: where it is True numbers are blanked, since the cell has under `least`
        people or would give away one that has. Which of both is not told, as it would tell more than totals do.
    note : str
        How many cells are blanked and why, and which totals must be left out, since no further cell is there to blank.

    Raises
    ------
    ValueError
        A column is missing or not of numbers of people, or `least` is below 2.

    Notes
    -----
    Complementary suppression (Cox 1980): for all that the totals say at once, every blanked cell might hold `least`
    people or more, as a linear programme finds (Fischetti & Salazar 2001).
    """
    groups = [[by] if isinstance(by, str) else list(by) for by in totals]
    named = {*keep, *(name for by in groups for name in by)}
    _check(frame, count, least, [count, *sorted(named)])
    few = (frame[count].fillna(0) < least).to_numpy()
    codes = [frame.groupby(by, sort=False, dropna=False).ngroup().to_numpy() if by else np.zeros(len(frame), np.intp)
             for by in groups]  # fmt: skip
    hidden, left_out = _protect(frame[count].fillna(0).to_numpy(float), few, codes, least)
    numbers = [name for name in frame.select_dtypes("number") if name not in named] if hidden.any() else []
    shown = frame.copy()
    for name in numbers:
        shown[name] = shown[name].astype(float).mask(hidden)
    shown["suppressed"] = hidden
    return shown, _note(few, hidden, [groups[which] for which in left_out], count, least)


def _note(few: NDArray, hidden: NDArray, left_out: list[list[str]], count: str, least: int) -> str:
    more = hidden.sum() - few.sum()
    said = f"{hidden.sum()} of {len(hidden)} cells are blanked"
    if hidden.any():
        said += f": {few.sum()} with under {least} {count}"
        said += f", and {more} since totals would give {'it' if more == 1 else 'them'} away" if more else ""
    names = ", ".join(f"by {' and '.join(by)}" if by else "over all cells" for by in left_out)
    return f"{said}. Leave out the totals {names}: they give blanked cells away." if names else f"{said}."


def _check(frame: pd.DataFrame, count: str, least: int, columns: list[str]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"the table has no column {missing[0]!r}; it has {', '.join(map(str, frame))}")
    if not least >= 2:
        raise ValueError(f"least is {least!r}: 2 people at least are needed, or nobody is hidden")
    if not pd.api.types.is_numeric_dtype(frame[count]) or (frame[count] < 0).any():
        raise ValueError(f"{count} holds {frame[count].min()!r}: numbers of people from 0 up are needed")


def _protect(
    people: NDArray, few: NDArray[np.bool_], codes: list[NDArray], least: int
) -> tuple[NDArray[np.bool_], list[int]]:
    """Blank more cells until no total gives one away: what is blanked, and which totals must not be shown."""
    hidden, shown = few.copy(), list(range(len(codes)))
    while (exposed := _exposed(people, hidden, [codes[which] for which in shown], least)) is not None:
        which, members = exposed
        rest = members[~hidden[members]]
        if len(rest):
            hidden[rest[np.argmin(people[rest])]] = True
        else:
            shown.pop(which)
    return hidden, [which for which in range(len(codes)) if which not in shown]


def _exposed(
    people: NDArray, hidden: NDArray[np.bool_], codes: list[NDArray], least: int
) -> tuple[int, NDArray[np.intp]] | None:
    """The first total that gives a cell of few away: its place in the list, and its cells."""
    for which, code in enumerate(codes):
        held = np.bincount(code, people * hidden)
        bad = np.flatnonzero((np.bincount(code, hidden) > 0) & (held < least))
        if len(bad):
            return which, np.flatnonzero(code == bad[0])
    if len(codes) < 2 or not hidden.any() or (cell := _bounded(people, hidden, codes, least)) is None:
        return None
    members = [np.flatnonzero(code == code[cell]) for code in codes]
    return next(((which, part) for which, part in enumerate(members) if not hidden[part].all()), (0, members[0]))


def _bounded(people: NDArray, hidden: NDArray[np.bool_], codes: list[NDArray], least: int) -> int | None:
    """A cell of few that all totals together show to be one: even the most that it might hold is too little."""
    from scipy.optimize import linprog

    cells = np.flatnonzero(hidden)
    known = np.vstack([code[cells] == value for code in codes for value in np.unique(code[cells])]).astype(float)
    total = known @ people[cells]
    settled = people[cells] >= least
    rng = np.random.default_rng(0)
    for _ in range(_LOOKS):  # most cells are settled by the corners of what is possible
        settled |= linprog(rng.normal(size=len(cells)), A_eq=known, b_eq=total).x >= least - 1e-6
    for place in np.flatnonzero(~settled):
        if -linprog(-np.eye(len(cells))[place], A_eq=known, b_eq=total).fun < least - 1e-6:
            return int(cells[place])
    return None
