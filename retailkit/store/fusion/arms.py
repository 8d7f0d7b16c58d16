"""Methods to be measured against, each of one idea, all from the same scene: the nearest track, hands, and the door.

    ARMS["vision only"](scene)

`fuse_scene` is ours. What cameras and readers say is prepared alike for all (`prepare`): faces at the door, tracks
joined and named. None of them may see more than its name says. All write receipts by `charge_expected`.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.acts import Acts, as_events, find_acts
from retailkit.store.fusion.attribution import BELIEFS, SEEN, Attribution, attribute, charge_expected
from retailkit.store.fusion.moments import find_loudest, gate_antennas
from retailkit.store.fusion.sensors import Scene

_WAIT = 8.0  # seconds between a tag's last loud moment at the door and a face that leaves there
_QUIET = 20.0  # seconds in which a tag has not been heard when the day ends, if it has left
_OFFSET, _FALL, _HOLD = 6.0, 0.5, 60.0  # dB, dB per second and seconds: garments' profile of the mobility rule


def nearest_track(scene: Scene) -> Attribution:
    """Plates, and whoever stands nearest: what was taken less what was put back."""
    acts = find_acts(scene._replace(hands=scene.hands.iloc[:0]))
    best = np.zeros_like(acts.tracks)
    best[np.arange(len(best)), acts.tracks.argmax(axis=1)] = acts.tracks.max(axis=1) > 0
    return _by_acts(scene, acts, best)


def vision_only(scene: Scene) -> Attribution:
    """Cameras alone: hands that were seen, with the probability that they were seen right."""
    acts = find_acts(scene, plates=False)
    return _by_acts(scene, acts, acts.tracks)


def hands_and_plates(scene: Scene) -> Attribution:
    """Cameras and plates: all that a store without readers knows. Half of `late`, which sees what ours sees."""
    acts = find_acts(scene)
    return _by_acts(scene, acts, acts.tracks)


def _by_acts(scene: Scene, acts: Acts, tracks: NDArray[np.float64]) -> Attribution:
    """What acts alone add up to, by shopper and product."""
    shoppers, names = scene.identity.shoppers, scene.sensors.products["product"].to_numpy()
    people = (tracks @ scene.identity.beliefs)[:, : len(shoppers)]
    kind, table = acts.products.argmax(axis=1), acts.table
    amount = (-table["sign"] * table["real"]).to_numpy()
    total = np.zeros((len(shoppers), len(names)))
    np.add.at(total.T, kind, people * amount[:, None])
    rows = [
        (
            f"{SEEN}{who} {product} {unit}",
            str(names[product]),
            int(shoppers[who]),
            float(min(total[who, product] - unit, 1.0)),
        )
        for who, product in np.argwhere(total > 0.02)
        for unit in range(int(np.ceil(total[who, product] - 0.02)))
    ]
    beliefs = pd.DataFrame(rows, columns=BELIEFS)
    return attribute(beliefs, as_events(acts, people, scene), charge_expected(beliefs))


def rfid_only(scene: Scene) -> Attribution:
    """The door alone: a tag that is not heard any more left with the face that passed when it was loudest there."""
    antennas = scene.sensors.antennas
    loud = find_loudest(scene.sensors.reads, antennas, gate_antennas(antennas, scene.sensors.doors))
    return _left(scene, loud.set_index("epc")["time"])


def mobility_rule(scene: Scene) -> Attribution:
    """The rule of an industrial reader's software: a tag moves to an antenna that hears it clearly better.

    The mean strength there must beat that of where it is by an offset that falls with the time since it was heard there
    (Intel and EdgeX Foundry, RFID LLRP inventory service, mobility profile for garments). A tag whose last place is the
    door has left with the face that was next.
    """
    reads = scene.sensors.reads[["epc", "time", "antenna", "rssi"]]
    reads = reads.assign(slot=(reads["time"] // 1.0).astype(int))
    heard = reads.groupby(["epc", "slot", "antenna"], observed=True)["rssi"].mean().reset_index()
    end, gates, left = heard["slot"].max(), set(gate_antennas(scene.sensors.antennas, scene.sensors.doors)), {}
    for epc, rows in heard.groupby("epc", observed=True):
        place, strength, moment = -1, -np.inf, 0
        for slot, antenna, rssi in zip(rows["slot"], rows["antenna"], rows["rssi"], strict=True):
            offset = min(_OFFSET, _OFFSET - _FALL * (slot - moment - _HOLD))
            if antenna == place or rssi > strength + offset:
                place, strength, moment = antenna, rssi, slot
        if place in gates and rows["slot"].max() < end - _QUIET:
            left[epc] = float(moment)
    return _left(scene, pd.Series(left, dtype=float))


def _left(scene: Scene, moments: pd.Series) -> Attribution:
    """Give tags that left to the faces that passed the door at about those moments, nearer ones more."""
    exits = scene.sensors.exits.sort_values("time")
    products = dict(zip(scene.tags["epc"], scene.tags["product"], strict=True))
    rows = []
    for epc, moment in moments.items():
        weight = np.exp(-np.abs(exits["time"].to_numpy() - moment) / 1.5)
        weight[np.abs(exits["time"].to_numpy() - moment) > _WAIT] = 0.0
        total = weight.sum()
        for who in np.flatnonzero(weight > 0.02 * total) if total > 0 else []:
            rows.append(
                (str(epc), products[str(epc)], int(exits["shopper"].iloc[who]), float(0.98 * weight[who] / total))
            )
    beliefs = pd.DataFrame(rows, columns=BELIEFS)
    return attribute(beliefs, receipts=charge_expected(beliefs))


ARMS: dict[str, Callable[[Scene], Attribution]] = {
    "nearest track": nearest_track,
    "mobility rule": mobility_rule,
    "RFID only": rfid_only,
    "vision only": vision_only,
    "hands and plates": hands_and_plates,
}
