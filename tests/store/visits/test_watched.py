"""What somebody noted who watched the beginning corrects the rest."""

import pandas as pd
import pytest

import retailkit as rk
from retailkit.store.visits import correct_watched, describe_queue, find_queue, find_zone_visits, watched_stays


@pytest.fixture(scope="module")
def store():
    return rk.load_store("simulated_store", seed=3, simulated={"visits": 60, "hours": 2.0})


def test_the_rest_is_corrected_by_the_beginning(store):
    ways = rk.visits.clean_tracks(rk.visits.check_tracks(store.tracks)[0])
    queue = find_queue(find_zone_visits(ways, store.zones), store.queue, store.checkouts)
    noted = find_queue(watched_stays(store), store.queue, store.checkouts)
    assert len(noted) and noted["join"].max() <= store.counted_until
    told = correct_watched(describe_queue, queue, noted, store.counted_until).set_index("quantity")
    rest = describe_queue(queue[queue["join"] > store.counted_until]).set_index("quantity")
    assert told["as_seen"].to_dict() == rest["value"].to_dict()
    assert (told["value"] - told["as_seen"])["mean wait"] == pytest.approx(told.loc["mean wait", "shift"])
    shoppers = store.truth["visitors"].query("kind == 'shopper'")["visit"]
    assert set(noted["visit"]) <= set(shoppers), "staff do not queue"


def test_who_was_not_watched_is_not_corrected(store):
    nobody = rk.load_store("simulated_store", seed=3, simulated={"visits": 20, "hours": 0.5})
    blind = nobody.__class__(**{**vars(nobody), "truth": {}})
    stays = watched_stays(blind)
    assert not len(stays)
    queue = pd.DataFrame({"visit": [1], "join": [5.0], "wait": [3.0]})
    told = correct_watched(describe_queue, queue, find_queue(stays, store.queue, store.checkouts), until=100.0)
    assert not len(told) and {"quantity", "value", "low", "high"} <= set(told)
    with pytest.raises(ValueError, match="none of join, enter, time in common"):
        correct_watched(describe_queue, pd.DataFrame({"wait": [1.0]}), queue, until=100.0)
