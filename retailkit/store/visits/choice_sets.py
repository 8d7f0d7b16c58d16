"""Choice sets: what each shopper could have taken and did take, checked and laid out for a choice model.

choices = find_choices(funnel, cells, situation=["visit", "zone"])     # from what visits came by and kept
arrange(choices, ["price", "brand"])                                  # arrays for `fit_preference`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.store.visits.attention import Funnel

SURE = 0.5  # what is kept with at least this probability was kept


@dataclass(frozen=True, eq=False)
class ChoiceSets:
    """Choice situations as arrays; a set smaller than the largest is filled up with what is not available.

    Attributes
    ----------
    attributes : array (situations, places, coefficients)
    names : tuple of str
        Of the coefficients.
    available : bool array (situations, places)
    chosen : int array (situations,)
        Place of what was chosen, as far as was seen.
    seen : array (situations, places)
        Probability that this was seen, had each alternative been chosen: 1 for what was chosen and 0 for the others,
        where nobody errs.
    alternatives : object array (situations, places)
        None where nothing is available.
    clusters : int array (situations,)
    dropped : DataFrame
        Columns reason, situations: what was left out, and how many.
    """

    attributes: NDArray[np.float64]
    names: tuple[str, ...]
    available: NDArray[np.bool_]
    chosen: NDArray[np.intp]
    seen: NDArray[np.float64]
    alternatives: NDArray[np.object_]
    clusters: NDArray[np.intp]
    dropped: pd.DataFrame

    def __len__(self) -> int:
        return len(self.chosen)


def find_choices(
    funnel: Funnel,
    things: pd.DataFrame,
    *,
    situation: Sequence[str] = ("visit", "zone"),
    among: str = "passed",
    nothing: bool = True,
) -> pd.DataFrame:
    """Find what each visit chose among what it was exposed to: rows for `fit_preference`.

    A situation is a visit to a zone (or what `situation` says), its choice set what the visit came by there. Who kept
    nothing has a situation without a choice: nothing was chosen. Who kept several has one for each of them, with the
    same set; cluster by visit, then. Here hand events must be decided: kept is what was kept with probability 0.5 or
    more. A share of takes missed, the same for all products, thins the choices and leaves preferences between products
    as they are; it makes *nothing* look better than it is.

    Parameters
    ----------
    funnel : Funnel
    things : DataFrame
        Attributes by the funnel's `per` (such as product), a row for each; where it lists cells, a product's cells must
        agree on the attributes.
    situation : columns of the exposures
    among : {"passed", "stopped"}
        What was in the set: all that the visit came by, or only where it stopped.
    nothing : bool
        Whether to give the situations in which nothing was kept, too.

    Returns
    -------
    DataFrame
        Columns situation, visit, alternative, chosen (0 or 1), and those of `things`.

    Raises
    ------
    ValueError
        A column is missing, or a product's cells differ in an attribute.
    """
    per = funnel.per
    columns = [name for name in things if name not in ("cell", "x", "y", *situation) or name == per]
    table = things[columns].drop_duplicates()
    if (twice := table[per].duplicated()).any():
        name = table.loc[twice, per].iloc[0]
        values = table.loc[table[per] == name].drop(columns=per).to_dict("records")
        raise ValueError(
            f"{per} {_said(name)} has several attributes: {values}; give one row for each {per}, or agreeing ones"
        )
    exposures = funnel.exposures
    if among not in ("passed", "stopped"):
        raise ValueError(f"among is {among!r}; 'passed' or 'stopped' is accepted")
    sets = exposures[exposures[among] > 0].merge(table, on=per, how="left", suffixes=("", "_"))
    sets = sets.assign(kept=sets["kept"] >= SURE, number=sets.groupby(list(situation), sort=True).ngroup())
    picks = sets.loc[sets["kept"], ["number", per]].rename(columns={per: "pick"})
    rows = sets.merge(picks, on="number", how="left" if nothing else "inner")
    rows["situation"] = rows.groupby(["number", "pick"], sort=True, dropna=False).ngroup()
    chosen = (rows[per] == rows["pick"]).astype(int)
    told = {"visit": rows["visit"], "alternative": rows[per], "chosen": chosen}
    others = [name for name in columns if name not in told]
    return pd.DataFrame({"situation": rows["situation"], **told, **rows[others]}).sort_values(
        "situation", kind="stable"
    )


def arrange(
    choices: pd.DataFrame,
    attributes: Sequence[str],
    *,
    situation: str = "situation",
    alternative: str = "alternative",
    chosen: str = "chosen",
    cluster: str | None = None,
    outside: str | None = None,
    base: Mapping[str, object] | None = None,
    mistaken: float = 0.0,
) -> ChoiceSets:
    """Check choice sets and lay them out as arrays.

    Parameters are those of `fit_preference`.

    Raises
    ------
    ValueError
        What is wrong, with the row or situation, and what would be accepted.
    """
    if not 0 <= mistaken < 0.5:
        raise ValueError(f"mistaken is {mistaken!r}; a share from 0 to below 0.5 is needed")
    frame = _checked(choices, attributes, situation, alternative, chosen, cluster)
    columns = _columns(frame, attributes, alternative, base or {})
    frame = frame[[situation, alternative, chosen, *([cluster] if cluster else [])]].reset_index(drop=True)
    if outside is not None:
        frame, columns = _with_outside(frame, columns, situation, alternative, chosen, cluster, outside)
    _check_chosen(frame, situation, chosen, outside)
    size = frame.groupby(situation)[chosen].transform("size").to_numpy()
    alone = frame.loc[size == 1, situation].nunique()
    dropped = pd.DataFrame({"reason": ["only one alternative"], "situations": [alone]})
    frame, columns = frame[size > 1], columns[size > 1]
    if not len(frame):
        raise ValueError(
            f"none of the {alone} situations has two alternatives or more: there is nothing to choose between"
        )
    order = np.argsort(pd.factorize(frame[situation])[0], kind="stable")
    frame, columns = frame.iloc[order], columns.iloc[order]
    return _laid_out(frame, columns, situation, alternative, chosen, cluster, dropped, mistaken)


def _checked(
    choices: pd.DataFrame, attributes: Sequence[str], situation: str, alternative: str, chosen: str, cluster: str | None
) -> pd.DataFrame:
    needed = [situation, alternative, chosen, *([cluster] if cluster else []), *attributes]
    need_columns(choices, needed, "choices")
    if not len(attributes) or not len(choices):
        raise ValueError(f"{len(choices)} rows and {len(attributes)} attributes: at least one of each is needed")
    for name in needed:
        if (bad := choices[name].isna().to_numpy()).any():
            raise ValueError(
                f"choices, row {np.flatnonzero(bad)[0] + 1}: {name} is missing; fill it or leave out its situation"
            )
    if (bad := ~choices[chosen].isin([0, 1]).to_numpy()).any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"choices, row {row + 1}: {chosen} is {_said(choices[chosen].iloc[row])}; 0 or 1 is needed")
    if (twice := choices.duplicated([situation, alternative])).any():
        one = choices[twice].iloc[0]
        raise ValueError(
            f"situation {_said(one[situation])} holds {_said(one[alternative])} twice; it stands in a set once"
        )
    if cluster and (mixed := choices.groupby(situation)[cluster].nunique() > 1).any():
        raise ValueError(f"situation {_said(mixed.idxmax())} has several values of {cluster!r}; it belongs to one")
    return choices.reset_index(drop=True)


def _said(value: object) -> str:
    """A value as it would be typed, not as NumPy calls it."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _columns(
    frame: pd.DataFrame, attributes: Sequence[str], alternative: str, base: Mapping[str, object]
) -> pd.DataFrame:
    """A number for each row and coefficient; names become a column for each of their values but the base."""
    if strange := set(base) - set(attributes):
        raise ValueError(f"base names {sorted(strange)[0]!r}, which is none of the attributes {', '.join(attributes)}")
    parts: list[pd.Series] = []
    for name in attributes:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and name not in base:
            numbers = values.astype(float)
            if (bad := ~np.isfinite(numbers.to_numpy())).any():
                row = int(np.flatnonzero(bad)[0])
                raise ValueError(f"choices, row {row + 1}: {name} is {numbers.iloc[row]}; a finite number is needed")
            parts.append(numbers.rename(name))
            continue
        levels = sorted(values.unique().tolist(), key=str)
        first = base.get(name, levels[0])
        if first not in levels:
            raise ValueError(f"base of {name!r} is {first!r}; it has {', '.join(map(str, levels))}")
        prefix = "" if name == alternative else f"{name} "  # an alternative's constant goes by its name
        parts += [(values == level).astype(float).rename(f"{prefix}{level}") for level in levels if level != first]
    return pd.concat(parts, axis=1)


def _with_outside(
    frame: pd.DataFrame,
    columns: pd.DataFrame,
    situation: str,
    alternative: str,
    chosen: str,
    cluster: str | None,
    outside: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the outside option to each situation: no attributes, a constant of its own, chosen where nothing else is."""
    if (frame[alternative] == outside).any() or outside in columns:
        raise ValueError(f"outside is {outside!r}, but choices has an alternative or attribute of this name already")
    keys = [situation, *([cluster] if cluster else [])]
    extra = frame.groupby(keys, sort=False, as_index=False)[chosen].sum()
    extra[chosen] = (extra[chosen] == 0).astype(int)
    nothing = pd.DataFrame(0.0, index=extra.index, columns=columns.columns)
    both = pd.concat([frame, extra.assign(**{alternative: outside})], ignore_index=True)
    return both, pd.concat([columns.assign(**{outside: 0.0}), nothing.assign(**{outside: 1.0})], ignore_index=True)


def _check_chosen(frame: pd.DataFrame, situation: str, chosen: str, outside: str | None) -> None:
    number = frame.groupby(situation, sort=False)[chosen].sum()
    if (bad := number != 1).any():
        name, count = bad.idxmax(), int(number[bad].iloc[0])
        size = int((frame[situation] == name).sum()) - (outside is not None)
        if count:
            raise ValueError(
                f"situation {_said(name)}: {count} of its {size} alternatives are chosen; make it a situation for each"
            )
        raise ValueError(
            f"situation {_said(name)}: none of its {size} alternatives is chosen; what was chosen must be in the set, "
            "or, if taking nothing is a choice, name it: outside='none'"
        )


def _laid_out(
    frame: pd.DataFrame,
    columns: pd.DataFrame,
    situation: str,
    alternative: str,
    chosen: str,
    cluster: str | None,
    dropped: pd.DataFrame,
    mistaken: float,
) -> ChoiceSets:
    number = pd.factorize(frame[situation])[0]
    start = np.flatnonzero(np.diff(number, prepend=-1))
    place = np.arange(len(frame)) - start[number]
    shape = (len(start), int(place.max()) + 1)
    available = np.zeros(shape, dtype=bool)
    available[number, place] = True
    things = np.full(shape, None, dtype=object)
    things[number, place] = frame[alternative].to_numpy(dtype=object)
    values = columns.to_numpy(dtype=float)
    filled = np.repeat(
        values[start][:, None, :], shape[1], axis=1
    )  # what is not available looks like the first that is
    filled[number, place] = values
    picked = place[np.flatnonzero(frame[chosen].to_numpy() == 1)]
    others = available.sum(axis=1, keepdims=True) - 1
    right = np.arange(shape[1]) == picked[:, None]
    seen = np.where(right, 1 - mistaken, mistaken / others) * available
    groups = pd.factorize(frame[cluster or situation].iloc[start])[0]
    return ChoiceSets(filled, tuple(map(str, columns)), available, picked, seen, things, groups, dropped)
