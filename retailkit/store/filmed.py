"""What a film's tracks say of its aisle, however short the film and however few the tracks.

Twenty seconds with three shoppers give cells of three, and none at all where the detector saw nobody. The verbs here
say so in place of failing, so that a page about a poor detector is a page too.
"""

from collections.abc import Sequence

import pandas as pd

from retailkit.lab import charts, floorplan
from retailkit.lab.panels import said
from retailkit.lab.style import Chart
from retailkit.store.floor import Plan, homography_error
from retailkit.store.visits import flow, privacy
from retailkit.store.visits.counts import count_crossings


def describe_floor(walks: pd.DataFrame, unseen: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Tell how many boxes have a place on the floor, why others have none, and how well places are known.

    Parameters
    ----------
    walks, unseen : DataFrame
        Both tables of `retailkit.store.floor.to_floor`.
    plan : Plan

    Returns
    -------
    DataFrame
        what, count (boxes), and metres: of boxes with a place the median shift by a blurred foot point, and of marks
        the distance of one that was left out, with low and high.
    """
    error = homography_error(plan.pixels, plan.metres)
    placed = {"what": "boxes with a place", "count": len(walks), "metres": walks["error"].median()}
    marks = {"what": "marks, each left out in turn", "count": len(plan.pixels), "metres": error.value}
    lost = [{"what": problem, "count": number} for problem, number in unseen["problem"].value_counts().items()]
    table = pd.DataFrame([placed, {**marks, "low": error.low, "high": error.high}, *lost])
    return table.reindex(columns=["what", "count", "metres", "low", "high"])


def count_ways(tracks: pd.DataFrame, plan: Plan, repetitions: int = 10, seed: int = 0) -> pd.DataFrame:
    """Count who passed the plan's line, in and out, with the interval of `count_crossings`.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        Checked and not yet cleaned; may be empty.
    plan : Plan
    repetitions, seed : int
        As `count_crossings` takes them.

    Returns
    -------
    DataFrame
        direction, value, low, high; no rows without tracks, which tell nothing of who passed.
    """
    if tracks.empty:
        return pd.DataFrame(columns=["direction", "value", "low", "high"])
    counts = count_crossings(tracks, {"line": plan.line}, repetitions=repetitions, seed=seed, progress=False)
    chosen = counts[(counts["line"] == "line") & (counts["direction"] != "both")]
    return chosen[["direction", "value", "low", "high"]].reset_index(drop=True)


def draw_ways(passed: pd.DataFrame) -> Chart:
    """Draw what `count_ways` gives; where it has no rows, say why."""
    if passed.empty:
        return said("Nobody was tracked: how many passed the line, this film does not tell.")
    return charts.estimates(passed, "Passed the line (count)", label="direction", sort=False, digits=1)


def hide_few(table: pd.DataFrame, least: int, count: str = "visits", keep: Sequence[str] = ()) -> pd.DataFrame:
    """Blank cells of fewer than `least` people, as `retailkit.store.visits.privacy.suppress` does; of 1 hide none."""
    return table if least < 2 else privacy.suppress(table, count, least, keep=keep, totals=[])[0]


def draw_floor(ways: pd.DataFrame, plan: Plan, least: int = 11, cell: float = 0.5) -> Chart:
    """Draw where people were on the floor plan; squares that fewer than `least` visited are hatched.

    Parameters
    ----------
    ways : DataFrame with visit, time (seconds), x, y (metres)
        Cleaned; may be empty.
    plan : Plan
        Its zones are outlined.
    least : int
        People who must have been in a square for it to be shown.
    cell : float, metres
        Side of a square.
    """
    if ways.empty:
        return said("No track has a place on the floor: there is nothing to draw.")
    shown = hide_few(flow.heat_map(ways, cell=cell), least, keep=["x", "y"])
    if not shown["density"].notna().any():
        return said(f"No square of the floor was visited by {least} people or more: none is shown.")
    return floorplan.heat(shown, plan.zones)
