"""What is drawn on a store's floor plan: lines that are passed, zones that are stood in, where the line waits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retailkit.store.visits.crossings import Line, line_points
from retailkit.store.visits.zones import Zones, check_zones


@dataclass(frozen=True, eq=False)
class Layout:
    """A store's drawing, checked when it is made.

    >>> Layout(zones={"line": [(0, 0), (4, 0), (4, 1)]}, queue="queue")
    Traceback (most recent call last):
    ValueError: queue is 'queue', which is no zone of this layout; it has line

    Attributes
    ----------
    lines : mapping of names to two points (x, y), metres
        Seen from the first point towards the second, ``in`` is from left to right.
    zones : mapping of names to corners (x, y), metres
    doors : line or lines, optional
        Through which people come and go; by default all lines.
    queue, service : zone or zones
        Where people wait, and where they are served; nothing where there is no line.
    opens, closes : float, seconds, optional
        The day, for how many are inside; by default from the full hour before the first row to that after the last.
    missed : float
        Share of the crossings of doors that the camera misses (`find_occupancy`).
    cell : float, metres
        Side of the heat map's squares.

    Raises
    ------
    ValueError
        A line or zone cannot be, a name is of none, one zone is for waiting and for being served, the day closes before
        it opens, `missed` is no share below 1, or `cell` is not above 0.
    """

    lines: Mapping[str, Line] = field(default_factory=dict)
    zones: Zones = field(default_factory=dict)
    doors: str | Sequence[str] | None = None
    queue: str | Sequence[str] = ()
    service: str | Sequence[str] = ()
    opens: float | None = None
    closes: float | None = None
    missed: float = 0.05
    cell: float = 0.5

    def __post_init__(self) -> None:
        for line in self.lines.values():
            line_points(line)
        if self.zones:
            check_zones(self.zones)
        _check_names("doors", self.doors or (), self.lines, "line")
        _check_names("queue", self.queue, self.zones, "zone")
        _check_names("service", self.service, self.zones, "zone")
        if both := set(named(self.queue)) & set(named(self.service)):
            raise ValueError(f"zone {sorted(both)[0]!r} is in queue and in service: people wait in one, and then go on")
        if self.opens is not None and self.closes is not None and not self.opens < self.closes:
            raise ValueError(f"opens is {self.opens!r} and closes {self.closes!r}: seconds, the earlier first")
        if not 0 <= self.missed < 1:
            raise ValueError(f"missed is {self.missed!r}: a share from 0 to below 1 is needed")
        if not self.cell > 0:
            raise ValueError(f"cell is {self.cell!r}: metres above 0 are needed")

    def as_text(self) -> str:
        """All that is drawn, as text that is the same for the same drawing."""
        drawn = {
            "lines": {name: line_points(line).tolist() for name, line in self.lines.items()},
            "zones": {name: points.tolist() for name, points in check_zones(self.zones).items()} if self.zones else {},
        }
        rest = (self.doors, self.queue, self.service, self.opens, self.closes, self.missed, self.cell)
        return repr((drawn, rest))


def named(names: str | Iterable[str]) -> list[str]:
    """One name or several, as a list."""
    return [names] if isinstance(names, str) else list(names)


def _check_names(what: str, names: str | Iterable[str], known: Mapping[str, object], kind: str) -> None:
    for name in named(names):
        if name not in known:
            raise ValueError(
                f"{what} is {name!r}, which is no {kind} of this layout; it has {', '.join(known) or 'none'}"
            )
