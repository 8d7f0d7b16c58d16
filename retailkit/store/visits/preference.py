"""What shoppers prefer among what they saw: discrete choice, with the errors that households deserve.

    preference = fit_preference(choices, ["price", "brand"], cluster="household")
    preference.table()                         # coefficients with intervals
    preference.willingness_to_pay("price")     # what an attribute is worth in money
    preference.shares()                        # how often each was taken, seen and foretold
    preference.baselines("price")              # beside equal shares, known shares, price alone

The model is McFadden's (1974) conditional logit, fitted by xlogit (Arteaga et al. 2022): each alternative of a set is
chosen with a probability in proportion to exp(attributes · coefficients). Sets may differ between shoppers: nobody
prefers what they never came by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from retailkit.lab.intervals import Estimate, interval, resample
from retailkit.store.visits import logit
from retailkit.store.visits.choice_sets import ChoiceSets, arrange
from retailkit.store.visits.ratios import as_mean, as_share, ratio

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Preference:
    """A fitted choice model.

    Attributes
    ----------
    coefficients : Series
        By name, in units of utility for one unit of the attribute.
    covariance : DataFrame
        Of the coefficients, robust to what situations of a cluster have in common.
    log_likelihood : float
    sets : ChoiceSets
        What it was fitted to; ``sets.dropped`` counts what was left out.
    cluster : str
        What is independent: the name of its column.
    """

    coefficients: pd.Series
    covariance: pd.DataFrame
    log_likelihood: float
    sets: ChoiceSets
    cluster: str

    @property
    def clusters(self) -> int:
        """Number of independent clusters."""
        return int(self.sets.clusters.max()) + 1

    def table(self, truth: Mapping[str, float] | None = None, level: float = 0.95) -> pd.DataFrame:
        """List the coefficients: attribute, value, error (standard), low, high, p, and truth where it is given."""
        value, error = self.coefficients.to_numpy(), np.sqrt(np.diag(self.covariance))
        reach = stats.t.ppf((1 + level) / 2, self.clusters - 1) * error
        chance = 2 * stats.t.sf(np.abs(value) / error, self.clusters - 1)
        columns = {"value": value, "error": error, "low": value - reach, "high": value + reach, "p": chance}
        found = pd.DataFrame({"attribute": self.coefficients.index, **columns})
        return found if truth is None else found.assign(truth=found["attribute"].map(dict(truth)))

    def estimate(self, attribute: str, level: float = 0.95) -> Estimate:
        """Give one coefficient with its interval."""
        rows = self.table(level=level).set_index("attribute")[["value", "low", "high"]]
        if attribute not in rows.index:
            raise ValueError(f"attribute is {attribute!r}; the coefficients are {', '.join(map(str, rows.index))}")
        value, low, high = map(float, rows.loc[attribute])
        return Estimate(value, low, high, level, self.clusters, f"{self.cluster}s")

    def willingness_to_pay(
        self, price: str, method: str = "delta", repetitions: int = 1000, seed: int = 0, level: float = 0.95
    ) -> pd.DataFrame:
        """Say what one unit of each attribute is worth: by how much a price may rise before it loses the choice.

        It is −coefficient / price coefficient. Where the price coefficient is not clearly below zero, no amount can be
        told, and the ends are nan.

        Parameters
        ----------
        price : str
            Attribute in money.
        method : {"delta", "krinsky-robb", "bootstrap"}
            First-order error propagation; quantiles of draws from the coefficients' normal distribution (Krinsky &
            Robb 1986); or clusters drawn anew and the model fitted again.
        repetitions, seed
            Of the draws.
        level : float, 0 to 1

        Returns
        -------
        DataFrame
            attribute, value, low, high, in units of the price.
        """
        cost = self.estimate(price, level)
        if method not in ("delta", "krinsky-robb", "bootstrap"):
            raise ValueError(f"method is {method!r}; 'delta', 'krinsky-robb' or 'bootstrap' is accepted")
        draws = None if method == "delta" else self._draws(method, repetitions, seed)
        rows, names = [], list(self.coefficients.index)
        for place, name in enumerate(names):
            if name == price:
                continue
            worth = -self.coefficients[name] / cost.value
            if not cost.high < 0:
                low = high = np.nan
            elif draws is None:
                slope = np.zeros(len(names))
                slope[place], slope[names.index(price)] = -1 / cost.value, -worth / cost.value
                reach = stats.t.ppf((1 + level) / 2, self.clusters - 1) * np.sqrt(slope @ self.covariance @ slope)
                low, high = worth - reach, worth + reach
            else:
                cloud = -draws[:, place] / draws[:, names.index(price)]
                ends = interval(worth, cloud, level, units=self.clusters)
                low, high = ends.low, ends.high
            rows.append({"attribute": name, "value": worth, "low": low, "high": high})
        return pd.DataFrame(rows, columns=["attribute", "value", "low", "high"])

    def _draws(self, method: str, repetitions: int, seed: int) -> Floats:
        """Coefficients as they might have been: (repetitions, coefficients)."""
        best = self.coefficients.to_numpy()
        if method == "krinsky-robb":
            return np.random.default_rng(seed).multivariate_normal(best, self.covariance, size=repetitions)
        weights = resample(self.sets.clusters, repetitions, seed).astype(float)
        return np.array([logit.climb(self.sets, best, weight) for weight in weights])

    def probabilities(self) -> Floats:
        """Give the foretold probability of each alternative of each set: (situations, places)."""
        return logit.probabilities(self.sets, self.coefficients.to_numpy())

    def shares(self, level: float = 0.95) -> pd.DataFrame:
        """Compare how often each alternative was taken where it was in the set, with what the model foretells.

        Returns
        -------
        DataFrame
            alternative, offered (situations), value, low, high (share taken), foretold, foretold_low, foretold_high.
        """
        chance, rows = self.probabilities(), []
        middle = (chance[..., None] * self.sets.attributes).sum(axis=1)
        spread = stats.t.ppf((1 + level) / 2, self.clusters - 1)
        picked = np.arange(self.sets.available.shape[1]) == self.sets.chosen[:, None]
        for name in sorted(set(self.sets.alternatives[self.sets.available]), key=str):
            here = (self.sets.alternatives == name) & self.sets.available
            seen = here.any(axis=1).astype(float)
            found = ratio((here & picked).any(axis=1), seen, self.sets.clusters)
            taken = as_share(found, self.sets.clusters, level)
            situation, place = np.nonzero(here)
            mean = chance[situation, place].mean()
            off = self.sets.attributes[situation, place] - middle[situation]
            slope = (chance[situation, place, None] * off).mean(axis=0)
            reach = spread * np.sqrt(slope @ self.covariance @ slope)
            told = {"alternative": name, "offered": len(situation)}
            told |= {"value": taken.value, "low": taken.low, "high": taken.high, "foretold": mean}
            rows.append(told | {"foretold_low": mean - reach, "foretold_high": mean + reach})
        return pd.DataFrame(rows)

    def baselines(self, price: str | None = None, folds: int = 5, level: float = 0.95) -> pd.DataFrame:
        """Set the model beside knowing less: nothing, how popular each alternative is, or only its price.

        Likelihoods of the choices that a model was fitted to flatter it. So `ahead` says by how much all attributes
        foretell choices better that they were not fitted to: clusters are left out in turn.

        Parameters
        ----------
        price : str, optional
            Attribute to be fitted alone.
        folds : int
            Parts that are left out in turn.
        level : float, 0 to 1

        Returns
        -------
        DataFrame
            model; parameters; log_likelihood; ratio (twice the log-likelihood that all attributes add), p (of such a
            ratio by chance, chi-squared: Wilks 1938; nan where the model is no part of the full one); value, low, high
            (what all attributes add to the log-likelihood of one held-out choice).
        """
        models = {"equal shares": _equal(self.sets, folds), "known shares": _popular(self.sets, folds)}
        if price is not None:
            self.estimate(price)
            models[f"{price} alone"] = _fitted(_narrowed(self.sets, price), folds)
        models["all attributes"] = full = _fitted(self.sets, folds)
        rows = []
        for name, (parameters, inside, outside) in models.items():
            gain, more = 2 * (full[1] - inside), full[0] - parameters
            nested = name != "known shares" and more > 0
            found = ratio(full[2] - outside, np.ones(len(self.sets)), self.sets.clusters)
            ahead = as_mean(found, self.sets.clusters, level)
            told = {"model": name, "parameters": parameters, "log_likelihood": inside, "ratio": gain}
            told |= {"p": stats.chi2.sf(gain, more) if nested else np.nan}
            rows.append(told | {"value": ahead.value, "low": ahead.low, "high": ahead.high})
        return pd.DataFrame(rows)

    def placebo(self, attribute: str, seed: int = 0, level: float = 0.95) -> Estimate:
        """Fit again with one attribute's values dealt out anew within each set: its coefficient is chance."""
        self.estimate(attribute)
        rng, column = np.random.default_rng(seed), self.sets.names.index(attribute)
        order = np.argsort(np.where(self.sets.available, rng.random(self.sets.available.shape), 2.0), axis=1)
        dealt = self.sets.attributes.copy()
        dealt[..., column] = np.take_along_axis(dealt[..., column], order, axis=1)
        return _fit(replace(self.sets, attributes=dealt), self.cluster).estimate(attribute, level)

    def summary(self) -> str:
        """Say in a sentence what is liked, what is not, and what cannot be told."""
        rows = self.table()
        parts = {
            "chosen more with": rows[rows["low"] > 0],
            "less with": rows[rows["high"] < 0],
            "not told from 0": rows[(rows["low"] <= 0) & (rows["high"] >= 0)],
        }
        said = [
            f"{what} " + ", ".join(f"{name} {self.estimate(name):.2f}" for name in map(str, part["attribute"]))
            for what, part in parts.items()
            if len(part)
        ]
        return f"{len(self.sets):,} choices of {self.clusters:,} {self.cluster}s: {'; '.join(said)}."


def fit_preference(
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
) -> Preference:
    """Fit what shoppers prefer among what they were exposed to.

    Parameters
    ----------
    choices : DataFrame
        A row for each situation and each alternative in its set.
    attributes : columns of `choices`
        Numbers are taken as they are; names become a coefficient for each value but one, which `base` may say.
    situation, alternative, chosen : str
        Columns: which choice; which thing, once in a set; 1 for what was chosen, else 0.
    cluster : str, optional
        Column of whose choices hang together (household, visit); by default each situation stands alone.
    outside : str, optional
        Name of taking nothing, where that is a choice: it joins every set, without attributes and with a constant, and
        is chosen where nothing else is.
    base : mapping, optional
        The value that the others of an attribute are compared with; by default the first.
    mistaken : float
        Share of the choices that were put down to another alternative of the set, whichever. Cameras take one cell for
        the next; unheeded, that makes every attribute look weaker (Hausman, Abrevaya & Scott-Morton 1998).

    Raises
    ------
    ValueError
        A set without what was chosen, or with two; something missing; an attribute that never differs within a set or
        always goes with others; choices that attributes foretell without fail. Sets of one are dropped and counted.
    """
    sets = arrange(
        choices, attributes, situation=situation, alternative=alternative, chosen=chosen, cluster=cluster,
        outside=outside, base=base, mistaken=mistaken,
    )  # fmt: skip
    return _fit(sets, cluster or situation)


def _fit(sets: ChoiceSets, cluster: str) -> Preference:
    best = logit.fit(sets)
    spread = pd.DataFrame(logit.robust_covariance(sets, best), index=list(sets.names), columns=list(sets.names))
    height = float(logit.log_chances(sets, logit.probabilities(sets, best)).sum())
    return Preference(pd.Series(best, index=list(sets.names)), spread, height, sets, cluster)


Baseline = tuple[int, float, Floats]  # parameters, log-likelihood, that of each situation when held out


def _equal(sets: ChoiceSets, folds: int) -> Baseline:
    each = -np.log(sets.available.sum(axis=1))
    return 0, float(each.sum()), each


def _popular(sets: ChoiceSets, folds: int) -> Baseline:
    """Each alternative in proportion to how often it was taken where it was in the set."""
    numbers, names = pd.factorize(sets.alternatives.ravel())
    code = numbers.reshape(sets.alternatives.shape)

    def told(known: NDArray[np.bool_]) -> Floats:
        offered = np.bincount(code[known][sets.available[known]], minlength=len(names))
        taken = np.bincount(code[known, sets.chosen[known]], minlength=len(names))
        weight = np.where(sets.available, ((taken + 0.5) / (offered + 1))[code], 0.0)
        return logit.log_chances(sets, weight / weight.sum(axis=1, keepdims=True))

    return len(names) - 1, float(told(np.ones(len(sets), dtype=bool)).sum()), _held_out(sets, folds, told)


def _fitted(sets: ChoiceSets, folds: int) -> Baseline:
    best = logit.fit(sets)

    def told(known: NDArray[np.bool_]) -> Floats:
        fitted = logit.climb(sets, best, known.astype(float))
        return logit.log_chances(sets, logit.probabilities(sets, fitted))

    inside = logit.log_chances(sets, logit.probabilities(sets, best)).sum()
    return len(best), float(inside), _held_out(sets, folds, told)


def _held_out(sets: ChoiceSets, folds: int, told: Callable[[NDArray[np.bool_]], Floats]) -> Floats:
    """Log-likelihood of each situation by a model that knows the other folds only; a cluster stays in one fold."""
    fold, each = sets.clusters % folds, np.zeros(len(sets))
    for part in range(folds):
        each[fold == part] = told(fold != part)[fold == part]
    return each


def _narrowed(sets: ChoiceSets, name: str) -> ChoiceSets:
    return replace(sets, attributes=sets.attributes[..., [sets.names.index(name)]], names=(name,))
