"""What the competition's winner did with plates and people, in its plain form, and one customer who takes all.

A plate that grew lighter: what lies there and weighs that much was taken, by whoever stands nearest. One that grew
heavier: of what that customer holds, the thing that weighs most alike was put back, and lies there from now on. These
are the steps of AutoCheckout-CMU's `cashier.py` (2020); how likely a product is at a plate is ours, and so is that of
things within 5 g the latest was put back. `nearest_track` of the package has no basket: a thing put back in another's
place is nothing that it knows, and even without any noise it scores 0.83.
"""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.acts import Acts, find_acts
from retailkit.store.fusion.sensors import Scene

_BESIDE = 0.16  # metres between plates beside each other
_HOME = 2000.0  # by which what was put on a plate is likelier there than any other product (find_acts: 0.97 to 0.03)
_ALIKE = 5.0  # grams that plates do not tell apart: of things so alike the latest was put back
_COLUMNS = ["shopper", "product", "quantity"]


def plain_baskets(scene: Scene) -> pd.DataFrame:
    """Plates, whoever stands nearest, and a basket for each: receipts (shopper, product, quantity)."""
    acts, people = _acts(scene)
    return _fill(scene, acts, people)


def one_takes_all(scene: Scene) -> pd.DataFrame:
    """All that plates tell is charged to the customer with most events: receipts (shopper, product, quantity)."""
    acts, people = _acts(scene)
    known = people[people >= 0]
    most = int(np.bincount(known).argmax()) if len(known) else 0
    return _fill(scene, acts, np.full(len(people), most))


def _acts(scene: Scene) -> tuple[Acts, NDArray[np.int64]]:
    """Acts by plates alone, and the place of their shopper among the scene's; -1 where nobody known was near."""
    acts = find_acts(scene._replace(hands=scene.hands.iloc[:0]))
    near = acts.tracks.argmax(axis=1) if acts.tracks.size else np.zeros(len(acts.table), dtype=np.int64)
    whose = scene.identity.beliefs[near].argmax(axis=1)
    alone = acts.tracks.max(axis=1, initial=0.0) <= 0
    return acts, np.where(alone | (whose == len(scene.identity.shoppers)), -1, whose)


def _fill(scene: Scene, acts: Acts, people: NDArray[np.int64]) -> pd.DataFrame:
    """Go through acts in time with a basket for each customer."""
    products = scene.sensors.products
    weight = products["weight"].to_numpy(float)
    place = scene.sensors.planogram.set_index("cell")[["x", "y", "height"]]
    where = place.reindex(acts.table["cell"]).to_numpy(float)
    baskets: defaultdict[int, Counter[int]] = defaultdict(Counter)
    moved: list[tuple[NDArray[np.float64], int]] = []
    for row, (grams, who) in enumerate(zip(acts.table["grams"].to_numpy(float), people.tolist(), strict=True)):
        if who < 0:
            continue
        if grams > 0:
            held = [(kind, number) for kind, most in reversed(baskets[who].items()) for number in range(1, most + 1)]
            if held:
                kind, number = min(held, key=lambda one: max(abs(weight[one[0]] * one[1] - grams), _ALIKE))
                baskets[who][kind] -= number
                moved.append((where[row], kind))
            continue
        likely = acts.products[row].copy()
        for there, kind in moved:
            likely[kind] *= (
                _HOME if np.hypot(*(there - where[row])[:2]) < _BESIDE and there[2] == where[row][2] else 1.0
            )
        kind = int(likely.argmax())
        number = max(round(abs(grams) / weight[kind]), 1)
        baskets[who][kind] = baskets[who].pop(kind, 0) + number  # the latest stands last
    names, shoppers = products["product"].tolist(), scene.identity.shoppers.tolist()
    rows = [
        (shoppers[who], names[kind], number)
        for who, basket in baskets.items()
        for kind, number in basket.items()
        if number > 0
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)
