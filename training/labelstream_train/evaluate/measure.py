"""Runs all measurements of a package and assembles the report; see `report` for its keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..data import arrow_files, files, names, text_files
from ..data.rows import LABEL_NAMES, TEXT_NAMES
from ..errors import UserError
from ..package.manifest import MODEL_FILES
from ..progress import Progress
from ..statistics.intervals import Draws, Estimate, share
from . import (
    abstain,
    baseline,
    bias,
    calibration,
    identity,
    mistakes,
    multi,
    out_of_scope,
    robustness,
    single,
    slices,
    speed,
    uses,
)
from .report import SCHEMA
from .settings import EvaluateSettings
from .subject import Subject

CONTEXTS_MIN = 10
"""Fewest contexts of a bias report."""


def measure(
    subject: Subject, settings: EvaluateSettings, before_part: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The whole report, except for the count in `uses`. `before_part` may raise to stop early."""
    warnings: list[str] = []
    report = _about(subject) | {"warnings": warnings, "learning": None}
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "figures": lambda: _multi(subject, settings) if subject.scorer.is_multi_label else _single(subject, settings),
        "slices": lambda: {"slices": _slices(subject, settings)},
        "robustness": lambda: {"robustness": _robustness(subject, settings)},
        "bias": lambda: {"bias": _bias(subject, settings, warnings)},
        "out of scope": lambda: {"out_of_scope": _out_of_scope(subject, settings)},
        "speed": lambda: {"speed": _speed(subject, settings, warnings)},
    }
    with Progress("evaluate", len(steps), "parts") as progress:
        for name, step in steps.items():
            before_part()
            report |= step()
            progress.add(1, name)
    return report


def _about(subject: Subject) -> dict[str, Any]:
    manifest = subject.scorer.manifest
    sizes = [(subject.folder / name).stat().st_size for name in MODEL_FILES]
    test = subject.test.examples
    nobody = {"fingerprint": uses.fingerprint(test), "evaluations": None, "models": None}
    return {
        "schema": SCHEMA,
        "package": {
            "name": manifest.get("name"),
            "version": manifest.get("version"),
            "model_sha256": subject.model_sha256(),
            "bytes": sum(sizes),
            "tokens_max": subject.scorer.tokens_max,
            "temperature": subject.scorer.temperature,
            "labels": len(subject.labels),
        },
        "data": {"name": subject.data_name, "texts": len(test)} | nobody,
        "is_multi_label": subject.scorer.is_multi_label,
    }


def _single(subject: Subject, settings: EvaluateSettings) -> dict[str, Any]:
    rows, truth, draws = (
        subject.test.probabilities,
        subject.test.truth,
        Draws(settings.bootstrap_repeats, settings.seed),
    )
    matrix = single.confusion_matrix(rows, truth)
    right, best = rows.argmax(axis=1) == truth, rows.max(axis=1)
    return {
        "estimates": single.estimates(rows, subject.untempered(), truth, draws),
        "classes": single.classes(rows, truth, subject.labels, draws),
        "confusions": single.confusions(matrix, subject.labels),
        "confusion_matrix": matrix.tolist(),
        "calibration": {"by_chance": calibration.error_by_chance(best, settings.seed)},
        "reliability": calibration.reliability(best, right),
        "abstaining": _abstaining(subject, settings),
        "baseline": _baseline(subject, settings, right),
        "mistakes": mistakes.measure(subject.test.examples, rows, truth, subject.labels, settings.examples_max),
    }


def _baseline(subject: Subject, settings: EvaluateSettings, right: np.ndarray) -> dict | None:
    if not settings.baseline or not subject.train:
        return None
    test = subject.test
    return baseline.measure(subject.train, test.examples, test.truth, subject.labels, right)


def _abstaining(subject: Subject, settings: EvaluateSettings) -> dict[str, Any]:
    """Curves on test; the threshold for the wanted accuracy is chosen on held-out texts, if any."""
    basis, chosen_on = (subject.test, "test") if subject.held_out is None else (subject.held_out, "held out")
    found: dict[str, Any] = {}
    for name, scores_of in (("score", lambda rows: rows.max(axis=1)), ("margin", abstain.margins)):
        scores, right = scores_of(subject.test.probabilities), _right(subject)
        basis_right = basis.probabilities.argmax(axis=1) == basis.truth
        threshold = abstain.threshold_for(scores_of(basis.probabilities), basis_right, settings.accuracy_target)
        target = None
        if threshold is not None:
            target = {"wanted": settings.accuracy_target, "chosen_on": chosen_on, "threshold": threshold}
            target |= abstain.at(scores, right, threshold)
        curve = abstain.curve(scores, right, Draws(settings.bootstrap_repeats, settings.seed))
        found[name] = curve | {"target": target}
    floor = subject.scorer.manifest.get("thresholds", {}).get("abstain_below")
    best = subject.test.probabilities.max(axis=1)
    shipped = None if floor is None else {"threshold": floor} | abstain.at(best, _right(subject), floor)
    return found | {"shipped": shipped}


def _right(subject: Subject) -> np.ndarray:
    """[texts] whether the best label is the true one; multi-label: F1 of each text's label set."""
    test = subject.test
    if subject.scorer.is_multi_label:
        return multi.sample_f1(subject.scorer.given(test.probabilities), test.truth.astype(bool))
    return test.probabilities.argmax(axis=1) == test.truth


def _multi(subject: Subject, settings: EvaluateSettings) -> dict[str, Any]:
    rows, wanted = subject.test.probabilities, subject.test.truth.astype(bool)
    thresholds, draws = subject.scorer.floors, Draws(settings.bootstrap_repeats, settings.seed)
    return {
        "estimates": multi.estimates(rows, subject.untempered(), wanted, thresholds, draws),
        "classes": multi.classes(rows, wanted, thresholds, subject.labels, draws),
        "confusions": [],
        "confusion_matrix": None,
        "calibration": None,
        "abstaining": None,
        "baseline": None,
        "mistakes": [],
        "reliability": calibration.reliability(rows.ravel(), wanted.ravel()),
    }


def _slices(subject: Subject, settings: EvaluateSettings) -> list[dict]:
    members = slices.memberships(subject.test.examples, subject.label_counts)
    draws = Draws(settings.bootstrap_repeats, settings.seed)
    return slices.measure(_right(subject), members, settings.slice_texts_min, draws)


def _robustness(subject: Subject, settings: EvaluateSettings) -> list[dict]:
    places = robustness.sample(subject.test.truth, settings.robustness_texts_max, settings.seed)
    if len(places) == 0:
        return []
    texts = [subject.test.examples[place].text for place in places]
    draws = Draws(settings.bootstrap_repeats, settings.seed)
    return robustness.measure(subject.score, texts, subject.test.truth[places], subject.scorer.floors, draws)


def _bias(subject: Subject, settings: EvaluateSettings, warnings: list[str]) -> dict | None:
    if unknown := [label for label in settings.bias_harmful if label not in subject.labels]:
        raise UserError(f"use evaluate.bias_harmful: the package has no label {unknown[0]!r}")
    if settings.bias_texts_max == 0:
        return None
    swaps = _sentences(settings.bias_data, settings) if settings.bias_data else identity.from_texts(subject.test.texts)
    swaps = identity.limited(swaps, settings.bias_texts_max, settings.seed)
    contexts = len({swap.context for swap in swaps})
    if contexts < CONTEXTS_MIN:
        warnings.append(f"No bias report: only {contexts} texts contain an identity term. Set evaluate.bias_data.")
        return None
    rows = subject.score([swap.text for swap in swaps])
    given = subject.scorer.given(rows) if subject.scorer.is_multi_label else _best(rows)
    columns = tuple(subject.labels.index(label) for label in settings.bias_harmful)
    harmful = bias.Harmful(columns, settings.bias_harmful, settings.bias_harmful_truth)
    found = bias.measure(swaps, rows, given, harmful, Draws(settings.bootstrap_repeats, settings.seed))
    unlike = None if subject.scorer.is_multi_label else _unlike(subject, rows)
    source = "test texts" if settings.bias_data is None else settings.bias_data.name
    return {"source": source, "unlike": unlike} | found


def _unlike(subject: Subject, probabilities: np.ndarray) -> Estimate:
    """Share of texts with a lower best score than 95 % of the test texts; about 5 % if they are alike."""
    floor = np.quantile(subject.test.probabilities.max(axis=1), 0.05)
    return share(int((probabilities.max(axis=1) < floor).sum()), len(probabilities))


def _best(probabilities: np.ndarray) -> np.ndarray:
    """[texts, labels] bool: the best label, whether or not the package would abstain."""
    return probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])


def _sentences(path: Path, settings: EvaluateSettings) -> list[identity.Swap]:
    """The sentences of a file, from the columns in the settings, else from those with the usual names."""
    source = arrow_files.rows(path) if files.format_of(path) in (".parquet", ".arrow") else text_files.rows(path)
    rows = [values for _, values in source]
    found = list(dict.fromkeys(name for row in rows for name in row))

    def column(wanted: str | None, usual: tuple[str, ...], key: str) -> str | None:
        named = next(
            (name for each in ([wanted] if wanted else usual) if (name := names.column(each, found, str(path)))), None
        )
        if wanted and named is None:
            raise UserError(f"read {path}: evaluate.{key} is '{wanted}', found the columns {names.quoted(found)}")
        return named

    text = column(settings.bias_text, TEXT_NAMES, "bias_text")
    if text is None:
        expected = f"expected a column of texts ({', '.join(TEXT_NAMES)}; evaluate.bias_text names another)"
        raise UserError(f"read {path}: {expected}, found the columns {names.quoted(found)}")
    label = column(settings.bias_label, LABEL_NAMES, "bias_label")
    named = column(settings.bias_identity, ("identity",), "bias_identity")
    return identity.from_rows([row for row in rows if row.get(text)], text, label, named)


def _out_of_scope(subject: Subject, settings: EvaluateSettings) -> dict | None:
    if not subject.out_of_scope:
        return None
    logits = subject.scorer.logits([each.text for each in subject.out_of_scope])

    def scores(given: np.ndarray) -> dict[str, np.ndarray]:
        rows = subject.scorer.probabilities_of(given)
        return out_of_scope.scores(given, rows, subject.scorer.temperature, subject.scorer.is_multi_label)

    held_out = None if subject.held_out is None else scores(subject.held_out.logits)
    right = _right(subject) >= 1.0
    draws = Draws(settings.bootstrap_repeats, settings.seed)
    return out_of_scope.measure(scores(subject.test.logits), scores(logits), right, held_out, draws)


def _speed(subject: Subject, settings: EvaluateSettings, warnings: list[str]) -> dict | None:
    if settings.speed_repeats == 0:
        return None
    minutes = settings.speed_minutes_max
    found = speed.measure(subject.folder, subject.test.texts, settings.speed_repeats, minutes, settings.seed)
    if found["is_cut"]:
        warnings.append(
            f"Timing stopped after {minutes:g} minutes, before all {settings.speed_repeats} calls of a length."
        )
    cores = found["machine"]["cores"]
    if found["load_before"] is not None and found["load_before"] > 0.5 * cores:
        warnings.append(f"The machine was busy during timing: load {found['load_before']} on {cores} cores.")
    return found
