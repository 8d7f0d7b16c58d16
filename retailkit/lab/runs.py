"""A run: one execution of one study, recorded with its parameters, inputs, figures and answer.

    run = start_run("shelf-detector", seed=0, minutes=4.0)
    run.input(train, "train")
    run.metric("map50", estimate)              # logs map50, map50_low and map50_high
    run.show(chart, "curve")                   # logs the picture with its alt text, and shows it
    run.answer(f"The detector finds {estimate} of the gaps.")

Plain ``mlflow.log_*`` lands in the same run. Status: FINISHED after the answer, FAILED when a cell raises,
KILLED when the process ends or the notebook starts again before an answer.
"""

import atexit
import html
import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from retailkit.lab import freshness, notebook, project, safe, tracking
from retailkit.lab.cells import ANSWER_MIME, RUN_MIME
from retailkit.lab.records import artifact_path, attach, read_runs, this_process

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient

    from retailkit.lab.intervals import Estimate

__all__ = ["ANSWER_MIME", "RUN_MIME", "Run", "artifact_path", "attach", "read_runs", "start_run"]

_INTERVAL = re.compile(r"\d\s*%?\s*\(\s*\d+(?:\.\d+)?\s*%\s+interval\s+[-−+]?\d[^()]*?\sto\s+[-−+]?\d[^()]*\)")
_DIGEST_LENGTH = 36  # MLflow's limit; the full digest goes into a tag

Shown = TypeVar("Shown")
_current: "Run | None" = None


def start_run(study: str, *, seed: int = 0, **parameters: Any) -> "Run":
    """Start recording a study, seeded, quiet and offline.

    Called again in the same kernel, it ends the earlier unfinished run as KILLED.

    Parameters
    ----------
    study : str
        The study's name, MLflow's experiment: ``"shelf-detector"``.
    seed : int
        Seeds Python, numpy and torch, and is recorded.
    **parameters
        What the study was run with. In a notebook they are checked against its typed parameters cell.
        Values whose name says key, token, secret or password are recorded as ``(redacted)``.

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        A parameter that the notebook does not declare, or (also a TypeError) a value of the wrong type.
    retailkit.lab.project.ProjectError
        ``mlruns/`` cannot be written, or its disk is full.
    """
    global _current
    if not isinstance(study, str) or not study.strip():
        raise ValueError(f"study is {study!r}: a name such as 'shelf-detector' is wanted")
    parameters = notebook.check({"seed": seed, **parameters})
    seed = parameters.pop("seed")
    if _current:
        _current._end("KILLED")
    client = tracking.open_database()
    project.seed_everything(seed)
    _current = run = Run(client, study, seed, parameters)
    atexit.register(run._at_exit)
    notebook.on_failure(run._cell_failed)
    notebook.round_tables()
    notebook.display(run._passport(), run._line(), f"run {run.id} of {study}")
    return run


class Run:
    """One run of a study; made by :func:`start_run`.

    Attributes
    ----------
    id : str
        MLflow's run id.
    study : str
    seed : int
    parameters : dict
        Checked, and with whole numbers made floats where the notebook says float; without the seed.
    """

    def __init__(self, client: "MlflowClient", study: str, seed: int, parameters: dict[str, Any]) -> None:
        import mlflow
        from mlflow.entities import Param

        if other := mlflow.active_run():
            raise project.ProjectError(f"MLflow's run {other.info.run_id} is still open: call mlflow.end_run() first")
        self.study, self.seed, self.parameters = study, seed, parameters
        self._client, self._code = client, project.code_version()
        self._failed = self._ended = False
        self._inputs: dict[tuple[str, str], str] = {}
        self._notes: set[str] = set()
        self._began = freshness.begin(parameters)
        record = mlflow.start_run(
            experiment_id=tracking.experiment(client, study),
            run_name=f"{study}, seed {seed}",
            tags=self._tags(),
        )
        self.id: str = record.info.run_id
        values = {name: recorded(name, value) for name, value in {"seed": seed, **parameters}.items()}
        client.log_batch(self.id, params=[Param(name, str(value)) for name, value in values.items()])

    def _tags(self) -> dict[str, str]:
        tags = {
            "study": self.study,
            "seed": str(self.seed),
            "git_commit": str(self._code["commit"]),
            "git_dirty": str(self._code["dirty"]).lower(),
            "retailkit_version": str(self._code["version"]),
            "notebook": notebook.name(),
            "process": this_process(),
            **notebook.given_tags(),
        }
        return {name: value for name, value in tags.items() if value}

    def input(self, dataset: Any, context: str = "train") -> None:
        """Record what was read, by its digest.

        Parameters
        ----------
        dataset : object
            With ``name``, ``digest`` and ``source`` (texts) and ``profile()`` (a dict of plain values),
            as :func:`retailkit.datasets.load` returns.
        context : str
            What it served for: ``"train"`` or ``"test"``.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        name, digest = str(dataset.name), str(dataset.digest)
        # MLflow keeps one context for a dataset in a run; the second gets a name of its own.
        if self._inputs.setdefault((name, digest), context) != context:
            name = f"{name} ({context})"
        record = Dataset(
            name=name,
            digest=digest[:_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": str(dataset.source)}),
            profile=json.dumps(dataset.profile(), default=str),
        )
        tags = [InputTag("mlflow.data.context", context)]
        self._client.log_inputs(self.id, datasets=[DatasetInput(record, tags)])
        self._client.set_tag(self.id, f"digest.{context}.{_safe(str(dataset.name))}", digest)
        freshness.note_data(str(dataset.name), getattr(dataset, "folder", None))
        note = str(getattr(dataset, "note", ""))
        if note and note not in self._notes:  # train and test are parts of one set, and say the same
            self._notes.add(note)
            notebook.display({}, f"<p>{html.escape(note)}</p>", note)

    def metric(self, name: str, estimate: "Estimate | float", *, exact: bool = False) -> None:
        """Record a figure with its interval: ``name``, ``name_low`` and ``name_high``.

        Parameters
        ----------
        name : str
        estimate : Estimate
            A plain number is taken with ``exact=True`` only: counts and seconds have no interval.

        Raises
        ------
        TypeError
            A plain number without ``exact=True``.
        """
        self.metrics({name: estimate}, exact=exact)

    def metrics(self, estimates: "Mapping[str, Estimate | float]", *, exact: bool = False) -> None:
        """Record several figures at once; see :meth:`metric`."""
        from mlflow.entities import Metric

        values: dict[str, float] = {}
        for name, estimate in estimates.items():
            values |= _values(_metric_name(name), estimate, exact)
        now = int(time.time() * 1000)
        self._client.log_batch(self.id, metrics=[Metric(name, value, now, 0) for name, value in values.items()])

    def history(self, course: "pandas.DataFrame", step: str, name: str = "") -> None:
        """Record how something went, step by step, so that MLflow draws its curves.

        Parameters
        ----------
        course : pandas.DataFrame
            A row per step, every other column a number: what was measured once, as a loss; no estimates.
        step : str
            The column that counts the steps.
        name : str
            Put before the columns' names: ``name.box``.
        """
        from mlflow.entities import Metric

        now, prefix = int(time.time() * 1000), f"{name}." if name else ""
        points = [
            Metric(_metric_name(prefix + column), float(value), now, int(number))
            for column in course.columns.drop(step)
            for number, value in zip(course[step], course[column], strict=True)
        ]
        for first in range(0, len(points), 1000):  # MLflow's limit for one call
            self._client.log_batch(self.id, metrics=points[first : first + 1000])

    def show(self, chart_or_frame: Shown, name: str) -> Shown:
        """Record a chart (picture and alt text) or a table (CSV), and return it so that the cell shows it.

        Parameters
        ----------
        chart_or_frame : Chart or pandas.DataFrame
        name : str
            Kept as ``figures/NAME.png`` with ``figures/NAME.txt``, or as ``tables/NAME.csv``.

        Raises
        ------
        TypeError
            Neither a chart with an alt sentence nor a table.
        """
        item: Any = chart_or_frame
        if hasattr(item, "png") and getattr(item, "alt", None):
            self._keep(f"figures/{_safe(name)}.png", item.png())
            self._keep(f"figures/{_safe(name)}.txt", item.alt.encode())
        elif hasattr(item, "to_csv"):
            self._keep(f"tables/{_safe(name)}.csv", item.to_csv(index=False).encode())
        else:
            kind = type(item).__name__
            raise TypeError(f"show('{name}') got a {kind}: a chart of retailkit.charts or a table is wanted")
        return chart_or_frame

    def _keep(self, path: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, Path(path).name)
            file.write_bytes(content)
            self.artifact(file, str(Path(path).parent))

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Keep a file, or a folder whole, with the run."""
        attach(self.id, path, folder, self._client)

    def answer(self, sentence: str) -> None:
        """Record the study's answer, show it, and end the run.

        Parameters
        ----------
        sentence : str
            Holds a figure with its interval, as an Estimate prints itself:
            ``"The detector's AP50 is 0.41 (95 % interval 0.36 to 0.46)."``

        Raises
        ------
        ValueError
            No figure with an interval in it.
        """
        if not _INTERVAL.search(sentence):
            raise ValueError(
                f"The answer {sentence!r} has no figure with an interval: "
                "put an Estimate into it, as '0.41 (95 % interval 0.36 to 0.46)'"
            )
        self._client.set_tag(self.id, "answer", sentence)
        self._end("FINISHED")
        line = f"<p class='answer'><strong>{html.escape(sentence)}</strong></p>"
        notebook.display({ANSWER_MIME: {"run_id": self.id, "answer": sentence}}, line, sentence)

    def finish(self) -> None:
        """End the run of a notebook that has no answer of its own."""
        self._end("FINISHED")

    def _end(self, status: str) -> None:
        global _current
        import mlflow

        self._ended = True
        atexit.unregister(self._at_exit)
        if status == "FINISHED":
            self._client.set_tag(
                self.id, freshness.TAG, freshness.to_text(freshness.since(self._began, self.parameters))
            )
        if _current is self:
            _current = None
        active = mlflow.active_run()
        if active and active.info.run_id == self.id:
            mlflow.end_run(status)
        else:
            self._client.set_terminated(self.id, status)

    def _cell_failed(self) -> None:
        """A cell raised: say so at once, and leave the run open for a second try in JupyterLab."""
        if not self._ended:
            self._failed = True
            self._client.set_terminated(self.id, "FAILED")

    def _at_exit(self) -> None:
        """MLflow's own exit hook would call an unanswered run FINISHED; this one comes before it."""
        failed = self._failed or getattr(sys, "last_value", None) is not None
        self._end("FAILED" if failed else "KILLED")

    def _passport(self) -> dict[str, Any]:
        shown = {name: recorded(name, value) for name, value in self.parameters.items()}
        return {
            RUN_MIME: {
                "run_id": self.id,
                "study": self.study,
                "tracking_uri": tracking.redacted(tracking.uri()),
                "parameters": json.loads(json.dumps(shown, default=str)),
                "seed": self.seed,
                "code": {**self._code, "packages": project.packages()},
            }
        }

    def _line(self) -> str:
        dirty = " with changes" if self._code["dirty"] else ""
        facts = [f"Run {self.id}", f"study {self.study}", f"seed {self.seed}"]
        facts.append(f"code {str(self._code['commit'])[:10]}{dirty}")
        return f"<p class='provenance'><small>{html.escape(' · '.join(facts))}</small></p>"


def recorded(name: str, value: Any) -> Any:
    """What is recorded of a parameter: its value, unless its name says that it is secret."""
    return "(redacted)" if safe.SECRET.search(name) and value is not None else value


def _metric_name(name: str) -> str:
    """A name that MLflow takes for a metric: a class may be called 'chips & nuts'."""
    return re.sub(r"[^/\w.\- ]", "_", name)


def _safe(name: str) -> str:
    """A name that is safe as a file name and as a tag."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unnamed"


def _values(name: str, estimate: Any, exact: bool) -> dict[str, float]:
    if hasattr(estimate, "low"):
        return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    if not exact:
        raise TypeError(
            f"metric '{name}' is a plain {estimate!r}: pass an Estimate with its interval, "
            "or exact=True for a count or a duration"
        )
    return {name: float(estimate)}
