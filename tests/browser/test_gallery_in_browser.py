"""The gallery of a large sweep in a browser: searched, filtered and sorted by keyboard, and quick with 400 entries."""

import time

import pytest

from retailkit.lab import gallery, runs

pytestmark = pytest.mark.browser
STUDIES = ("shelf-detector", "store-traffic")


@pytest.fixture(scope="module")
def index(shared_house):
    """A gallery of six runs."""
    for number in range(6):
        run = runs.start_run(STUDIES[number % 2], seed=number, city="Ulm" if number == 3 else "Bonn")
        run.answer(f"It is 0.{number}1 (95 % interval 0.01 to 0.99).") if number != 4 else run._end("FAILED")
    return gallery.gallery()


@pytest.fixture
def tab(browser, index):
    opened = browser.new_page(viewport={"width": 1200, "height": 800})
    opened.goto(index.as_uri())
    yield opened
    opened.close()


def shown(tab) -> list[str]:
    return tab.eval_on_selector_all(
        "article:not([hidden])", "cards => cards.map(card => card.querySelector('.settings').innerText)"
    )


def test_search_by_keyboard_alone(tab):
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "words"
    tab.keyboard.type("ulm shelf")
    assert shown(tab) == []
    assert tab.inner_text("#count") == "0 of 6 shown"
    for _ in "shelf":
        tab.keyboard.press("Backspace")
    assert len(shown(tab)) == 1 and "Ulm" in shown(tab)[0]


def test_filters_by_keyboard_alone(tab):
    tab.focus("#notebook")
    tab.keyboard.type("store")
    assert tab.input_value("#notebook") == "store-traffic" and len(shown(tab)) == 3
    tab.focus("#notebook")
    tab.keyboard.press("Home")
    tab.focus("#state")
    tab.keyboard.type("no answer")
    assert tab.input_value("#state") == "failed" and len(shown(tab)) == 1


def test_order(tab):
    newest = tab.eval_on_selector_all("article", "cards => cards.map(card => card.dataset.started)")
    tab.select_option("#order", "oldest")
    oldest = tab.eval_on_selector_all("article", "cards => cards.map(card => card.dataset.started)")
    assert oldest == sorted(newest, key=int) and newest == sorted(newest, key=int, reverse=True)


def test_400_entries_are_ready_within_two_seconds_and_searched_at_once(browser, index, tmp_path):
    card = index.read_text().partition("<article")[2].partition("</article>")[0]
    cards = "".join(f"<article{card}</article>".replace("city", f"city{number}") for number in range(400))
    before, _, rest = index.read_text().partition("<article")
    page = tmp_path / "index.html"
    page.write_text(before + cards + rest.rpartition("</article>")[2])
    tab = browser.new_page()
    started = time.monotonic()
    tab.goto(page.as_uri())
    tab.wait_for_function("document.getElementById('count').textContent === '400 shown'")
    assert time.monotonic() - started < 2
    tab.fill("#words", "city399")
    assert tab.inner_text("#count") == "1 of 400 shown"
    tab.close()
