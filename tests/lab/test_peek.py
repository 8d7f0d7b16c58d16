"""A look into the database without MLflow sees what MLflow sees."""

import math

from retailkit.lab import runs, tracking
from retailkit.lab.intervals import Estimate


def test_a_peek_sees_what_mlflow_sees(ready_house):
    for seed in range(4):
        run = runs.start_run("tiny", seed=seed)
        run.metric("score", Estimate(seed, seed - 1, seed + 1) if seed != 2 else Estimate(seed, math.nan, math.nan))
        run.answer("It is 0.41 (95 % interval 0.36 to 0.46).") if seed else run._end("FAILED")
    client = tracking.open_database()
    client.delete_run(run.id)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    known = tracking.runs_of(client, ids, None, "tags.study = 'tiny'")
    seen = tracking.peek("study", "tiny")
    assert [run.info.status for run in seen] == ["FINISHED", "FINISHED", "FAILED"]
    assert [run.info.run_id for run in seen] == [run.info.run_id for run in known]
    assert [run.data.tags for run in seen] == [run.data.tags for run in known]
    assert [repr(sorted(run.data.metrics.items())) for run in seen] == [
        repr(sorted(run.data.metrics.items())) for run in known
    ], "nan is nan"
    assert tracking.peek("study", "other") == []


def test_where_there_is_nothing_to_look_into(house, monkeypatch):
    assert tracking.peek("study", "tiny") == []
    (house / "mlruns" / "mlflow.db").write_text("no database")
    assert tracking.peek("study", "tiny") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert tracking.peek("study", "tiny") is None
