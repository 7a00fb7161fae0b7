"""The stage `evaluate`: measures the shipped package on the test texts, writes the report and the model card.

It runs the package's own files with ONNX Runtime: it needs no torch and measures what is served.
"""

from typing import Any

import numpy as np

from ..learning import curve
from ..package import manifest
from ..package.scorer import Scorer
from ..run import Run
from . import card, measure, report, sections, shown, subject, uses
from .flat import flat


def evaluate(run: Run) -> None:
    """Writes OUT/evaluate/{report.json, report.html, metrics.json, reliability.csv, test_scores.npz}, the package's
    README.md and its metrics.

    test_scores.npz has `probabilities` [texts, labels] f32 of the test texts in order, for paired comparisons.
    """
    found = of_run(run)
    measured = measure.measure(found, run.settings.evaluate, lambda: run.stop_if_over("without a report"))
    _count(run, measured)
    measured["learning"] = curve.read(run.train) or None
    made = report.plain(measured)
    run.evaluate.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(run.evaluate / "test_scores.npz", probabilities=found.test.probabilities.astype(np.float32))
    manifest.update_metrics(run.package, flat(made))
    made["package"]["digest"] = manifest.package_digest(run.package)  # after adding the metrics, as the gate checks it
    (run.package / "README.md").write_text(card.of_run(run, made), encoding="utf-8")
    shown.write(made, run.evaluate)
    (run.evaluate / "report.html").write_text(sections.html(made), encoding="utf-8")
    report.write(made, run.evaluate / "report.json")


def _count(run: Run, measured: dict[str, Any]) -> None:
    """Counts this evaluation on the test texts in the run's folder, and reports the count."""
    used = uses.count(run.out, measured["data"]["fingerprint"], measured["package"]["model_sha256"])
    measured["data"] |= used
    if warned := uses.warning(used):
        measured["warnings"].insert(0, warned)


def of_run(run: Run) -> subject.Subject:
    """The package of a run with the parts of its data, scored."""
    parts = run.parts()
    scorer = Scorer(run.package, threads=run.settings.run.threads)
    name = str(parts.facts.get("data", {}).get("name") or run.data.name)
    return subject.Subject(
        folder=run.package,
        scorer=scorer,
        data_name=name,
        test=subject.score(scorer, parts.test, "the test part"),
        held_out=subject.score(scorer, parts.held_out, "the held-out part") if parts.held_out else None,
        out_of_scope=parts.out_of_scope,
        label_counts=subject.label_counts(parts.train),
        train=parts.train,
    )
