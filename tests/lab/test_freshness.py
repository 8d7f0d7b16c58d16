"""What a run stands on: every change is found, and named; nothing else counts."""

import hashlib
import sys

import pytest

from retailkit.lab import freshness, records, runs


@pytest.fixture
def data(house, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("data")
    (folder / "shelves" / "images").mkdir(parents=True)
    (folder / "shelves" / "images" / "a.jpg").write_bytes(b"first")
    monkeypatch.setenv("RETAILKIT_DATA", str(folder))
    return folder / "shelves"


def test_nothing_has_changed_right_after(data):
    then = freshness.from_text(freshness.to_text(freshness.stands_on({"data": "shelves", "seed": 3})))
    assert set(then["data"]) == {"shelves"} and then["modules"]["retailkit.lab.freshness"]
    assert freshness.changed(then) == []


@pytest.mark.parametrize("change", ["content", "new file", "renamed", "gone"])
def test_data_that_changed_is_named(data, change):
    then = freshness.stands_on({"data": "shelves"})
    photo = data / "images" / "a.jpg"
    if change == "content":
        photo.write_bytes(b"second")
    elif change == "new file":
        (data / "images" / "b.jpg").write_bytes(b"more")
    elif change == "renamed":
        photo.rename(photo.with_name("c.jpg"))
    else:
        data.rename(data.with_name("elsewhere"))
    assert freshness.changed(then) == ["data shelves"]


def test_caches_and_hidden_files_do_not_count(data):
    then = freshness.stands_on({"data": "shelves"})
    (data / "labels.cache").write_text("x")
    (data / ".DS_Store").write_text("x")
    assert freshness.changed(then) == []


def test_data_that_moved_is_found_by_its_name(data, tmp_path_factory, monkeypatch):
    then = freshness.stands_on({"data": "shelves"})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    data.rename(elsewhere / "shelves")
    monkeypatch.setenv("RETAILKIT_DATA", str(elsewhere))
    assert freshness.changed(then) == []


def test_data_counts_where_its_name_leads_today(data, tmp_path_factory, monkeypatch):
    then = freshness.stands_on({"data": "shelves"})
    newer = tmp_path_factory.mktemp("newer")
    (newer / "shelves").mkdir()
    (newer / "shelves" / "a.jpg").write_bytes(b"of this year")
    monkeypatch.setenv("RETAILKIT_DATA", str(newer))
    assert data.is_dir() and freshness.changed(then) == ["data shelves"]


def test_data_in_lists_counts_too(data):
    assert set(freshness.stands_on({"sets": ["shelves", "north"], "more": {"of": "shelves"}})["data"]) == {"shelves"}


@pytest.mark.parametrize("change", ["data", "pins", "module"])
def test_what_changes_while_a_run_goes_on_is_never_as_it_was(data, ready_house, change, monkeypatch):
    run = runs.start_run("shelf", data="shelves")
    if change == "data":
        (data / "images" / "a.jpg").write_bytes(b"second")
    elif change == "pins":
        (ready_house / "constraints.txt").write_text("pandas==4\n")
    else:
        run._began["modules"]["retailkit.lab.runs"] = "as it was at the start"
    run.answer("It is 0.41 (95 % interval 0.36 to 0.46).")
    then = freshness.from_text(records._run(_client(), run.id).data.tags[freshness.TAG])
    named = {"data": "data shelves", "pins": "constraints.txt", "module": "retailkit.lab.runs"}
    assert freshness.changed(then) == [named[change]]


def test_a_changed_module_and_changed_pins_are_named(house, tmp_path, monkeypatch):
    (house / "constraints.txt").write_text("pandas==3.0.0\n")
    then = freshness.stands_on(modules=["retailkit.lab.charts", "retailkit.lab.runs", "retailkit"])
    (house / "constraints.txt").write_text("pandas==3.0.1\n")
    then["modules"]["retailkit.lab.charts"] = "0" * 16
    then["modules"]["retailkit.lab.gone"] = "0" * 16
    assert freshness.changed(then) == ["retailkit.lab.charts", "retailkit.lab.gone", "constraints.txt"]


def test_every_module_of_the_package_has_a_digest():
    assert all(freshness.module_digest(name) for name in freshness.every_module())
    assert "retailkit.lab.freshness" in freshness.every_module() and "retailkit" not in sys.modules["json"].__name__


def test_a_file_named_by_a_parameter_is_data(house, tmp_path):
    table = tmp_path / "stores.csv"
    table.write_text("store\n1\n")
    then = freshness.stands_on({"stores": str(table), "name": "north", "empty": ""})
    assert list(then["data"]) == [str(table)]
    table.write_text("store\n2\n")
    assert freshness.changed(then) == [f"data {table}"]


def test_what_was_not_recorded_never_stands():
    assert freshness.changed(freshness.from_text("")) == ["what it stood on is not recorded"]
    assert freshness.changed(freshness.from_text(freshness.to_text({"modules": {"m" * 9000: "x"}}))) != []


def test_the_runs_that_were_read_count_by_their_ids(ready_house):
    runs.start_run("first").answer("It is 0.41 (95 % interval 0.36 to 0.46).")
    reader = runs.start_run("reader")
    records.read_runs("first")
    reader.finish()
    then = freshness.from_text(records._run(_client(), reader.id).data.tags[freshness.TAG])
    assert freshness.changed(then, records.reads_today({"first"}, "")) == []
    runs.start_run("first", seed=2).answer("It is 0.42 (95 % interval 0.36 to 0.46).")
    assert freshness.changed(then, records.reads_today({"first"}, "")) == ["the runs of first that it read"]


def _client():
    from retailkit.lab import tracking

    return tracking.open_database()


def test_the_key_is_of_notebook_and_values_whatever_their_order():
    assert freshness.key("d", {"a": 1, "b": 2.0}) == freshness.key("d", {"b": 2.0, "a": 1})
    assert len({freshness.key(d, {"a": v}) for d in "de" for v in (1, 1.0, True, "1", None)}) == 10


def test_an_input_of_a_run_is_data(data, ready_house):
    class Photos:
        name, digest, source, folder = "shelves", "0" * 64, "somewhere", data

        def profile(self):
            return {"photos": 1}

    run = runs.start_run("shelf")
    run.input(Photos())
    run.finish()
    then = freshness.from_text(records._run(_client(), run.id).data.tags[freshness.TAG])
    (data / "images" / "a.jpg").write_bytes(b"second")
    assert freshness.changed(then) == ["data shelves"]


@pytest.mark.parametrize(("modules", "kept"), [(3, True), (300, True), (2000, False)])
def test_facts_of_many_modules_are_packed_into_a_tag(modules, kept):
    """A process that has imported all of the package stands on some two hundred modules."""
    digests = {
        f"retailkit.wing.room{number}": hashlib.sha256(str(number).encode()).hexdigest()[:16]
        for number in range(modules)
    }
    facts = {"modules": digests, "data": {}, "reads": {}, "constraints": "abc"}
    text = freshness.to_text(facts)
    assert (len(text) <= 8000 and freshness.to_text(freshness.from_text(text)) == text) or not kept
    assert (freshness.from_text(text) == facts) == kept
    assert freshness.from_text('{"packed": "no"}') == {"unknown": True}
