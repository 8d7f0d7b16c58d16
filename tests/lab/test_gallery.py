"""The gallery: what is searched and sorted, what is no longer today's, what is sent."""

import zipfile

import bs4
import pytest
from notebook_files import tiny

from retailkit.lab import gallery, sweep, tracking
from retailkit.lab.project import ProjectError
from retailkit.lab.records import artifact_path, read_runs


def test_a_card_carries_what_it_is_searched_and_sorted_by(swept):
    soup = bs4.BeautifulSoup(gallery.gallery().read_text(), "html.parser")
    cards = soup.find_all("article")
    assert len(cards) == 4, "the sweep's own run has no card"
    assert {card["data-notebook"] for card in cards} == {"10-tiny"} and {card["data-state"] for card in cards} == {
        "today"
    }
    assert {card["data-run"] for card in cards} == set(read_runs()["run_id"])
    assert all("seed" in card.get_text() and "95 % interval" in card.get_text() for card in cards)
    assert soup.find(id="tools").has_attr("hidden"), "without a script there is nothing to search with"


def test_the_script_is_the_only_one_that_may_run(swept):
    soup = bs4.BeautifulSoup(gallery.gallery().read_text(), "html.parser")
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy and "unsafe-inline' script" not in policy
    assert len(soup.find_all("script")) == 1 and not soup.find("script").has_attr("src")


def test_all_is_today_at_first(swept):
    assert not len(gallery.check())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("notebook", "10-tiny.ipynb has changed"),
        ("pins", "constraints.txt has changed"),
        ("page", "the page is broken off: render it again"),
        ("no page", "the run keeps no page"),
    ],
)
def test_what_is_no_longer_todays_is_named(swept, change, problem):
    run_id = read_runs()["run_id"].iloc[0]
    page = artifact_path(run_id, "page/10-tiny.html")
    if change == "notebook":
        tiny(swept / "notebooks", "2 + 2")
    elif change == "pins":
        (swept / "constraints.txt").write_text("pandas==4\n")
    elif change == "page":
        page.write_text(page.read_text()[:3000])
    else:
        page.unlink()
    found = gallery.check()
    assert set(found["problem"]) == {problem}
    assert run_id in set(found["run_id"]) and len(found) == (4 if change in ("notebook", "pins") else 1)
    assert gallery.gallery().is_file(), "a broken page does not break the gallery"


@pytest.mark.usefixtures("shared_parent")
@pytest.mark.parametrize("problem", ["far.ipynb has changed", "far.ipynb (it is gone) has changed"])
def test_a_notebook_that_lies_elsewhere_is_looked_at_there(ready_house, tmp_path_factory, problem):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = tiny(elsewhere, name="far.ipynb")
    tiny(ready_house / "notebooks", "2 + 2", name="far.ipynb")  # a namesake, which is not meant
    sweep.sweep(path, {"seed": [0]}, progress=False, workers=1)
    assert gallery.check().empty
    path.unlink() if "gone" in problem else tiny(elsewhere, "2 + 2", name="far.ipynb")
    assert gallery.check()["problem"].tolist() == [problem]


def test_a_stale_card_says_what_changed(swept):
    (swept / "constraints.txt").write_text("pandas==4\n")
    card = bs4.BeautifulSoup(gallery.gallery().read_text(), "html.parser").article
    assert card["data-state"] == "changed" and "Changed since: constraints.txt" in card.get_text()


def test_the_command_fails_where_something_changed(swept, capsys):
    from retailkit.__main__ import main

    assert main(["gallery", "--check"]) == 0
    (swept / "constraints.txt").write_text("pandas==4\n")
    assert main(["gallery", "--check"]) == 1
    printed = capsys.readouterr()
    assert "pages/10-tiny-" in printed.err and "constraints.txt has changed" in printed.err
    assert "4 pages are no longer today's" in printed.out


def test_the_zip_holds_what_the_index_shows_and_no_more(swept, tmp_path):
    (swept / "gallery" / "pages").mkdir(parents=True, exist_ok=True)
    (swept / "gallery" / "pages" / "left-over.html").write_text("of an earlier time")
    with zipfile.ZipFile(gallery.pack(tmp_path / "all.zip")) as archive:
        names = archive.namelist()
        index = bs4.BeautifulSoup(archive.read("gallery/index.html"), "html.parser")
    linked = {f"gallery/{link['href']}" for link in index.find_all("a")}
    assert linked <= set(names) and "gallery/pages/left-over.html" not in names
    with pytest.raises(ProjectError, match="create it first"):
        gallery.pack(tmp_path / "none" / "all.zip")


def test_one_page_is_one_file(swept, tmp_path, capsys):
    from retailkit.__main__ import main

    run_id = read_runs()["run_id"].iloc[0]
    assert main(["render", run_id, "-o", str(tmp_path / "for-ada.html")]) == 0
    assert "How tiny is tiny?" in (tmp_path / "for-ada.html").read_text()
    assert main(["render", "no-such-run"]) == 2
    assert "There is no run 'no-such-run'" in capsys.readouterr().err


@pytest.mark.parametrize("late", [-1000, 1000])
@pytest.mark.parametrize("recorded", [(), ("seed",), ("seed", "size")])
def test_an_attempt_that_was_killed_lies_beneath_one_that_finished(swept, recorded, late):
    client = tracking.open_database()
    made = client.get_run(read_runs()["run_id"].iloc[0])
    kept = ("study", "notebook", "attempt", "mlflow.parentRunId")
    lost = client.create_run(
        made.info.experiment_id,
        start_time=made.info.start_time + late,
        tags={name: made.data.tags[name] for name in kept},
    )
    for name in recorded:
        client.log_param(lost.info.run_id, name, made.data.params[name])
    client.set_terminated(lost.info.run_id, "KILLED")
    cards = bs4.BeautifulSoup(gallery.gallery().read_text(), "html.parser").find_all("article")
    assert len(cards) == 4 and made.info.run_id in {card["data-run"] for card in cards}


def test_a_run_whose_process_was_killed_is_settled(swept):
    client = tracking.open_database()
    run_id = read_runs()["run_id"].iloc[0]
    client.update_run(run_id, status="RUNNING")
    client.set_tag(run_id, "process", "nowhere-else 1 1.0")
    gallery.gallery()
    assert client.get_run(run_id).info.status == "RUNNING", "a process of another host may live"
    import socket

    client.set_tag(run_id, "process", f"{socket.gethostname()} 4194303 1.0")
    gallery.gallery()
    assert client.get_run(run_id).info.status == "KILLED"
