"""A small world of shoppers and shelves with known truth, apart from the project's simulator."""

import numpy as np
import pandas as pd

ZONES = ("tea", "rice", "soap")
CELLS = pd.DataFrame(
    [(f"{zone}-{cell}", zone, f"{zone} {'mild' if cell < 2 else 'strong'}") for zone in ZONES for cell in range(3)],
    columns=["cell", "zone", "product"],
)  # two cells of the mild kind, one of the strong
WANTED = np.array([0.30, 0.20, 0.10])  # how often something is taken from each cell of a shelf, by the average shopper


def make_stays(rng: np.random.Generator, visits: int) -> pd.DataFrame:
    """Make the stays of a day: some shoppers are eager and stop often."""
    eager = rng.beta(2, 2, visits)
    came = rng.random((visits, len(ZONES))) < 0.6
    came[:, 0] |= ~came.any(axis=1)
    visit, zone = np.nonzero(came)
    stopped = rng.random(len(visit)) < 0.2 + 0.6 * eager[visit]
    dwell = rng.gamma(2, np.where(stopped, 8.0, 1.5))
    return pd.DataFrame(
        {"visit": visit, "zone": np.array(ZONES)[zone], "dwell": dwell, "stopped": stopped, "eager": eager[visit]}
    )


def act(rng: np.random.Generator, stays: pd.DataFrame) -> pd.DataFrame:
    """Make the hand events of these stays: the eager take more, sometimes two, and put some back."""
    stay, place = np.divmod(np.arange(3 * len(stays)), 3)
    rows = stays.iloc[stay]
    chance = 2 * WANTED[place] * rows["eager"].to_numpy() * np.where(rows["stopped"], 1.0, 0.1)
    touches, takes = rng.random((2, len(rows))) < chance
    takes = takes * (1 + (rng.random(len(rows)) < 0.25))
    returns = rng.binomial(takes, 0.3)
    cell = (rows["zone"] + "-" + place.astype(str)).to_numpy()
    events = [
        pd.DataFrame(
            {"visit": np.repeat(rows["visit"].to_numpy(), number), "cell": np.repeat(cell, number), "kind": kind}
        )
        for kind, number in (("reach", touches.astype(int)), ("take", takes), ("return", returns))
    ]
    return pd.concat(events, ignore_index=True).assign(time=0.0, probability=1.0)


def see(
    rng: np.random.Generator, stays: pd.DataFrame, hands: pd.DataFrame, recall: dict[str, float], strays: float = 0.0
) -> pd.DataFrame:
    """Miss some of the hand events, see some that never were, and tell truly how probable each is.

    `strays` is the number of events that never were for each true one that is seen; they look as much like what people
    do as true ones, but have lower scores.
    """
    share = hands["kind"].map(recall)
    real = hands[rng.random(len(hands)) < share]
    others = act(rng, stays)
    never = others[rng.random(len(others)) < strays * others["kind"].map(recall)]
    score = np.concatenate([rng.beta(3, 1, len(real)), rng.beta(1, 3, len(never))])
    odds = (score / (1 - score)) ** 2 / max(strays, 1e-12)  # likelihood ratio of Beta(3, 1) and Beta(1, 3)
    seen = pd.concat([real.assign(real=True), never.assign(real=False)], ignore_index=True)
    return seen.assign(probability=odds / (1 + odds) if strays else 1.0)
