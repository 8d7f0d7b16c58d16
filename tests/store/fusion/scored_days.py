"""Small days whose truth is drawn at random, and methods that know it, or know it badly."""

import numpy as np
import pandas as pd

from retailkit.store.fusion.attribution import BELIEFS, EVENTS, RECEIPTS, Attribution
from retailkit.store.fusion.truth import TrueDay

PRODUCTS = pd.DataFrame({"product": ["tea", "rice", "soap"], "price": [2.5, 1.25, 4.0]})
HANDS = ["time", "cell", "kind", "product", "piece", "shopper"]


def a_day(seed: int = 0, shoppers: int = 4, facings: int = 4, untagged: float = 0.3) -> TrueDay:
    """Draw a day: a cell for each product; some pieces are taken, some of these put back, perhaps elsewhere."""
    rng = np.random.default_rng(seed)
    number = facings * len(PRODUCTS)
    product = np.repeat(PRODUCTS["product"].to_numpy(), facings)
    pieces = pd.DataFrame({"piece": np.arange(number), "product": product, "cell": "shelf of " + product})
    tagged = rng.random(number) >= untagged
    hands, stays, sold = [], [(piece, -np.inf, cell, -1) for piece, cell in pieces[["piece", "cell"]].values], []
    for piece in rng.permutation(number)[: rng.integers(0, number + 1)]:
        shopper, time = int(rng.integers(shoppers)), float(rng.uniform(0, 100))
        kind, home = pieces.loc[piece, "product"], pieces.loc[piece, "cell"]
        hands.append((time, home, "take", kind, piece, shopper))
        stays.append((piece, time, "", shopper))
        if rng.random() < 0.3:
            cell = str(rng.choice(pieces["cell"]))
            hands.append((time + 9, cell, "return", kind, piece, shopper))
            stays.append((piece, time + 9, cell, -1))
        else:
            sold.append((piece, f"30{piece:022d}" if tagged[piece] else "", kind, shopper))
    hands.append((50.0, "shelf of tea", "reach", "tea", -1, 0))
    return TrueDay(
        pd.DataFrame(sold, columns=["piece", "epc", "product", "shopper"]).astype({"piece": int, "shopper": int}),
        pd.DataFrame({"shopper": np.arange(shoppers), "group": np.arange(shoppers) // 2}),
        PRODUCTS,
        pd.DataFrame(hands, columns=HANDS),
        pieces,
        pd.DataFrame(stays, columns=["piece", "start", "cell", "visit"]),
    )


def write_receipts(sold: pd.DataFrame) -> pd.DataFrame:
    return sold.groupby(["shopper", "product"], as_index=False).size().set_axis(RECEIPTS, axis=1)


def knowing(truth: TrueDay) -> Attribution:
    """A method that knows the day."""
    sold = truth.receipts
    item = sold["epc"].where(sold["epc"] != "", "seen " + sold["piece"].astype(str))
    acts = truth.hands[truth.hands["kind"] != "reach"]
    events = acts.assign(item=acts["piece"].astype(str), probability=1.0)[EVENTS]
    return Attribution(sold.assign(item=item, probability=1.0)[BELIEFS], events, write_receipts(sold))


def guessing(truth: TrueDay, seed: int = 0) -> Attribution:
    """A method whose beliefs are spread at random, and whose acts are late, lost and invented."""
    rng = np.random.default_rng(seed)
    known, people = knowing(truth), truth.shoppers["shopper"].to_numpy()
    rows, wide = known.beliefs, rng.dirichlet(np.full(len(people) + 1, 0.4), len(known.beliefs))[:, :-1]
    beliefs = rows.loc[rows.index.repeat(len(people)), ["item", "product"]].reset_index(drop=True)
    beliefs = beliefs.assign(shopper=np.tile(people, len(rows)), probability=wide.ravel())
    events = known.events.assign(time=known.events["time"] + rng.exponential(2.0, len(known.events)))
    events = events[rng.random(len(events)) < 0.8]
    sold = truth.receipts.assign(shopper=rng.choice(people, len(truth.receipts)))
    receipts = write_receipts(sold[rng.random(len(sold)) < 0.9])
    return Attribution(beliefs[BELIEFS], events.reset_index(drop=True), receipts)
