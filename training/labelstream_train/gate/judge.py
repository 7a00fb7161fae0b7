"""Judges every rule of the file: which metric it needs, where to find it, and what to say if it is absent."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..package import serving
from ..package.verdict import Outcome
from . import worst
from .champion import Match
from .measurements import Measurement, Report
from .outcome import at_least, at_most, missing, number
from .rules import Bytes, Ceiling, Champion, Floor, GoldenTexts, Milliseconds, OutOfScope, Rule, Rules


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of the rules. `match` is None without a champion, and `no_match` says why; `program` may be absent."""

    package: Path
    evaluation: Report
    export: Report
    match: Match | None
    no_match: str
    program: Path | None


def judge(rules: Rules, case: Case) -> tuple[Outcome, ...]:
    """One outcome per rule of the file, in a fixed order; a rule without a judge is a bug of ours."""
    return tuple(_JUDGES[name](case, rule) for name, rule in rules.asked().items())


def _floor(name: str, words: str, find: Callable[..., Measurement | None]) -> Callable[[Case, Floor], Outcome]:
    def judged(case: Case, rule: Floor) -> Outcome:
        figure = find(case, rule)
        return missing(name, rule, f"no report has {words}") if figure is None else at_least(name, words, figure, rule)

    return judged


def _ceiling(
    name: str, words: str, find: Callable[..., Measurement | None]
) -> Callable[[Case, Ceiling | Milliseconds], Outcome]:
    def judged(case: Case, rule: Ceiling | Milliseconds) -> Outcome:
        figure = find(case, rule)
        return missing(name, rule, f"no report has {words}") if figure is None else at_most(name, words, figure, rule)

    return judged


def _estimate(*keys: str) -> Callable[..., Measurement | None]:
    return lambda case, *_: case.evaluation.measurement(*keys)


def _stored(name: str, of_fp32: float) -> Callable[..., Measurement | None]:
    """A metric of the shipped storage against fp32; fp32 itself is exact."""

    def found(case: Case, *_: object) -> Measurement | None:
        storage = case.export.at("storage")
        if storage is None:
            return None
        if case.export.text(storage, ("storage",)) == "fp32":
            return Measurement.exact(of_fp32, "weights shipped as fp32")
        return case.export.with_interval(storage, name)

    return found


def _p99(case: Case, rule: Milliseconds) -> Measurement | None:
    rows = [
        row for row in case.evaluation.rows("speed", "single") or [] if row.get("threads") == 1 and row.get("tokens")
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (row["tokens"] < rule.tokens, abs(row["tokens"] - rule.tokens)))
    what = f"{rows[0]['tokens']} tokens on one thread"
    return case.evaluation.as_measurement(rows[0].get("p99_ms") or {}, ("speed", "single", "p99_ms"), what)


def _out_of_scope(case: Case, rule: OutOfScope) -> Measurement | None:
    for row in case.evaluation.rows("out_of_scope", "scores") or []:
        if row.get("name") == rule.score and row.get("auroc") is not None:
            return case.evaluation.as_measurement(row["auroc"], ("out_of_scope", "scores", "auroc"))
    return None


def _package_bytes(case: Case, rule: Bytes) -> Outcome:
    """Exact, so without an interval."""
    size = sum(path.stat().st_size for path in case.package.rglob("*") if path.is_file())
    sentence = f"the package has {number(size)} bytes; the limit is {number(rule.max)}"
    return Outcome("package_bytes", size, None, rule.max, size <= rule.max, sentence)


def _champion(case: Case, rule: Champion) -> Outcome:
    match, name = case.match, "champion"
    if match is None:
        return missing(name, rule, case.no_match)
    said = []
    if match.lost:
        said.append(f"it lacks {len(match.lost)} of the champion's labels: {', '.join(match.lost[:5])}")
    if match.gained:
        said.append(f"it has {len(match.gained)} labels that the champion lacks: {', '.join(match.gained[:5])}")
    if match.left_out:
        said.append(f"{match.left_out} test texts with labels that the champion lacks were left out")
    if match.saw_other_data:
        said.append("the champion was trained on other data and may have seen these test texts")
    who, found = f"champion {match.name} {match.version}", match.comparison
    if found is None:
        return Outcome(name, None, None, rule.margin, False, "; ".join([f"{who}: no test texts to compare on", *said]))
    gap = getattr(found, f"{rule.figure}_difference")
    passed = found.not_worse(rule.margin, f"{rule.figure}_difference")
    verdict = "a loss of" if passed else "a loss of at least"
    stated = f"{rule.figure.replace('_', ' ')} differs by {number(gap.value)}; {verdict} {number(rule.margin)} is "
    stated += "excluded" if passed else "not excluded"
    if match.lost and rule.labels == "same_or_more":
        passed = False
    return Outcome(
        name,
        gap.value,
        [gap.low, gap.high],
        rule.margin,
        passed,
        "; ".join([f"{who}: {found.sentence()}", stated, *said]),
    )


def _golden(case: Case, rule: GoldenTexts) -> Outcome:
    name = "golden_texts"
    if case.program is None:
        return missing(name, rule, "the program `labelstream` was not found; put it on the PATH or set LABELSTREAM")
    checked = serving.check(case.program, case.package, rule.seconds_max)
    if checked.passed and not checked.texts:
        return missing(name, rule, "the package has no golden texts")
    said = f"`{case.program.name} model check`: {checked.said}"
    return Outcome(name, float(checked.texts), None, None, checked.passed, said)


_JUDGES: dict[str, Callable[[Case, Rule], Outcome]] = {
    "accuracy": _floor("accuracy", "accuracy", _estimate("estimates", "accuracy")),
    "macro_f1": _floor("macro_f1", "macro F1", _estimate("estimates", "macro_f1")),
    "micro_f1": _floor("micro_f1", "micro F1", _estimate("estimates", "micro_f1")),
    "class_recall": lambda case, rule: worst.class_recall(case.evaluation, rule),
    "calibration_error": _ceiling(
        "calibration_error", "calibration error", _estimate("estimates", "calibration_error")
    ),
    "slice_gap": lambda case, rule: worst.slice_gap(case.evaluation, rule),
    "robustness_drop": lambda case, rule: worst.robustness_drop(case.evaluation, rule),
    "out_of_scope_auroc": _floor("out_of_scope_auroc", "AUROC of out-of-scope texts", _out_of_scope),
    "bias_flip_rate": _ceiling(
        "bias_flip_rate", "rate of label flips by identity terms", _estimate("bias", "flip_rate")
    ),
    "int8_agreement": _floor("int8_agreement", "agreement of the stored weights with fp32", _stored("agreement", 1.0)),
    "int8_accuracy_loss": _ceiling("int8_accuracy_loss", "accuracy lost to the storage", _stored("accuracy_loss", 0.0)),
    "package_bytes": _package_bytes,
    "p99_ms": _ceiling("p99_ms", "p99 latency of one text, ms", _p99),
    "champion": _champion,
    "golden_texts": _golden,
}
