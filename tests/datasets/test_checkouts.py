"""AutoCheckout's events: dirty labels are repaired or set aside and counted; the competition's rule is reproduced."""

import json
from pprint import pformat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retailkit.datasets import DataError, card
from retailkit.datasets.checkout_events import read_moment
from retailkit.datasets.checkout_plan import read_plan
from retailkit.datasets.checkouts import average_f1, count_problems, read_checkouts, score_receipts
from retailkit.datasets.receipts import read_barcode, read_customer

TEA, NUTS, COLA = "012000286209", "835144009080", "049000006582"


def coordinates(x=0.0, y=0.0, z=0.0, turn=0.0, size=(1.0, 0.4, 0.2)):
    moved = {"translation": {"x": x, "y": y, "z": z}, "rotation": {"x": 0, "y": 0, "z": turn}}
    return {"transform": moved, "dim_x": size[0], "dim_y": size[1], "dim_z": size[2]}


def write_plan(folder, **changes):
    """Two gondolas of one shelf with three plates of 0.1 by 0.4 m: one along the wall, one turned by -90 degrees."""
    folder.mkdir(parents=True, exist_ok=True)
    ones = [({"id": 1}, coordinates(0, 0.5)), ({"id": 2}, coordinates(3, -0.5, turn=-np.pi / 2))]
    shelves = [({"gondola_id": where, "shelf_index": 1}, coordinates(0, -0.4, 0.8)) for where, _ in ones]
    plates = [
        ({"shelf_id": shelf, "plate_index": number}, coordinates(0.1 * (number - 1), size=(0.1, 0.4, 0)))
        for shelf, _ in shelves
        for number in (1, 2, 3)
    ]
    for name, rows in {"gondolas": ones, "shelves": shelves, "plates": plates}.items():
        content = {name: [{"id": known, "coordinates": where} for known, where in rows]}
        (folder / f"{name.title()}.json").write_text(json.dumps(changes.get(name, content)))
    camera = {"Tw": [[1, 0, 0, 100], [0, 1, 0, -50], [0, 0, 1, 95], [0, 0, 0, 1]], "look_at": [10, 20, 0]}
    cameras = changes.get("cameras", {"cameras": {"1": camera, "21-depth": camera}})
    (folder / "calibration.json").write_text(json.dumps(cameras))


def event(product=TEA, customer="7", time="2020-04-20_07-00-00", putback=0, place=(1, 1, [1, 2]), weight=500.0, **more):
    goods = [product] * more.pop("number", 1) if product is not None else []
    return {
        "eventID": more.pop("number_told", 1),
        "putback": putback,
        "observation": {
            "position": {"gondola": place[0], "shelf": place[1], "plates": place[2]},
            "products": [{"id": one, "name": f"about {one}", "price": 1, "weight": weight} for one in goods],
            "time": time, "target_id": customer, **more,
        },
    }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Write a small set, and read it: cases by name, each a list of events, and answers (name, f1, receipts)."""

    def make(cases, answers=(), ranges=None, tail=""):
        write_plan(tmp_path / "set" / "store_meta")
        lists = [
            {"dataset": name, "events": numbered(events), "range": (ranges or {}).get(name)} for name, events in cases
        ]
        (tmp_path / "set" / "ground_truth.json").write_text(json.dumps({"lists": lists}))
        (tmp_path / "set" / "results.md").write_text("\n".join(map(answer, answers)) + tail)
        return read_checkouts(tmp_path / "set")

    return make


def numbered(events):
    return [
        one | {"eventID": number if one["eventID"] == 1 else one["eventID"]} for number, one in enumerate(events, 1)
    ]


def answer(told):
    name, f1, receipts = told
    lines = [
        {"target_id": customer, "products": [{"barcode": code, "quantity": number} for code, number in goods]}
        for customer, goods in receipts
    ]
    content = {"f1_score": f1, "name": name, "receipts": lines}
    return f"\n=== Receive feedbacks for outputs/output-{name}.json ===\n{pformat(content)}\n"


def problems(cases, *but):
    found = cases.quarantine
    return [tuple(row) for row in found[["event", "problem", "outcome"]].values if row[1] not in but]


@pytest.mark.parametrize(
    ("told", "seconds", "how"),
    [
        ("2019-11-07_02-35-28", "02:35:28", ""),
        ("4:00 + 2019-11-07_02-41-17", "02:45:17", "an offset into a film"),
        ("00:13 + 2019-11-07_07-33-37", "07:33:50", "an offset into a film"),
        ("1:00:00.5+2019-11-07_02-00-00", "03:00:00.5", "an offset into a film"),
        ("0:10 + 11_07_2019_03:08:19", "03:08:29", "an offset into a film"),
        ("11_07_2019_03:08:19", "03:08:19", "a time that begins with the month"),
        (" + ", None, "no time"),
        ("unknown", None, "no time"),
        (None, None, "no time"),
        ("2019-13-07_02-35-28", None, "no time"),
        ("2019-11-07_25-35-28", None, "no time"),
        ("99999999999:00 + 2019-11-07_02-41-17", None, "no time"),
    ],
)
def test_moments_as_people_wrote_them(told, seconds, how):
    moment, repaired = read_moment(told)
    assert repaired == how
    assert pd.isna(moment) if seconds is None else moment == pd.Timestamp(f"2019-11-07 {seconds}")


@given(st.text(alphabet="0123456789:+-_ ", max_size=40) | st.none() | st.integers())
def test_any_moment_is_read_or_told(told):
    moment, how = read_moment(told)
    assert pd.isna(moment) == (how == "no time")


@given(st.datetimes(pd.Timestamp(1990, 1, 1), pd.Timestamp(2100, 1, 1)), st.integers(0, 5999))
def test_a_moment_survives_each_way_of_writing(moment, late):
    moment = moment.replace(microsecond=0)
    film = f"{late // 60}:{late % 60:02} + {moment:%Y-%m-%d_%H-%M-%S}"
    assert read_moment(f"{moment:%Y-%m-%d_%H-%M-%S}")[0] == read_moment(f"{moment:%m_%d_%Y_%H:%M:%S}")[0] == moment
    assert read_moment(film)[0] == pd.Timestamp(moment) + pd.Timedelta(seconds=late)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("120130", "012000000133"), ("01201303", "012000000133"), ("0120850", "012000000850"), ("01201304", ""),
        ("04965802", "049000006582"), ("425261", "042100005264"), ("123453", "012300000451"),
        ("123454", "012340000053"), ("90162909", "90162909"), ("084114115881", "084114115881"),
        (4006381333931, "4006381333931"), ("UNKOWN", ""), ("", ""), ("12345", ""), ("9120130", ""),
    ],
)  # fmt: skip
def test_barcodes_in_one_form(told, code):
    assert read_barcode(told) == code


@given(st.text(alphabet="0123456789", min_size=6, max_size=6))
def test_short_barcodes_become_whole_ones_with_a_check_digit(core):
    whole = read_barcode(core)
    digits = [int(one) for one in whole]
    assert len(whole) == 12 and (3 * sum(digits[::2]) + sum(digits[1::2])) % 10 == 0
    assert read_barcode("0" + core) == read_barcode("0" + core + whole[-1]) == whole


@given(st.integers(-(2**63), 2**63 - 1))
def test_customers_with_a_sign_and_without(number):
    assert read_customer(str(number)) == read_customer(number % 2**64) == str(number % 2**64)


def test_plates_in_the_frame_of_the_store(tmp_path):
    write_plan(tmp_path)
    plan = read_plan(tmp_path)
    wall, turned = (rows.set_index("plate") for _, rows in plan.plates.groupby("gondola"))
    np.testing.assert_allclose(wall[["x", "y", "z"]], [[0.05, 0.3, 0.8], [0.15, 0.3, 0.8], [0.25, 0.3, 0.8]])
    np.testing.assert_allclose(turned[["x", "y", "z"]], [[2.8, -0.55, 0.8], [2.8, -0.65, 0.8], [2.8, -0.75, 0.8]])
    assert (wall["front_y"] == -1).all() and (turned["front_x"] == -1).all()
    assert plan.plates[["width", "depth"]].drop_duplicates().values.tolist() == [[0.1, 0.4]]
    assert plan.cameras.iloc[1].tolist() == ["21", True, 2.54, -1.27, 2.413, 0.254, 0.508]


def test_a_plan_that_is_none_is_refused(tmp_path):
    write_plan(tmp_path, gondolas={"gondolas": [{"id": {"id": 9}, "coordinates": coordinates()}]})
    with pytest.raises(DataError, match=r"Plates\.json: plate 1 lies on shelf 1 of gondola 1"):
        read_plan(tmp_path)
    tilted = coordinates()
    tilted["transform"]["rotation"]["x"] = 0.5
    write_plan(tmp_path, gondolas={"gondolas": [{"id": {"id": one}, "coordinates": tilted} for one in (1, 2)]})
    with pytest.raises(DataError, match=r"tilted by \[0.5, 0.0\] radians"):
        read_plan(tmp_path)
    write_plan(tmp_path, plates={"plates": [{"id": {"plate_index": 1}}]})
    with pytest.raises(DataError, match=r"Plates\.json, entry 1 of 'plates'"):
        read_plan(tmp_path)
    write_plan(tmp_path, cameras={"cameras": {"3": {"Tw": []}}})
    with pytest.raises(DataError, match=r"calibration\.json: camera 3"):
        read_plan(tmp_path)


def test_events_in_the_order_of_time_with_their_place(write):
    late, early = event(time="0:20 + 2020-04-20_07-00-00"), event(NUTS, time="0:05 + 2020-04-20_07-00-00", number=2)
    cases = write([("A", [late, early, event(NUTS, time="2020-04-20_07-00-09", putback=1, place=(2, 1, [3]))])])
    assert cases.events["event"].tolist() == [2, 3, 1] and cases.events["time"].tolist() == [0, 4, 15]
    assert cases.events["sign"].tolist() == [1, -1, 1] and cases.events["quantity"].tolist() == [2, 1, 1]
    np.testing.assert_allclose(cases.events[["x", "y", "z"]].iloc[[0, 1]], [[0.1, 0.3, 0.8], [2.8, -0.75, 0.8]])
    assert cases.true.values.tolist() == [["A", "7", NUTS, 1], ["A", "7", TEA, 1]]
    found = cases.cases.iloc[0]
    assert (found["kind"], found["seconds"], found["events"], found["customers"], found["complete"]) == (
        "other", 15, 3, 1, True,
    )  # fmt: skip
    assert count_problems(cases.quarantine).values.tolist() == [["an offset into a film", "repaired", 2, 1]]


def test_a_range_that_was_written_down(write):
    cases = write(
        [("A", [event(time="2020-04-20_07-00-10")]), ("B", [event(time="2020-04-20_08-00-00")])],
        ranges={"A": "07:00:04 - 07:01:04", "B": "07:00:00 - 07:30:00"},
    )
    assert cases.cases["lead"].tolist() == [6, 3600] and cases.cases["seconds"].tolist() == [60, 1800]
    assert problems(cases) == [(0, "events outside of the recording", "kept")]


@pytest.mark.parametrize(
    ("wrong", "problem", "outcome", "kept", "complete"),
    [
        (event(None), "no product", "set aside", 1, False),
        (event(customer=""), "no customer", "set aside", 1, False),
        (event("UNKOWN"), "an unknown product", "set aside", 1, False),
        (event(putback=2), "neither taken nor put back", "set aside", 1, False),
        (event(time="soon"), "no time", "kept", 2, True),
        (event(place=(9, 1, [1])), "a place that is not in the plan", "kept", 2, True),
        (event(place=("", 1, [])), "a place that is not in the plan", "kept", 2, True),
        (event(place=(1, 1, [3, 4, 12])), "a plate that its shelf has not", "repaired: plates (3,)", 2, True),
        (event("496580"), "a short barcode", f"repaired: {COLA}", 2, True),
        (event("835144008984", weight=0), "no weight", "kept", 2, True),
        (event(customer="-1"), "a signed customer number", f"repaired: {2**64 - 1}", 2, True),
        (event(number_told=8.1), "an event number that is broken or a second time there",
         "repaired: numbered by its place", 2, True),
        (event(putback=1, customer="8"), "put back by a customer who had not taken it", "kept", 2, False),
    ],
)  # fmt: skip
def test_nothing_is_dropped_in_silence(write, wrong, problem, outcome, kept, complete):
    cases = write([("A", [event(), wrong])])
    assert [row[1:] for row in problems(cases)] == [(problem, outcome)]
    assert len(cases.events) == kept and cases.cases["complete"].tolist() == [complete]
    assert bool(len(cases.true)) == complete


def test_an_unknown_product_that_is_put_back_leaves_the_receipt(write):
    cases = write([("A", [event(), event("UNKOWN", weight=0), event("UNKOWN", weight=0, putback=1)])])
    assert cases.cases["complete"].all() and cases.true.values.tolist() == [["A", "7", TEA, 1]]
    assert problems(cases) == [(2, "an unknown product", "set aside"), (3, "an unknown product", "set aside")]


def test_a_case_without_events_and_one_of_the_same_name_are_told(write):
    cases = write([("A", []), ("A", [event()])])
    assert cases.cases["case"].tolist() == ["A", "A (2)"] and cases.cases["complete"].tolist() == [False, True]
    assert [row[1] for row in problems(cases)] == [
        "a case whose name is a second time there", "a case without events that can be used",
    ]  # fmt: skip
    assert write([]).cases.empty


def test_products_as_most_cases_tell_them_and_where_they_lie(write):
    moved = [event(), event(putback=1, place=(2, 1, [1])), event(place=(2, 1, [1])), event(NUTS, weight=0)]
    cases = write([("A", [event(weight=41.0)] * 3), ("B", moved), ("C", [event()])])
    tea = cases.products.set_index("product").loc[TEA]
    assert (tea["weight"], tea["gondola"], tea["plates"]) == (500, 1, (1, 2))
    assert np.isnan(cases.products.set_index("product").loc[NUTS, "weight"])
    assert cases.places[cases.places["product"] == TEA][["gondola", "plate", "taken"]].values.tolist() == [
        [1, 1, 5], [1, 2, 5],
    ]  # fmt: skip
    told = problems(cases, "no weight")
    assert told == [
        (at, "a weight that other cases tell otherwise", "repaired: what most cases say") for at in (1, 2, 3)
    ]


def test_receipts_meet_the_events_by_name_and_number(write):
    answers = [
        ("BASELINE-2", 0.8, [(str(2**64 - 5), [("04965802", 1), (TEA, 1)]), ("9", [])]),
        ("TEAM-1-DAY-2-TEST-3", 1.0, [("1", [])]),
        ("BENCHMARK-1", 0.0, [("1", [("12", 2)])]),
        ("BENCHMARK-1", 0.0, [("1", [("12", 2)])]),
    ]
    cases = write([("BASELINE-2", [event("496580", customer="-5")])], answers, tail="Average F1 score: 0.6\n")
    assert cases.cases["kind"].tolist() == ["BASELINE", "TEAM", "other"]
    assert cases.cases["entries"].tolist() == [1, 1, 2] and cases.cases["f1"].tolist() == [0.8, 1, 0]
    score = score_receipts(cases.winner, cases.true, ["BASELINE-2", "TEAM-1-DAY-2-TEST-3"])
    assert score["f1"].tolist() == [2 / 3, 1]
    told = {row[1]: row[2] for row in problems(cases)}
    assert told["an entry told several times"] == "the last counts"
    assert told["text that is no entry"] == "set aside" and told["an unknown product"] == "kept"
    assert average_f1(cases.cases).value == pytest.approx(0.6)
    assert average_f1(cases.cases, repeats=True).value == pytest.approx(0.45)
    with pytest.raises(ValueError, match=r"no case of kind 'team' has an f1; there are BASELINE, TEAM, other"):
        average_f1(cases.cases, "team")


def test_files_that_are_none_are_refused(write, tmp_path):
    write([("A", [event()])])
    folder = tmp_path / "set"
    (folder / "results.md").write_text("\n\n=== Receive feedbacks for a ===\n{'name': __import__('os')}\n")
    with pytest.raises(DataError, match=r"results\.md, line 3: no answer with f1_score, name and receipts"):
        read_checkouts(folder)
    (folder / "ground_truth.json").write_text(json.dumps({"lists": [{"dataset": "A"}]}))
    (folder / "results.md").write_text("")
    with pytest.raises(DataError, match=r"entry 1 of 'lists'.*dataset and events are needed"):
        read_checkouts(folder)
    with pytest.raises(DataError, match=r"case A, event 1: .*could not convert string to float: 'heavy'"):
        write([("A", [event(weight="heavy")])])
    with pytest.raises(DataError, match=r"case A, event 1: 'taken'"):
        (folder / "ground_truth.json").write_text(json.dumps({"lists": [{"dataset": "A", "events": ["taken"]}]}))
        read_checkouts(folder)
    (folder / "ground_truth.json").write_text("[]")
    with pytest.raises(DataError, match=r"ground_truth\.json: 'lists' is 'None'; a list is needed"):
        read_checkouts(folder)
    (folder / "results.md").unlink()
    with pytest.raises(DataError, match=r"results\.md: no readable text"):
        read_checkouts(folder)


def receipts(*rows):
    return pd.DataFrame(rows, columns=["case", "customer", "product", "quantity"])


@pytest.mark.parametrize(
    ("found", "true", "precision", "recall", "f1"),
    [
        ([("A", "1", "tea", 2)], [("A", "1", "tea", 2)], 1, 1, 1),
        ([("A", "2", "tea", 1)], [("A", "1", "tea", 1)], 0, 0, 0),  # the right product with the wrong customer
        ([("A", "1", "tea", 3)], [("A", "1", "tea", 1)], 1 / 3, 1, 1 / 2),  # each unit counts
        ([("A", "1", "tea", 1), ("A", "1", "tea", 1)], [("A", "1", "tea", 2)], 1, 1, 1),
        ([("A", 1, "tea", 1)], [("A", "1", "tea", 1)], 1, 1, 1),
        ([], [("A", "1", "tea", 2)], 1, 0, 0),
        ([("A", "1", "tea", 2)], [], 0, 1, 0),
        ([], [], 1, 1, 1),
    ],
)
def test_the_rule(found, true, precision, recall, f1):
    score = score_receipts(receipts(*found), receipts(*true), ["A"]).iloc[0]
    assert score[["precision", "recall", "f1"]].tolist() == pytest.approx([precision, recall, f1])


ROWS = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("12"), st.sampled_from("xyz"), st.integers(0, 3)), max_size=8
)


@given(ROWS, ROWS)
def test_the_rule_counts_units_like_bags(found, true):
    """The same as intersecting bags of (customer, product), unit by unit."""
    score = score_receipts(receipts(*found), receipts(*true), "AB").set_index("case")
    for case in "AB":
        bags = [
            [(who, what) for at, who, what, many in rows for _ in range(many) if at == case] for rows in (found, true)
        ]
        left = list(bags[1])
        right = sum(one in left and not left.remove(one) for one in bags[0])
        assert score.loc[case, ["right", "found", "bought"]].tolist() == [right, *map(len, bags)]
        assert score.loc[case, "f1"] == (2 * right / sum(map(len, bags)) if any(bags) else 1)
    again = score_receipts(receipts(*true), receipts(*found), "AB").set_index("case")
    pd.testing.assert_series_equal(again["precision"], score["recall"], check_names=False)


@pytest.mark.parametrize("quantity", [-1, 0.5, "two", None])
def test_quantities_are_whole(quantity):
    with pytest.raises(ValueError, match=r"found: quantity is .* for product 'tea' of case 'A'; a whole number"):
        score_receipts(receipts(("A", "1", "tea", quantity)), receipts())
    with pytest.raises(ValueError, match=r"true has no column quantity"):
        score_receipts(receipts(), receipts().drop(columns="quantity"))


def test_the_card():
    known = card("autocheckout")
    assert known.kind == "receipts" and len(known.digest) == 64 and "RETAILKIT_DATA" in known.obtain


@pytest.fixture
def known_copy(nanostore):
    """The real cases where they are those of the card: another copy may hold others."""
    if nanostore.digest != card("autocheckout").digest:
        pytest.skip("this copy of autocheckout is not the one of its card")
    return nanostore


def test_the_rule_gives_the_winners_scores(nanostore):
    """Wherever the events tell what was bought, receipts scored by our rule get what the server told."""
    both = nanostore.cases[nanostore.cases["complete"] & nanostore.cases["f1"].notna()].set_index("case")
    score = score_receipts(nanostore.winner, nanostore.true, both.index).set_index("case")
    assert len(both)
    pd.testing.assert_series_equal(score["f1"], both["f1"])


def test_customers_count_in_the_winners_scores(known_copy):
    """Receipts of two customers, pooled, are right; apart, a third is not, and the server told it so."""
    pooled = [frame.assign(customer="all") for frame in (known_copy.winner, known_copy.true)]
    assert score_receipts(*pooled, ["BASELINE-10"])["f1"].tolist() == [1]
    assert known_copy.cases.set_index("case").loc["BASELINE-10", "f1"] == pytest.approx(2 / 3)
    assert (known_copy.cases["complete"] & known_copy.cases["f1"].notna()).sum() == 14


def test_the_average_is_the_servers_own(nanostore):
    told = nanostore.quarantine.query("problem == 'text that is no entry'")["told"].str.extract(r"Average.*: ([0-9.]+)")
    assert average_f1(nanostore.cases, repeats=True).value == pytest.approx(float(told[0].dropna().iloc[0]), abs=1e-6)


@pytest.mark.parametrize(("kind", "number", "f1"), [("BASELINE", 30, 0.844), ("TEAM", 27, 0.694)])
def test_the_winners_figures(known_copy, kind, number, f1):
    estimate = average_f1(known_copy.cases, kind)
    assert estimate.units == number and estimate.value == pytest.approx(f1, abs=5e-4)
    assert estimate.low < f1 - 0.05 and estimate.high > f1 + 0.05


def test_real_cases_hang_together(nanostore):
    events, plan = nanostore.events, nanostore.plan
    assert len(plan.plates) == 306 and (plan.cameras.groupby("depth").size() == [17, 5]).all()
    assert set(events["product"]) <= set(nanostore.products["product"])
    assert events.groupby("case")["time"].min().dropna().eq(0).all() and events["time"].max() < 600
    asked = nanostore.quarantine.query("outcome == 'set aside' and event > 0")
    assert not set(zip(asked["case"], asked["event"], strict=True)) & set(
        zip(events["case"], events["event"], strict=True)
    )
    spots = events.explode("plates").merge(plan.plates, "left", left_on=["gondola", "shelf", "plates"],
                                           right_on=["gondola", "shelf", "plate"])  # fmt: skip
    middle = spots.groupby(["case", "event", "product"], sort=False)[["x_y", "y_y", "z_y"]].mean()
    np.testing.assert_allclose(middle, events.set_index(["case", "event", "product"])[["x", "y", "z"]], atol=1e-4)
    depth = plan.cameras[plan.cameras["depth"]].sort_values("x").iloc[-1]
    turned = plan.plates[plan.plates["gondola"] == 5]
    assert abs(depth["x"] - turned["x"].mean() + 0.2) < 0.05, "the camera over gondola 5 hangs above its front"
    assert turned["y"].min() < depth["y"] < turned["y"].max()
