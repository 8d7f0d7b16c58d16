"""Who walks together: pairs that keep near each other in motion, and the groups that such pairs make.

    groups, pairs = find_groups(smooth_tracks(untangle_tracks(tracks)))

Three figures of each pair (`describe_pairs`) give the odds that they belong together: how far apart they walked, how
long they walked together, and in which share of their time both were there. The model is logistic, as in Yamaguchi et
al. (2011) and Solera, Calderara & Cucchiara (2016), with fewer features, and was learned on the walkers of UCY and ETH.
How common groups are differs between places, and is estimated anew in each recording, without labels (Saerens, Latinne
& Decaestecker 2002). Standing beside one another counts for nothing: a queue is no group.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, logit

from retailkit.store.visits.pairs import NEAR, describe_pairs

# Learned by `learn_weights` on the four scenes with truth, spoilt by a simulated camera: test_groups.py learns them
# again, and says how good they are on a scene that they were not learned on.
WEIGHTS = {"distance": -4.456, "seconds": 1.089, "overlap": 1.201, "constant": -0.898}
COMMON = 0.135  # share of pairs that belong together, where the weights were learned
_HOLD = 20.0  # pairs: how firmly that share is held to where a recording has few


def find_groups(
    tracks: pd.DataFrame, sure: float = 0.7, weights: Mapping[str, float] = WEIGHTS, common: float = COMMON
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find who walks together.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, exchanged identities put right and smoothed: `clean_tracks`, or, better for this purpose,
        `smooth_tracks(untangle_tracks(tracks))`. Whose track broke walks with the same people in each piece, whereas
        two people joined by mistake cost one of them their group.
    sure : float, 0 to 1
        Probability from which two are linked. Whoever is linked, be it through others, is of one group.
    weights, common : mapping, float
        As `learn_weights` gives them; by default learned on UCY and ETH.

    Returns
    -------
    groups : DataFrame
        visit, group (from 0), size (people in it), probability (of the visit's strongest link; nan for those alone).
    pairs : DataFrame
        As `describe_pairs` gives it, with probability and linked (bool); the most probable first.

    Raises
    ------
    ValueError
        `sure` or `common` is not between 0 and 1, a weight is missing, or tracks hold rows without a place.
    """
    for name, value in (("sure", sure), ("common", common)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value!r}: a probability between 0 and 1 is needed")
    pairs = describe_pairs(tracks)
    chance = _adapted(_log_odds(pairs, weights), common)
    pairs = pairs.assign(probability=chance, linked=chance >= sure)
    links = pairs[pairs["linked"]]
    visits = pd.Index(pd.unique(tracks["visit"]))
    groups = pd.DataFrame({"visit": visits, "group": _joined(visits, links)})
    groups["size"] = groups.groupby("group")["visit"].transform("size")
    strongest = pd.concat([links.set_index(side)["probability"] for side in ("one", "other")]).groupby(level=0).max()
    groups["probability"] = strongest.reindex(visits).to_numpy()
    return groups, pairs.sort_values("probability", ascending=False, kind="stable").reset_index(drop=True)


def _joined(visits: pd.Index, links: pd.DataFrame) -> NDArray[np.intp]:
    one, other = visits.get_indexer(pd.Index(links["one"])), visits.get_indexer(pd.Index(links["other"]))
    graph = coo_array((np.ones(len(links)), (one, other)), shape=(len(visits), len(visits)))
    return np.asarray(pd.factorize(connected_components(graph, directed=False)[1])[0])


def _log_odds(pairs: pd.DataFrame, weights: Mapping[str, float]) -> NDArray[np.float64]:
    features = _features(pairs)
    if missing := [str(name) for name in [*features, "constant"] if name not in weights]:
        raise ValueError(f"weights lack {missing[0]!r}; they have {', '.join(weights)}")
    return np.asarray(weights["constant"] + features.to_numpy() @ np.array([weights[str(name)] for name in features]))


def _features(pairs: pd.DataFrame) -> pd.DataFrame:
    """What the model weighs; in logarithms, as ratios matter, and away from 0, where jitter rules."""
    return pd.DataFrame(
        {
            "distance": np.log(pairs["distance"].fillna(NEAR) + 0.3),
            "seconds": np.log(pairs["seconds"] + 1.0),
            "overlap": pairs["overlap"],
        }
    )


def _adapted(odds: NDArray[np.float64], common: float) -> NDArray[np.float64]:
    """Probabilities under the share of groups that this recording itself speaks for (expectation maximisation)."""
    share = common
    for _ in range(500):
        chance = expit(odds + logit(share) - logit(common))
        before, share = share, (chance.sum() + _HOLD * common) / (len(chance) + _HOLD)
        if abs(share - before) < 1e-9:
            break
    return np.asarray(chance)


def learn_weights(
    pairs: pd.DataFrame, together: Sequence[bool] | NDArray[np.bool_], scene: Sequence[object] | None = None
) -> tuple[dict[str, float], float]:
    """Learn what speaks for a group from pairs whose truth is known.

    Parameters
    ----------
    pairs : DataFrame
        As `describe_pairs` gives it.
    together : bools (pairs,)
        Whether they belong together.
    scene : names (pairs,), optional
        Each scene gets the same say, however many groups it has.

    Returns
    -------
    weights : dict
    common : float
        For `find_groups`.

    Raises
    ------
    ValueError
        All pairs belong together, or none.
    """
    from sklearn.linear_model import LogisticRegression

    answer = pd.Series(np.asarray(together, dtype=bool))
    if answer.nunique() < 2:
        raise ValueError(f"{int(answer.sum())} of {len(answer)} pairs belong together: both kinds are needed")
    scenes = pd.Series("all" if scene is None else np.asarray(scene), index=answer.index)
    say = 1 / answer.groupby(scenes).transform("sum").clip(lower=1)
    say *= len(say) / say.sum()
    x = _features(pairs)
    spread = x.std(ddof=0)
    fitted = LogisticRegression(max_iter=1000).fit(x / spread, answer, sample_weight=say)
    weights = {str(name): float(value) for name, value in zip(x, fitted.coef_[0] / spread, strict=True)}
    return weights | {"constant": float(fitted.intercept_[0])}, float(np.average(answer, weights=say))


def placebo_tracks(tracks: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Deal out the visits' beginnings anew: the same ways at other times, so that who is together is so by chance."""
    rng = np.random.default_rng(seed)
    start = tracks.groupby("visit", sort=False)["time"].transform("min")
    begins = start.groupby(tracks["visit"], sort=False).first()
    dealt = pd.Series(rng.permutation(begins.to_numpy()), index=begins.index)
    return tracks.assign(time=tracks["time"] - start + tracks["visit"].map(dealt))


def members(groups: pd.DataFrame) -> tuple[tuple[object, ...], ...]:
    """Give the groups of two and more as tuples of visits, as recordings with truth have them."""
    several = groups[groups["size"] > 1]
    return tuple(tuple(rows) for _, rows in several.groupby("group", sort=True)["visit"])
