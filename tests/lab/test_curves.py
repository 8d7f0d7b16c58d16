"""Figures of runs that differ in one parameter, read as points of curves."""

import pytest

from retailkit import Estimate, read_curve, start_run


def swept(value: float, figure: float, stratum: str = "pairs", done: bool = True) -> str:
    run = start_run("robust", value=value, stratum=stratum)
    run.metrics({"ours": Estimate(figure, figure - 0.1, figure + 0.1)})
    if done:
        run.finish()
    return run.id


def test_points_come_from_finished_runs_that_are_alike_the_newest_first(house):
    swept(0.9, 0.2, done=False)
    swept(0.5, 0.1)
    newest = swept(0.5, 0.6)
    swept(0.1, 0.8)
    swept(0.3, 0.2, stratum="queue")
    curve = read_curve("robust", "value", ["ours", "theirs"], {"stratum": "pairs"})
    assert curve[["metric", "point", "value"]].to_numpy().tolist() == [["ours", 0.1, 0.8], ["ours", 0.5, 0.6]]
    assert curve["low"].tolist() == pytest.approx([0.7, 0.5]) and curve["run_id"].iloc[1] == newest


@pytest.mark.parametrize("same", [None, {"stratum": "pairs"}, {"nothing": 1}])
def test_where_nothing_was_run_there_is_no_curve(house, same):
    assert read_curve("robust", "value", ["ours"], same).columns.tolist() == [
        "metric", "point", "value", "low", "high", "run_id"
    ]  # fmt: skip
    swept(0.1, 0.5, stratum="queue")
    assert len(read_curve("robust", "value", ["theirs"], same)) == 0
