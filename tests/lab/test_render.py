"""A page says what the notebook found, runs nothing, fetches nothing, and shows untrusted text as text."""

import json
import re

import bs4
import pytest
from executed_notebooks import ANSWER, answer, code, failed, figure, passport, picture, printed, save, shown, study
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_markdown_cell, new_notebook

from retailkit.lab import cells, provenance, records, render, runs, safe
from retailkit.lab.template import day, emphasised, length

PIECES = [
    *["<", ">", "</", "script", "img src=x onerror=a()", '"', "'", " ", "=", "x", "&lt;", "<!--", "-->", "]]>"],
    *["<svg/onload=a()>", "<math>", "<style>", "<noscript>", "<table>", "<td>", "<title>", "<a href='jAvascript:a()'>"],
]  # of which attacks are made


@pytest.fixture(autouse=True)
def _project(house):
    """No test looks into the project's own runs."""


def soup_of(notebook):
    return bs4.BeautifulSoup(render.page(notebook, provenance._from_notebook(notebook)), "html.parser")


def fetched(soup) -> list[str]:
    """Every address that a browser would ask for by itself."""
    found = [tag.get(name) for tag in soup.find_all(True) for name in ("src", "srcset", "data", "poster", "background")]
    found += [tag.get("href") for tag in soup.find_all(True) if tag.name != "a"]
    found += re.findall(r"url\(([^)]*)\)|@import (\S+)", "".join(tag.get_text() for tag in soup.find_all("style")))
    return [str(address) for address in found if address and not str(address).startswith("data:image/")]


class TestPage:
    def test_it_is_one_document_with_one_first_heading(self):
        soup = soup_of(study())
        assert soup.html["lang"] == "en"
        assert [heading.get_text() for heading in soup.find_all("h1")] == ["Where does it miss?"]
        assert soup.title.get_text() == "Where does it miss?"
        assert "A second big heading" in [heading.get_text() for heading in soup.find_all("h2")]

    def test_without_a_heading_the_file_names_it(self, tmp_path):
        path = save(new_notebook(cells=[new_markdown_cell("No heading. `# not one`")]), tmp_path / "10-shelves.ipynb")
        soup = bs4.BeautifulSoup(render.page(path), "html.parser")
        assert [heading.get_text() for heading in soup.find_all("h1")] == ["10-shelves"]
        assert "has not been run yet" in soup.get_text()

    def test_nothing_is_fetched_and_nothing_runs(self):
        soup = soup_of(
            study(
                new_markdown_cell("![far](https://example.org/far.png) <img src='//example.org/a.png' onerror='x()'>"),
                code("x", shown({"text/html": "<script src='https://example.org/a.js'>evil()</script><b>kept</b>"})),
                code("x", shown({"application/javascript": "evil()", "text/plain": "<Javascript>"})),
                code("x", shown({"text/html": "<iframe src='https://example.org'></iframe><p onclick='evil()'>p</p>"})),
                code("x", shown({"text/html": "<style>@import 'https://example.org/a.css'</style>"})),
                code("x", shown({"text/html": "<div style=\"background:url('https://example.org/b')\">d</div>"})),
                code("x", shown({"image/svg+xml": "<svg><script>evil()</script></svg>", "text/plain": "A drawing."})),
            )
        )
        assert fetched(soup) == []
        assert not soup.find_all(["script", "iframe", "link", "object", "embed", "svg"])
        assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
        assert "evil" not in soup.get_text() and soup.find("b", string="kept")
        assert "picture not embedded: far" in soup.get_text()

    def test_its_own_policy_forbids_requests_and_scripts(self):
        policy = soup_of(study()).find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
        assert policy.startswith("default-src 'none'; img-src data:;")

    def test_links_stay_links(self):
        soup = soup_of(study(new_markdown_cell("[paper](https://example.org/p) [bad](javascript:evil())")))
        links = {link.get_text(): link.get("href") for link in soup.find_all("a")}
        assert links["paper"] == "https://example.org/p"
        assert not str(links.get("bad", "")).startswith("javascript")

    def test_every_picture_keeps_its_sentence(self):
        soup = soup_of(
            study(code("x", shown({"image/png": picture(), "text/plain": "<Figure size 640x480>"})),
                  code("x", shown({"text/html": f"<img src='data:image/png;base64,{picture()}'>"})))
        )  # fmt: skip
        said = [image.get("alt") for image in soup.find_all("img")]
        assert all(said)
        assert "Six photographs with 12 boxes." in said
        assert "A picture without a description, from cell 5" in said

    def test_code_is_folded_away(self):
        folded = soup_of(study()).find_all("details", class_="code")
        assert [details.summary.get_text() for details in folded] == ["Show the code"] * 3
        assert not any(details.has_attr("open") for details in folded)

    def test_untrusted_text_is_text(self):
        attack = "<script>alert(1)</script>"
        made = study(code("x", printed(f"{attack}\n")), code("x", shown({"text/plain": attack})))
        made.cells[2].source = f"# Parameters\nminutes = {attack!r}\n"
        made.cells[-1].outputs = [answer(f"{attack} 0.41 (95 % interval 0.36 to 0.46)")]
        soup = soup_of(made)
        assert not soup.find_all("script")
        assert soup.get_text().count(attack) >= 4

    def test_the_answer_opens_the_page_with_its_picture(self):
        section = soup_of(study()).find("section", class_="answer")
        assert ANSWER in section.get_text()
        assert section.find("strong").get_text() == "0.41"
        assert section.find("img")["alt"] == "Six photographs with 12 boxes."

    def test_parameters_are_a_table_of_what_was_run(self):
        table = soup_of(study()).find("table", class_="parameters")
        rows = [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
        assert rows[1] == ["minutes", "4.0 instead of 1.0", "training time"]
        assert rows[2] == ["api_key", "(redacted)", ""]

    def test_no_secret_is_on_the_page(self):
        assert "hunter2" not in str(soup_of(study()))

    def test_progress_bars_and_chatter_are_folded(self):
        bar = "".join(f"\r{done:3d}%|####| {done}/100 [00:01<00:02, 9.1it/s]" for done in range(0, 101, 10))
        soup = soup_of(study(code("train()", printed(bar, "stderr"), printed("\x1b[31mlibrary\x1b[0m\n", "stderr"))))
        folded = soup.find("details", class_="messages")
        assert folded.pre.get_text() == "100%|####| 100/100 [00:01<00:02, 9.1it/s]\nlibrary"
        assert soup.get_text().count("it/s") == 1 and "\x1b" not in str(soup)

    def test_what_was_printed_to_be_read_stays_in_sight(self):
        soup = soup_of(study(code("print(n)", printed("476 photographs\n"))))
        assert soup.find("pre", class_="output").get_text() == "476 photographs"
        assert not soup.find("details", class_="messages")

    def test_a_warning_for_readers_is_shown_and_one_for_programmers_folded(self):
        text = "/a.py:3: UserWarning: 7 photographs reached max_det\n  x\n/b.py:4: FutureWarning: old name\n  y\n"
        soup = soup_of(study(code("x", printed(text, "stderr"))))
        assert [p.get_text() for p in soup.find_all("p", class_="warning")] == ["Mind: 7 photographs reached max_det"]
        assert "old name" in soup.find("details", class_="messages").get_text()

    def test_a_failed_notebook_says_so_first(self):
        soup = soup_of(failed())
        section = soup.find("section", class_="failed")
        assert "This run failed in cell 5 and has no answer." in section.get_text()
        assert "ValueError: photo <b>7</b> is broken" in section.get_text()
        assert section.find("details").pre.get_text() == "ValueError: line 3"
        assert "An Exception was encountered" not in soup.get_text()
        assert not soup.find("section", class_="answer")

    def test_its_origin_stands_at_the_foot(self):
        foot = " ".join(soup_of(study(run_id="ab" * 16)).footer.get_text(" ", strip=True).split())
        for fact in ("ab" * 16, "shelf-detector", "0123456789", "not committed", "Seed 8", "minutes = 4.0", "pandas"):
            assert fact in foot

    def test_a_table_of_contents_where_there_are_parts(self):
        soup = soup_of(study(*(new_markdown_cell(f"## Part {name}") for name in "abc")))
        targets = [link["href"][1:] for link in soup.nav.find_all("a")]
        assert [soup.find(id=target).get_text() for target in targets][-3:] == ["Part a", "Part b", "Part c"]

    @pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"cells": 3}', "\x00binary"])
    def test_what_is_no_notebook_is_refused_in_words(self, tmp_path, content):
        path = tmp_path / "x.ipynb"
        path.write_text(content)
        with pytest.raises(ValueError, match=r"x\.ipynb is no Jupyter notebook"):
            render.page(path)


class TestSafe:
    def test_tables_scroll_and_numbers_stand_right(self):
        import pandas as pd

        frame = pd.DataFrame({"class": ["empty", "full"], "count": [2410, -3.5]})
        soup = bs4.BeautifulSoup(safe.safe_html(frame.to_html()), "html.parser")
        assert soup.table.parent["class"] == ["scroll"] and soup.table.parent["tabindex"] == "0"
        assert {cell.get_text() for cell in soup.find_all("td", class_="number")} == {"2410.0", "-3.5"}
        assert {head.get_text() for head in soup.thead.find_all("th", class_="number")} >= {"count"}

    def test_a_quarantine_table_is_marked(self):
        html = "<table><thead><tr><th>file</th><th>problem</th></tr></thead><tbody><tr><td>a</td></tr></tbody></table>"
        soup = bs4.BeautifulSoup(safe.safe_html(html), "html.parser")
        assert soup.table["class"] == ["quarantine"]
        assert soup.caption.get_text().startswith("Set aside")

    def test_a_caption_is_kept_and_names_the_region(self):
        soup = bs4.BeautifulSoup(safe.safe_html("<table><caption>Best first</caption></table>"), "html.parser")
        assert soup.div["aria-label"] == soup.caption.get_text() == "Best first"

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
    def test_whatever_comes_in_nothing_active_comes_out(self, html):
        soup = bs4.BeautifulSoup(safe.safe_html(html), "html.parser")
        assert not soup.find_all(safe.ACTIVE)
        for tag in soup.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on") or name == "style"]
            assert not str(tag.get("href", "")).strip().lower().startswith("javascript")

    @pytest.mark.parametrize(
        ("text", "tidy"),
        [
            ("a\rb\rc", "c"),
            ("a\r", "a"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("up\x1b[A\n\ndown", "up\n\ndown"),
            ("bell\x07 nul\x00", "bell nul"),
            ("tab\tstays", "tab\tstays"),
        ],
    )
    def test_tidy_text_is_what_a_terminal_shows_in_the_end(self, text, tidy):
        assert safe.tidy_text(text) == tidy

    @pytest.mark.parametrize(
        ("name", "hidden"), [("api_key", True), ("Password", True), ("hf_token", True), ("minutes", False)]
    )
    def test_names_that_say_secret_are_redacted(self, name, hidden):
        assert (safe.redact(name, "'abc'") == "(redacted)") == hidden


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (ANSWER, "0.41"),
        ("It saves -3.2 (90 % interval -4.0 to -1.0) hours.", "-3.2"),
        ("Found: 41 % (95 % interval 36 % to 46 %).", "41 %"),
    ],
)
def test_the_figure_of_an_answer_stands_out(sentence, figure):
    soup = bs4.BeautifulSoup(str(emphasised(sentence)), "html.parser")
    assert soup.strong.get_text() == figure and soup.get_text() == sentence


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0.5, "30 seconds"), (4.02, "4 minutes"), (130, "2 hours 10 minutes"), (60, "1 hour 0 minutes"), (None, "")],
)
def test_lengths_in_words(minutes, words):
    assert length(minutes) == words
    assert day(None) == ""


def test_the_digest_is_of_what_the_author_wrote():
    first, second = study(), study(run_id="1" * 32)
    second.cells[2].source = "# Parameters\nminutes = 9.0\n"
    assert provenance.digest(first) == provenance.digest(second)
    second.cells[3].source += "  # changed"
    assert provenance.digest(first) != provenance.digest(second)


class TestCover:
    def test_the_last_picture_before_the_answer(self):
        made = study(code("x", figure("Second.")))
        made.cells.append(code("x", figure("An afterthought.")))
        assert render.cover(made)[1] == "Second."

    def test_a_cell_may_be_tagged_for_it(self):
        assert (
            render.cover(study(code("x", figure("Chosen."), tags=("cover",)), code("x", figure("Later."))))[1]
            == "Chosen."
        )

    def test_it_is_small(self):
        import io

        from PIL import Image

        assert Image.open(io.BytesIO(render.cover(study())[0])).size == (760, 338)

    def test_without_pictures_there_is_none(self):
        assert render.cover(new_notebook(cells=[code("1 + 1", shown({"text/plain": "2"}))])) is None


class TestAttach:
    def test_notebook_and_page_are_kept_with_the_run_inside(self, house, tmp_path):
        run = runs.start_run("shelf-detector", seed=8, minutes=4.0)
        run.answer(ANSWER)
        path = save(study(run_id=run.id), tmp_path / "out.ipynb")
        assert render.attach(path) == run.id
        assert json.loads(records.artifact_path(run.id, "notebook/out.ipynb").read_text())["cells"]
        page = records.artifact_path(run.id, "page/out.html").read_text()
        assert "finished" in page and "could not be reached" not in page
        assert records.artifact_path(run.id, "page/cover.txt").read_text() == "Six photographs with 12 boxes."

    def test_a_notebook_without_a_run_is_refused_in_words(self, house, tmp_path):
        path = save(new_notebook(cells=[code("1 + 1")]), tmp_path / "plain.ipynb")
        with pytest.raises(ValueError, match=r"plain\.ipynb names no run: execute all of it first"):
            render.attach(path)

    def test_the_last_run_in_a_notebook_counts(self):
        made = study(code("again", passport("f" * 32)))
        assert provenance.passport(made)["run_id"] == "f" * 32

    def test_a_page_of_another_machines_run_is_made_from_the_notebook(self, house, tmp_path):
        soup = bs4.BeautifulSoup(render.page(save(study(), tmp_path / "o.ipynb")), "html.parser")
        assert "could not be reached" in soup.footer.get_text()
        assert ANSWER in soup.find("section", class_="answer").get_text()


class TestGallery:
    def test_a_fresh_project_says_how_to_begin(self, house):
        text = render.gallery().read_text()
        assert "retailkit study" in text and "<article" not in text
        assert not (house / "mlruns" / "mlflow.db").exists(), "looking makes no database"

    def test_one_card_for_each_question_newest_first(self, house, tmp_path):
        ids = []
        for minutes, sentence in ((4.0, "old"), (9.0, "other"), (4.0, "new")):
            run = runs.start_run("shelf-detector", minutes=minutes, api_key="hunter2")
            run.answer(f"{sentence}: 0.41 (95 % interval 0.36 to 0.46) <b>")
            render.attach(save(study(run_id=run.id), tmp_path / "out.ipynb"))
            ids.append(run.id)
        broken = runs.start_run("broken-study")
        broken._end("FAILED")
        render.attach(save(_with_run(failed(), broken.id), tmp_path / "broken.ipynb"))
        soup = bs4.BeautifulSoup(render.gallery().read_text(), "html.parser")
        articles = soup.find_all("article")
        assert len(articles) == 3 and len(soup.find_all("h1")) == 1
        assert "ValueError: photo <b>7</b> is broken" in articles[0].get_text() and articles[0]["class"] == ["bad"]
        assert articles[1].find("p", class_="sentence").get_text().startswith("new: 0.41")
        assert "1 earlier run with the same parameters" in articles[1].details.get_text()
        assert "old: 0.41" in articles[1].details.get_text()
        assert all(image["alt"] == "Six photographs with 12 boxes." for image in soup.find_all("img"))
        assert all((house / "gallery" / link["href"]).is_file() for link in soup.find_all("a"))
        assert "hunter2" not in str(soup)
        assert all(name.startswith("covers/") and (house / "gallery" / name).is_file() for name in fetched(soup))
        assert not list((house / "gallery").rglob("*.part"))

    def test_a_run_without_a_page_is_shown_without_a_link(self, house):
        runs.start_run("bare").answer(ANSWER)
        article = bs4.BeautifulSoup(render.gallery().read_text(), "html.parser").article
        assert ANSWER in article.get_text() and not article.find("a")
        assert "No page yet" in article.get_text()


def _with_run(notebook, run_id):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if cells.RUN_MIME in output.get("data", {}):
                output.data[cells.RUN_MIME]["run_id"] = run_id
    return notebook
