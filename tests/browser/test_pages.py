"""A page and the gallery, opened in a browser from the file system: they ask for nothing else."""

import pytest
from executed_notebooks import ANSWER, code, figure, printed, save, shown, study

from retailkit.lab import render, runs

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def index(shared_house):
    """A gallery of one run, made once for all tests here."""
    run = runs.start_run("shelf-detector", minutes=4.0)
    run.answer(ANSWER)
    wide = "<table><tr>" + "".join(f"<td>column_{number}</td>" for number in range(40)) + "</tr></table>"
    made = study(
        code("x", figure("A second figure.", "red")),
        code("x", printed("long " * 200)),
        code("x", shown({"text/html": wide})),
        run_id=run.id,
    )
    render.attach(save(made, shared_house / "out.ipynb"))
    return render.gallery()


@pytest.fixture
def opened(browser, index):
    """Open the gallery's index or the page behind its first card; return the tab and what it asked for."""
    tabs = []

    def _open(what: str, width: int = 1200, **options):
        tab = browser.new_page(viewport={"width": width, "height": 800}, **options)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: asked.append(f"console: {message.text}"))
        tab.goto(index.as_uri())
        if what == "page":
            tab.click("article a")
        tab.wait_for_load_state("networkidle")
        tabs.append(tab)
        return tab, asked

    yield _open
    for tab in tabs:
        tab.close()


@pytest.mark.parametrize("what", ["gallery", "page"])
def test_nothing_outside_its_folder_is_asked_for(opened, index, what):
    tab, asked = opened(what)
    assert asked and [url for url in asked if not url.startswith((index.parent.as_uri(), "data:image/"))] == []
    assert ANSWER in tab.inner_text("body")


@pytest.mark.parametrize("what", ["gallery", "page"])
def test_every_picture_is_drawn(opened, what):
    tab, _ = opened(what)
    widths = tab.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert widths and all(widths)


@pytest.mark.parametrize("what", ["gallery", "page"])
def test_a_phone_never_scrolls_sideways(opened, what):
    tab, _ = opened(what, width=360)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_screens_get_dark_paper_and_white_figures(opened):
    tab, _ = opened("page", color_scheme="dark")
    paint = "element => getComputedStyle(element).backgroundColor"
    assert tab.eval_on_selector("body", paint) == "rgb(20, 24, 28)"
    assert tab.eval_on_selector("figure img", paint) == "rgb(255, 255, 255)"


def test_print_leaves_the_code_out_and_is_never_dark(opened):
    tab, _ = opened("page", color_scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert not tab.is_visible("details.code")
    assert tab.eval_on_selector("body", "element => getComputedStyle(element).backgroundColor") == "rgb(255, 255, 255)"


def test_the_code_opens_without_a_script(opened):
    tab, _ = opened("page")
    assert not tab.is_visible("details.code pre")
    tab.click("details.code summary >> nth=0")
    assert tab.is_visible("details.code pre")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["gallery", "page"])
def test_axe_finds_no_serious_fault(opened, what, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab, _ = opened(what, color_scheme=scheme)
    found = Axe().run(tab).response["violations"]
    grave = [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")]
    assert grave == []
