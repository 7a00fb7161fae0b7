"""The stage `gate`: judges OUT/package by the rules and writes OUT/gate/verdict.json, passed or not."""

import shutil
import sys
from pathlib import Path
from typing import Any

from ..digests import sha256
from ..errors import Refused, UserError
from ..package import manifest, serving
from ..package.verdict import Verdict, file_digests, table
from ..run import Run
from . import champion, judge, rules
from .measurements import Report

MODELS = "models:/"


def gate(run: Run) -> None:
    """Writes the verdict, then raises `Refused` if a rule failed; `UserError` if a rule cannot be judged."""
    path = run.settings.gate.rules or rules.DEFAULT
    wanted = rules.read(path)
    verdict_path = run.gate / "verdict.json"
    for name in ("verdict.json", "comparison.json", "report.html"):
        (run.gate / name).unlink(missing_ok=True)  # an error below must not leave an older verdict
    files = file_digests(run.package)
    evaluation, export = Report.read(run.evaluate / "report.json"), Report.read(run.out / "export.json")
    _check_same_package(evaluation, run.package)
    match, no_match = _match(run) if wanted.champion else (None, "")
    program = serving.program(run.settings.export.labelstream) if wanted.golden_texts else None
    case = judge.Case(run.package, evaluation, export, match, no_match, program)
    verdict = Verdict(
        manifest.package_digest(run.package),
        files,
        path.name,
        sha256(path),
        None if match is None else match.facts(),
        judge.judge(wanted, case),
    )
    verdict.write(verdict_path)
    compared = None if match is None or match.changes is None else match.facts() | match.changes
    if compared is not None:
        _write_comparison(run, compared)
    _write_page(run, verdict, compared)
    print(table(verdict.rules), file=sys.stderr)
    if not verdict.passed:
        failed = [each.name for each in verdict.rules if not each.passed]
        count = f"{len(failed)} of {len(verdict.rules)} rules failed"
        raise Refused(f"pass the gate: {count}: {', '.join(failed)}; see {verdict_path}")


def _write_comparison(run: Run, compared: dict[str, Any]) -> None:
    from ..evaluate import report

    report.write(compared, run.gate / "comparison.json")


def _write_page(run: Run, verdict: Verdict, compared: dict[str, Any] | None) -> None:
    """Writes the page of `evaluate` with the verdict, to a file of its own, as DVC allows one stage per file. Reports
    with only a few metrics, which tests make, get no page."""
    from ..evaluate import report, sections

    if (run.evaluate / "report.html").is_file():
        found = report.read(run.evaluate / "report.json")
        (run.gate / "report.html").write_text(sections.html(found, verdict, compared), encoding="utf-8")


def _check_same_package(evaluation: Report, package: Path) -> None:
    """Checks by digest that the report is about the current package."""
    if not evaluation.content:
        raise UserError(f"read {evaluation.path}: run `evaluate` first")
    if evaluation.at("package", "digest") != manifest.package_digest(package):
        raise UserError(f"read {evaluation.path}: it is about another package than {package}; run `evaluate` again")


def _match(run: Run) -> tuple[champion.Match | None, str]:
    """The comparison with the champion, or the reason why there is none."""
    named = run.settings.gate.champion
    if not named:
        return None, "no champion is set; set one with --champion"
    folder = run.gate / "champion"
    try:
        if not named.startswith(MODELS):
            package = Path(named)
        else:
            found = _fetch(named.removeprefix(MODELS), run, folder)
            if found is None:
                return None, f"{named} does not exist yet"
            package = found
        if not (package / manifest.NAME).is_file():
            raise UserError(f"read the champion {named}: {package} has no {manifest.NAME}")
        return champion.match(run.package, package, run.parts(), run.settings.run.threads, run.settings.evaluate), ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(reference: str, run: Run, folder: Path) -> Path | None:
    """The package of NAME@ALIAS in the registry; None if there is no such version."""
    from ..register.registry import connect, download, talking_to, version_of

    registry = run.settings.register.registry
    if registry is None:
        raise UserError(f"read the champion {MODELS}{reference}: name the registry with --registry http://HOST:PORT")
    name, at, alias = reference.partition("@")
    if not (name and at and alias):
        raise UserError(f"read the champion {MODELS}{reference}: expected {MODELS}NAME@ALIAS")
    client = connect(registry, run.settings.register.timeout_s, run.settings.register.retries_max)
    with talking_to(registry, f"read the champion {MODELS}{reference}"):
        version = version_of(client, name, alias)
        return None if version is None else download(client, version, folder)
