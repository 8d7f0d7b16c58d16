"""What a parameter changes: runs that differ in it alone, paired, with intervals and a placebo.

found = compare_runs("shelf-detector", metric="map50", parameter="size")
found.table()       # a row per value of `size`: its difference from the baseline, with interval
found.differences() # the same as a picture
found.chart()       # every run a dot, pairs joined, a panel for each value of another parameter
print(found.summary())
"""

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from retailkit.lab import records
from retailkit.lab.intervals import Estimate

if TYPE_CHECKING:
    from retailkit.lab.style import Chart

MOST_PANELS = 12
_SHUFFLES = 4999
NOTHING = "Nothing to compare yet: it takes finished runs that differ in a parameter. `retailkit sweep` makes them."


@dataclass(frozen=True)
class Comparison:
    """Runs of one study, read for one figure and one parameter.

    Attributes
    ----------
    study, metric, parameter, baseline : str
        `baseline` is the value of the parameter that the others are compared with; all empty where there is nothing.
    runs : pandas.DataFrame
        A row per run: run_id, level (the parameter's value), pair (all other parameters, as text), panel, value.
    panel_name : str
        The parameter that makes the panels; empty where the runs differ in one parameter only.
    """

    study: str
    metric: str
    parameter: str
    baseline: str
    runs: pd.DataFrame
    panel_name: str = ""

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Compare each value of the parameter with the baseline, over the runs that agree in everything else.

        Returns
        -------
        pandas.DataFrame
            Columns value_of_parameter, pairs, mean, difference, low, high, larger (share of the pairs in which the
            figure was larger than the baseline's) and by_chance: the placebo, how often a difference as far from
            zero comes of swapping the two members of a pair at random. nan where there is no pair, and for the ends
            where there is one only.

        Notes
        -----
        Student's paired interval (1908), with the level divided among the comparisons (Bonferroni 1936; Dunn 1961),
        so that all intervals hold together; the sign-flipping test is Fisher's (1935). What counts as independent
        is the pair.
        """
        wide = self.runs.pivot(index="pair", columns="level", values="value") if len(self.runs) else pd.DataFrame()
        others = [name for name in _sorted(wide.columns) if name != self.baseline]
        each = 1 - (1 - level) / max(1, len(others))
        rows = [_difference(wide, name, self.baseline, each) for name in others]
        columns = ["value_of_parameter", "pairs", "mean", "difference", "low", "high", "larger", "by_chance"]
        return pd.DataFrame(rows, columns=columns)

    def chart(self) -> "Chart":
        """Draw every run as a dot over the parameter's values, pairs joined, in small multiples."""
        from retailkit.lab.panels import panels, said

        if not len(self.runs):
            return said(NOTHING)
        places = {name: place for place, name in enumerate(_sorted(self.runs["panel"]))}
        runs = self.runs.sort_values("panel", key=lambda names: names.map(places), kind="stable")
        names = {"x_name": self.parameter, "y_name": self.metric, "panel_name": self.panel_name}
        panel = "panel" if self.panel_name else None
        return panels(runs, "level", "value", "pair", panel, order=_sorted(runs["level"]), **names)

    def differences(self) -> "Chart":
        """Draw the differences of `table` with their intervals; zero is no difference."""
        from retailkit.lab import charts

        rows = self.table().dropna(subset=["low"]).rename(columns={"difference": "value"})
        rows["label"] = f"{self.parameter} " + rows["value_of_parameter"].astype(str)
        quantity = f"Difference in {self.metric} from {self.parameter} {self.baseline}"
        few = NOTHING if not len(self.runs) else "Too few pairs for an interval: add runs, other seeds for instance."
        return charts.estimates(rows, quantity, reference=0, sort=False, digits=3, empty=few)

    def summary(self) -> str:
        """Say what was found, each difference with its interval."""
        if not len(self.runs):
            return NOTHING
        told = [f"{self.parameter} {_told(row)}" for row in self.table().to_dict("records")]
        return f"{self.metric} of {self.study}, against {self.parameter} {self.baseline}. " + "; ".join(told) + "."


def _told(row: dict[Any, Any]) -> str:
    """One difference in words."""
    name, pairs = row["value_of_parameter"], row["pairs"]
    if pairs < 2:
        return f"{name}: {pairs} pair{'' if pairs == 1 else 's'}, too few for an interval"
    return f"{name}: {Estimate(row['difference'], row['low'], row['high'], units=pairs):+.3f} over {pairs} pairs"


def compare_runs(study: str = "", metric: str = "", parameter: str = "", baseline: str = "") -> Comparison:
    """Read finished runs and pair those that differ in one parameter alone.

    Of runs with the same parameters the newest counts.

    Parameters
    ----------
    study : str
        By default the one of the newest sweep, else the study with the most finished runs.
    metric : str
        As recorded; by default the first that was recorded with an interval, else the first.
    parameter : str
        By default the first that takes several values, the seed last.
    baseline : str
        The parameter's value to compare with; by default the smallest, or first in the alphabet.

    Returns
    -------
    Comparison
        Empty where nothing can be compared yet.

    Raises
    ------
    ValueError
        No such study, metric, parameter or baseline; the message names the nearest.
    """
    runs = records.read_runs(study or None)
    runs = runs[runs["status"] == "FINISHED"]
    if study and not len(runs):
        known = records.read_runs()["study"].unique().tolist()
        if study not in known:
            raise _unknown("study", study, known)
    runs = runs[runs.filter(like="metric.").notna().any(axis="columns")]
    study = study or _liveliest(runs)
    runs = runs[runs["study"] == study].dropna(axis="columns", how="all")
    metrics = [name.removeprefix("metric.") for name in map(str, runs) if name.startswith("metric.")]
    varied = _varied(runs)
    for kind, given, known in (("metric", metric, metrics), ("parameter", parameter, list(varied))):
        if given and given not in known and len(runs):
            raise _unknown(kind, given, known)
    if not metrics or not varied:
        return Comparison("", "", "", "", pd.DataFrame(columns=["run_id", "level", "pair", "panel", "value"]))
    metric = metric or next((name for name in metrics if f"{name}_low" in metrics), metrics[0])
    parameter = parameter or next((name for name in varied if name != "seed"), next(iter(varied)))
    return _comparison(runs, study, metric, parameter, baseline, varied)


def _liveliest(runs: pd.DataFrame) -> str:
    if not len(runs):
        return ""
    swept = runs[runs["sweep"] != ""]
    return str(swept["study"].iloc[0] if len(swept) else runs["study"].mode().iloc[0])


def _varied(runs: pd.DataFrame) -> dict[str, int]:
    """Parameters that take several values, with how many."""
    names = [name for name in map(str, runs) if name.startswith("param.")]
    return {name.removeprefix("param."): found for name in names if (found := runs[name].nunique()) > 1}


def _comparison(
    runs: pd.DataFrame, study: str, metric: str, parameter: str, baseline: str, varied: dict[str, int]
) -> Comparison:
    others = [name for name in varied if name != parameter]
    facets = [name for name in others if 1 < varied[name] <= MOST_PANELS and name != "seed"]
    panel_name = max(facets, key=lambda name: varied[name], default="")
    runs = runs.dropna(subset=[f"metric.{metric}", f"param.{parameter}"])
    frame = pd.DataFrame(
        {
            "run_id": runs["run_id"],
            "level": runs[f"param.{parameter}"].astype(str),
            "pair": [_words(row, others) for row in runs.to_dict("records")],
            "panel": runs[f"param.{panel_name}"].astype(str) if panel_name else "",
            "value": runs[f"metric.{metric}"].astype(float),
        }
    ).drop_duplicates(["level", "pair"])
    levels = _sorted(frame["level"])
    if baseline and str(baseline) not in levels:
        raise _unknown(f"value of '{parameter}'", str(baseline), levels)
    return Comparison(study, metric, parameter, str(baseline) or levels[0], frame.reset_index(drop=True), panel_name)


def _words(row: dict[Any, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {row[f'param.{name}']}" for name in names) or "all else equal"


def _sorted(values: Any) -> list[str]:
    """Numbers by size, words by alphabet."""
    names = list(dict.fromkeys(str(value) for value in values))
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)


def _difference(wide: pd.DataFrame, name: str, baseline: str, level: float) -> tuple[Any, ...]:
    from scipy import stats

    both = wide[[name, baseline]].dropna()
    gap = (both[name] - both[baseline]).to_numpy()
    pairs, missing = len(gap), float("nan")
    if pairs < 2:
        value = float(gap.mean()) if pairs else missing
        return (name, pairs, float(wide[name].mean()), value, missing, missing, missing, missing)
    if np.ptp(gap) <= 1e-12 * np.abs(both.to_numpy()).max():  # no spread, but for the last bits: the value itself
        low = high = float(gap[0])
    else:
        low, high = stats.ttest_rel(both[name], both[baseline]).confidence_interval(level)
    larger = float((gap > 0).mean())
    return (name, pairs, float(both[name].mean()), float(gap.mean()), float(low), float(high), larger, _by_chance(gap))


def _by_chance(gap: np.ndarray) -> float:
    """Share of sign flips that put the mean as far from zero: of all up to 12 pairs, else of some drawn at random."""
    from scipy import stats

    return float(
        stats.permutation_test(
            (gap,),
            lambda flipped, axis: np.abs(flipped.mean(axis=axis)),
            permutation_type="samples",
            alternative="greater",
            vectorized=True,
            n_resamples=_SHUFFLES,
            rng=np.random.default_rng(0),
        ).pvalue
    )


def _unknown(kind: str, given: str, known: list[str]) -> ValueError:
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there is {', '.join(known) or 'none'}"
    return ValueError(f"No finished run has the {kind} '{given}'; {hint}")
