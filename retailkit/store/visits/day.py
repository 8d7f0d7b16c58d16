"""A day of one store: from its tracks to every table.

layout = Layout(lines={"door": ((0, 0), (2, 0))}, zones={"milk": [(0, 1), (2, 1), (2, 2)]})
tables = summarise_day(tracks, layout)
tables["zone_visits"]
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from retailkit.store.visits.beats import take_beats
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.flow import heat_map, peak_hours, zone_flow
from retailkit.store.visits.groups import find_groups, members
from retailkit.store.visits.layout import Layout, named
from retailkit.store.visits.occupancy import find_occupancy
from retailkit.store.visits.queues import find_queue, queue_length
from retailkit.store.visits.tracks import COLUMNS, check_tracks, first_rows
from retailkit.store.visits.zones import find_zone_visits

TABLES = (
    "quarantine", "visits", "crossings", "zone_visits", "groups", "flow", "heat", "hours", "occupancy", "queue",
    "waiting",
)  # fmt: skip
HOUR = 3600.0  # seconds


def summarise_day(tracks: pd.DataFrame, layout: Layout) -> dict[str, pd.DataFrame]:
    """Make all tables of one store and day.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        As recorded, nothing checked yet.
    layout : Layout
        What is drawn on this store's floor plan.

    Returns
    -------
    dict of DataFrames
        ``quarantine``: rows that cannot be (`check_tracks`). ``visits``: visit, begin, end (seconds), pieces (tracker's
        identities in it), rows. ``crossings``: line and what `find_crossings` gives, by time. ``zone_visits``,
        ``groups``, ``flow``, ``heat``, ``hours``, ``occupancy``, ``queue``, ``waiting``: as `find_zone_visits`,
        `find_groups`, `zone_flow`, `heat_map`, `peak_hours`, `find_occupancy`, `find_queue` and `queue_length` give
        them. A table of what the layout lacks is empty.

    Raises
    ------
    ValueError
        What any of these raises.

    Notes
    -----
    Ways are cleaned by `clean_tracks`. Groups and the heat map are read from mean places over 0.4 s (`take_beats`),
    which lose nothing at distances of half a metre; lines and zones are judged by every row.
    """
    tables = {}
    for name, table in day_tables(tracks, layout):
        if isinstance(table, Exception):
            raise table
        tables[name] = table
    return tables


def day_tables(tracks: pd.DataFrame, layout: Layout) -> Iterator[tuple[str, pd.DataFrame | Exception]]:
    """Give one table after the other as it is ready, and in place of one that fails why it did.

    Without ways there is nothing: where they fail, so does all that comes after.
    """
    day = _Day(tracks, layout)
    del tracks  # `day` lets go of it when it has better ones
    for name in TABLES:
        try:
            yield name, day.table(name)
        except Exception as error:
            yield name, error
            if name in TABLES[:2]:
                return


class _Day:
    """Tables of a day, each worked out once; inside, visits are whole numbers, whatever their keys are."""

    def __init__(self, tracks: pd.DataFrame, layout: Layout) -> None:
        self.layout = layout
        self._tracks = tracks
        self._keys: pd.Index | None = None

    def table(self, name: str) -> pd.DataFrame:
        """Give a table, with the visits' own keys."""
        table: pd.DataFrame = getattr(self, name)
        if self._keys is None or name == "quarantine" or "visit" not in table:
            return table
        return table.assign(visit=self._keys.take(table["visit"].to_numpy()))

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        tracks = self._tracks[[name for name in COLUMNS if name in self._tracks]]
        if "visit" in tracks and not pd.api.types.is_integer_dtype(tracks["visit"].dtype):
            tracks = tracks.assign(visit=tracks["visit"].astype("category"))
        self._tracks, wrong = check_tracks(tracks)
        if isinstance(self._tracks["visit"].dtype, pd.CategoricalDtype):
            self._keys = self._tracks["visit"].cat.categories
            self._tracks = self._tracks.assign(visit=self._tracks["visit"].cat.codes.astype(np.int64))
            wrong["visit"] = wrong["visit"].astype(object if wrong["visit"].isna().any() else self._keys.dtype)
        return wrong

    @cached_property
    def visits(self) -> pd.DataFrame:
        self._tracks = ways = clean_tracks(self._tracks)  # one copy of the day is kept, and none of what it was
        first, time, piece = first_rows(ways["visit"]), ways["time"].to_numpy(), ways["piece"].to_numpy()
        rows = np.diff(first, append=len(ways))
        turns = np.union1d(first, np.flatnonzero(piece[1:] != piece[:-1]) + 1)
        seen = pd.DataFrame({"visit": ways["visit"].to_numpy()[turns], "piece": piece[turns]}).drop_duplicates()
        pieces = seen.groupby("visit", sort=False).size().to_numpy()
        table = {"begin": time[first], "end": time[first + rows - 1], "pieces": pieces, "rows": rows}
        return pd.DataFrame({"visit": ways["visit"].to_numpy()[first], **table})

    @cached_property
    def crossings(self) -> pd.DataFrame:
        found = [find_crossings(self._tracks, line).assign(line=name) for name, line in self.layout.lines.items()]
        columns = ["line", "visit", "time", "x", "y", "direction"]
        table = pd.concat(found) if found else pd.DataFrame(columns=columns)
        return table[columns].sort_values("time", kind="stable").reset_index(drop=True)

    @cached_property
    def zone_visits(self) -> pd.DataFrame:
        if not self.layout.zones:
            return pd.DataFrame(columns=["visit", "zone", "enter", "leave", "dwell", "stopped", "again", "censored"])
        return find_zone_visits(self._tracks, self.layout.zones)

    @cached_property
    def _beats(self) -> pd.DataFrame:
        return take_beats(self._tracks)

    @cached_property
    def groups(self) -> pd.DataFrame:
        return find_groups(self._beats)[0]

    @cached_property
    def heat(self) -> pd.DataFrame:
        return heat_map(self._beats, self.layout.cell, groups=members(self.groups))

    @cached_property
    def flow(self) -> pd.DataFrame:
        return zone_flow(self.zone_visits, members(self.groups))

    @cached_property
    def _doors(self) -> pd.DataFrame:
        doors = self.layout.lines if self.layout.doors is None else named(self.layout.doors)
        return self.crossings[self.crossings["line"].isin(list(doors))]

    @cached_property
    def hours(self) -> pd.DataFrame:
        return peak_hours(self._doors if self.layout.lines else self.visits.rename(columns={"begin": "time"}))

    @cached_property
    def occupancy(self) -> pd.DataFrame:
        if not len(self._doors):
            return pd.DataFrame(columns=["time", "counted", "value", "low", "high"], dtype=float)
        begin, end = self.visits["begin"].min(), self.visits["end"].max()
        opens = np.floor(begin / HOUR) * HOUR if self.layout.opens is None else self.layout.opens
        closes = np.ceil(end / HOUR) * HOUR if self.layout.closes is None else self.layout.closes
        return find_occupancy(self._doors, opens, closes, missed=self.layout.missed, after=None)

    @cached_property
    def queue(self) -> pd.DataFrame:
        stood = self.zone_visits["zone"].isin(named(self.layout.queue))
        return find_queue(
            self.zone_visits if stood.any() else self.zone_visits[:0], self.layout.queue, self.layout.service
        )

    @cached_property
    def waiting(self) -> pd.DataFrame:
        return queue_length(self.queue)
