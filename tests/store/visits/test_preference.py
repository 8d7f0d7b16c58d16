"""Preferences: the known answer on real choices, a likelihood written anew, and choices whose reasons are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from retailkit.datasets.choices import read_choices
from retailkit.lab.intervals import Estimate, coverage
from retailkit.simulate.visits import simulate_store_day
from retailkit.store.visits.attention import find_funnel
from retailkit.store.visits.choice_sets import find_choices
from retailkit.store.visits.preference import fit_preference

TASTE = {"price": -0.8, "light": 0.5, "brand rye": 0.7, "brand soy": -0.4}


def shop(rng: np.random.Generator, situations: int, homes: int = 0, spread: float = 0.0) -> pd.DataFrame:
    """Make choices between two to five loaves each; homes differ by `spread` in what they make of a price."""
    size = rng.integers(2, 6, situations)
    rows = int(size.sum())
    situation = np.repeat(np.arange(situations), size)
    place = np.arange(rows) - np.repeat(np.cumsum(size) - size, size)
    frame = pd.DataFrame({"situation": situation, "alternative": place, "price": rng.uniform(1, 6, rows)})
    frame["light"] = rng.integers(0, 2, rows)
    frame["brand"] = rng.choice(["oat", "rye", "soy"], rows)
    home = rng.integers(0, homes, situations) if homes else np.arange(situations)
    own = rng.normal(0, spread, home.max() + 1)[home][situation]
    utility = (TASTE["price"] + own) * frame["price"] + TASTE["light"] * frame["light"]
    utility += frame["brand"].map({"oat": 0.0, "rye": TASTE["brand rye"], "soy": TASTE["brand soy"]})
    best = (utility + rng.gumbel(size=rows)).groupby(situation).idxmax()
    return frame.assign(home=home[situation], chosen=frame.index.isin(best).astype(int))


@pytest.fixture(scope="module")
def loaves():
    return shop(np.random.default_rng(1), 1500, homes=150)


@pytest.fixture(scope="module")
def fitted(loaves):
    return fit_preference(loaves, ["price", "light", "brand"], cluster="home")


def scipy_answer(frame: pd.DataFrame, attributes: list[str]) -> tuple[np.ndarray, float, np.ndarray]:
    """The same model by other means: rows instead of sets, and scipy's own way uphill."""
    table = pd.get_dummies(frame[attributes], drop_first=True, dtype=float).to_numpy(float)
    starts = np.flatnonzero(np.diff(frame["situation"], prepend=-1))
    taken = frame["chosen"].to_numpy() == 1

    def depth(beta):
        value = table @ beta
        return np.log(np.add.reduceat(np.exp(value), starts)).sum() - value[taken].sum()

    found = minimize(depth, np.zeros(table.shape[1]), method="BFGS", options={"gtol": 1e-6})
    step = 1e-3 * np.eye(len(found.x))
    corners = [[depth(found.x + s * a + t * b) * s * t for s in (-1, 1) for t in (-1, 1)] for a in step for b in step]
    curve = np.sum(corners, axis=1).reshape(step.shape) / (2 * 1e-3) ** 2
    return found.x, -found.fun, np.sqrt(np.diag(np.linalg.inv(curve)))


def test_the_known_answer_on_yogurt(real_data):
    choices = read_choices(real_data / "yogurt").choices
    preference = fit_preference(choices, ["price", "feat", "alternative"], cluster="household")
    assert preference.log_likelihood == pytest.approx(-2656.8878779, abs=5e-8)
    known = {"price": -0.36658, "feat": 0.4914, "hiland": -3.7156, "weight": -0.6412, "yoplait": 0.7346}
    assert preference.coefficients.round(5).to_dict() == pytest.approx(known, abs=5e-5)
    worth = preference.willingness_to_pay("price").set_index("attribute")["value"]
    assert worth.to_dict() == pytest.approx(
        {"feat": 1.3406, "hiland": -10.136, "weight": -1.749, "yoplait": 2.004}, abs=5e-4
    )
    alone = fit_preference(choices, ["price", "feat", "alternative"]).table().set_index("attribute")
    ratio = preference.table().set_index("attribute")["error"] / alone["error"]
    assert (ratio > 1.4).all(), "a household's choices are alike: taken for independent, they make errors too small"
    ahead = preference.baselines("price").set_index("model")
    assert ahead.loc["equal shares", "log_likelihood"] == pytest.approx(-2412 * np.log(4))
    assert (ahead.drop("all attributes")["low"] > 0).all()


def test_the_same_answer_as_a_likelihood_written_anew(loaves):
    preference = fit_preference(loaves, ["price", "light", "brand"])
    best, height, error = scipy_answer(loaves, ["price", "light", "brand"])
    np.testing.assert_allclose(preference.coefficients, best, atol=1e-4)
    assert preference.log_likelihood == pytest.approx(height, abs=1e-6)
    np.testing.assert_allclose(preference.table()["error"], error, rtol=0.15)  # robust, and not


def test_units_do_not_matter(loaves, fitted):
    cents = fit_preference(loaves.assign(price=loaves["price"] * 100), ["price", "light", "brand"], cluster="home")
    assert cents.log_likelihood == pytest.approx(fitted.log_likelihood, abs=1e-7)
    assert cents.coefficients["price"] * 100 == pytest.approx(fitted.coefficients["price"])
    assert cents.coefficients["light"] == pytest.approx(fitted.coefficients["light"])


def test_the_reasons_of_made_choices_are_found(fitted):
    table = fitted.table(truth=TASTE)
    assert table["truth"].notna().all()
    assert ((table["value"] - table["truth"]).abs() < 3 * table["error"]).all()
    assert fitted.estimate("price").units == 150 and fitted.estimate("price").unit_name == "homes"
    assert fitted.summary().startswith("1,500 choices of 150 homes: chosen more with light ")
    assert "less with price -0." in fitted.summary()


@pytest.mark.parametrize("method", ["krinsky-robb", "bootstrap"])
def test_three_ways_to_say_what_something_is_worth_agree(fitted, method):
    delta = fitted.willingness_to_pay("price").set_index("attribute")
    other = fitted.willingness_to_pay("price", method, repetitions=200).set_index("attribute")
    np.testing.assert_array_equal(delta["value"], other["value"])
    np.testing.assert_allclose(other["high"] - other["low"], delta["high"] - delta["low"], rtol=0.25)
    assert delta.loc["light", "low"] < 0.5 / 0.8 < delta.loc["light", "high"]


def test_without_a_price_that_puts_people_off_nothing_is_worth_money(loaves):
    dear = fit_preference(loaves.assign(price=-loaves["price"]), ["price", "light"])
    worth = dear.willingness_to_pay("price")
    assert worth["value"].notna().all() and worth[["low", "high"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="attribute is 'cost'; the coefficients are price, light"):
        dear.willingness_to_pay("cost")
    with pytest.raises(ValueError, match="method is 'guess'"):
        dear.willingness_to_pay("price", "guess")


def test_foretold_shares_are_those_seen_where_each_alternative_has_a_constant(loaves):
    frame = loaves.assign(alternative=loaves["alternative"].astype(str))
    shares = fit_preference(frame, ["price", "alternative"]).shares()
    np.testing.assert_allclose(shares["value"] * shares["offered"], shares["foretold"] * shares["offered"], atol=1e-4)
    assert (shares["low"] < shares["foretold"]).all() and (shares["foretold_high"] > shares["value"]).all()


def test_baselines_know_less_and_foretell_worse(fitted, loaves):
    rows = fitted.baselines("price").set_index("model")
    size = loaves.groupby("situation").size()
    assert rows.loc["equal shares", "log_likelihood"] == pytest.approx(-np.log(size).sum())
    alone = fit_preference(loaves, ["price"])
    assert rows.loc["price alone", "log_likelihood"] == pytest.approx(alone.log_likelihood)
    assert rows.loc["price alone", "ratio"] == pytest.approx(2 * (fitted.log_likelihood - alone.log_likelihood))
    assert rows.loc["price alone", "p"] < 1e-6 and rows["parameters"].tolist() == [0, 4, 1, 4]
    assert (rows.drop("all attributes")["low"] > 0).all()
    noise = loaves.assign(noise=np.random.default_rng(0).random(len(loaves)))
    useless = fit_preference(noise, ["noise"], cluster="home").baselines().set_index("model").loc["equal shares"]
    assert useless["low"] < 0.001 and useless["p"] > 0.001


def test_a_placebo_attribute_is_worth_nothing(fitted):
    dealt = [fitted.placebo("price", seed) for seed in range(5)]
    assert all(abs(one.value) < 0.15 for one in dealt) and sum(one.low <= 0 <= one.high for one in dealt) >= 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": 2.0}, "'price' is the same for all alternatives of every set"),
        ({"twice": lambda rows: 2 * rows["price"] + rows["situation"]}, "'price', 'twice' always go together"),
        ({"sure": lambda rows: rows["chosen"] + 0.1}, "'sure' foretell without fail"),
        ({"sure": lambda rows: (rows["chosen"] == 0) & (rows["alternative"] == 1)}, "'sure' foretell without fail"),
    ],
)
def test_what_no_choice_can_tell_is_refused(loaves, change, message):
    frame = loaves.assign(**change)
    frame = frame.assign(**{name: frame[name].astype(float) for name in change})
    with pytest.raises(ValueError, match=message):
        fit_preference(frame, list(dict.fromkeys(["price", *change])))


def mistake(rng: np.random.Generator, frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """Put some of the choices down to another alternative of their set."""
    luck = pd.Series(rng.random(len(frame)), index=frame.index).where(frame["chosen"] == 0, -1.0)
    other = luck.groupby(frame["situation"]).idxmax()
    wrong = rng.random(len(other)) < share
    now = np.where(wrong, other, frame.index[frame["chosen"] == 1])
    return frame.assign(chosen=frame.index.isin(now).astype(int))


def test_choices_put_down_to_others_make_attributes_look_weak_unless_heeded():
    rng = np.random.default_rng(5)
    frame = mistake(rng, shop(rng, 2500), 0.15)
    naive, heeded = (fit_preference(frame, ["price", "light", "brand"], mistaken=share) for share in (0.0, 0.15))
    assert abs(naive.coefficients["price"]) < 0.8 * abs(TASTE["price"])
    table = heeded.table(truth=TASTE)
    assert ((table["value"] - table["truth"]).abs() < 3 * table["error"]).all()
    assert heeded.log_likelihood > naive.log_likelihood
    with pytest.raises(ValueError, match=r"mistaken is 0\.6; a share"):
        fit_preference(frame, ["price"], mistaken=0.6)


def test_the_likelihood_with_mistakes_is_that_of_a_mixture(loaves):
    few = loaves[loaves["situation"] < 200]
    fitted = fit_preference(few, ["price", "light"], mistaken=0.1)
    value = np.exp(few[["price", "light"]].to_numpy() @ fitted.coefficients.to_numpy())
    rows = few.assign(chance=value / few.assign(value=value).groupby("situation")["value"].transform("sum"))
    seen = np.where(rows["chosen"] == 1, 0.9, 0.1 / (rows.groupby("situation")["chance"].transform("size") - 1))
    mixed = (rows["chance"] * seen).groupby(rows["situation"]).sum()
    assert fitted.log_likelihood == pytest.approx(np.log(mixed).sum())


def test_an_outside_option_has_a_constant():
    rng = np.random.default_rng(3)
    frame = shop(rng, 2000)
    keep = rng.random(2000) < 0.6
    left = frame.assign(chosen=frame["chosen"] * keep[frame["situation"]])
    outside = fit_preference(left, ["price", "light", "brand"], outside="none")
    assert "none" in outside.coefficients.index
    shares = outside.shares().set_index("alternative")
    assert shares.loc["none", "value"] == pytest.approx(1 - keep.mean())
    assert shares.loc["none", "foretold"] == pytest.approx(1 - keep.mean(), abs=1e-5)


def held(rounds: list[pd.DataFrame], truth: dict[str, float]) -> pd.DataFrame:
    """Bias and the share of intervals that hold the truth, for each attribute; printed for the record."""
    rows = []
    for name, true in truth.items():
        estimates = [Estimate(*table.set_index("attribute").loc[name, ["value", "low", "high"]]) for table in rounds]
        share, width = coverage(estimates, true)
        values = [one.value for one in estimates]
        error = np.std(values) / len(values) ** 0.5
        rows.append((name, true, np.mean(values) - true, error, share.value, width, len(values)))
    columns = ["attribute", "truth", "bias", "error", "coverage", "width", "repetitions"]
    table = pd.DataFrame(rows, columns=columns).set_index("attribute")
    print(table.round(4).to_string())
    return table


@pytest.mark.slow
@pytest.mark.parametrize("mistaken", [0.0, 0.1])
def test_made_preferences_are_recovered_500_times(mistaken):
    """400 choices each: unbiased but for what maximum likelihood adds in small samples (under 3 %), intervals hold."""
    rng = np.random.default_rng(0)
    made = [mistake(rng, shop(rng, 400), mistaken) for _ in range(500)]
    found = [fit_preference(one, ["price", "light", "brand"], mistaken=mistaken) for one in made]
    table = held([one.table() for one in found], TASTE)
    assert (table["bias"].abs() < 4 * table["error"] + 0.03 * table["truth"].abs()).all()
    assert table["coverage"].between(0.92, 0.98).all()
    worth = held([one.willingness_to_pay("price") for one in found], {"light": 0.5 / 0.8, "brand rye": 0.7 / 0.8})
    assert worth["coverage"].between(0.92, 0.98).all()


@pytest.fixture(scope="module")
def days():
    """Simulated days: every choice at a shelf, and the funnel from what visits came by and kept."""
    made = [simulate_store_day(shoppers=600, hours=12, seed=(21, number)) for number in range(4)]
    return made[0].plan.preference, made


@pytest.mark.slow
def test_the_simulated_preference_is_recovered_500_times(days):
    """Samples of 250 visits with all that they could choose at their stops, taking nothing included."""
    truth, made = days
    tables = [
        day.choices.assign(key=[f"{number}-{who}" for who in day.choices["visit"]]) for number, day in enumerate(made)
    ]
    for number, table in enumerate(tables):
        table["situation"] += 1_000_000 * number
    table = pd.concat(tables, ignore_index=True)
    rows, rng = table.groupby("key").indices, np.random.default_rng(0)
    names, rounds = np.array(list(rows)), []
    for _ in range(500):
        drawn = rng.permutation(names)[:250]
        sample = table.iloc[np.concatenate([rows[name] for name in drawn])]
        inside = sample[sample["cell"] != "none"].astype({"chosen": int})
        fitted = fit_preference(
            inside, ["price", "feature", "facing"], alternative="cell", cluster="visit", outside="none"
        )
        rounds.append(fitted.table())
    found = held(rounds, truth)
    assert (found["bias"].abs() < 4 * found["error"] + 0.03 * abs(pd.Series(truth))).all()
    assert found["coverage"].between(0.92, 0.98).all()


def test_the_simulated_preference_shows_in_what_was_kept():
    """From stays and hands alone: among those who kept something, what they came by and what they kept."""
    day = simulate_store_day(shoppers=500, hours=12, seed=3)
    staff = day.visitors.loc[day.visitors["kind"] == "staff", "visit"]
    funnel = find_funnel(day.zone_visits, day.hands, day.plan.cells, per="product", staff=staff)
    things = day.plan.cells[["product", "price", "feature", "facing"]]
    choices = find_choices(funnel, things)
    kept = choices[choices.groupby("situation")["chosen"].transform("sum") == 1]
    table = fit_preference(kept, ["price", "feature", "facing"], cluster="visit").table(truth=day.plan.preference)
    assert ((table["value"] - table["truth"]).abs() < 3 * table["error"]).all()
    assert (table.set_index("attribute").loc["price", "high"]) < 0
