"""`labelstream-train evaluate --package DIR --data FILE`: any package on any labelled file, without a run."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ..data import load
from ..data.settings import DataSettings
from ..package.scorer import Scorer
from . import measure, multi, report, sections, single, subject
from .flat import flat
from .intervals import Draws
from .settings import EvaluateSettings


def main(arguments: Sequence[str]) -> int:
    """Prints the figures as flat JSON on stdout; `--report DIR` also writes report.json and report.html there."""
    given = _parser().parse_args(arguments)
    found = of_file(given.package, given.data, given)
    settings = EvaluateSettings(bias_data=given.bias_data, speed_repeats=given.speed_repeats)
    if given.report is None:
        print(json.dumps(figures(found, settings), indent=1))
        return 0
    made = report.plain(measure.measure(found, settings))
    report.write(made, given.report / "report.json")
    (given.report / "report.html").write_text(sections.html(made), encoding="utf-8")
    print(json.dumps(flat(made), indent=1))
    return 0


def of_file(package: Path, file: Path, given: argparse.Namespace) -> subject.Subject:
    """The package with the labelled texts of one file, scored."""
    scorer = Scorer(package, threads=given.threads)
    columns = DataSettings(
        path=str(file),
        text=given.text,
        label=given.label,
        slices=tuple(given.slice),
        multi_label=scorer.is_multi_label,
        label_separator=given.label_separator,
    )
    outside = [] if given.out_of_scope is None else load.read_rows(given.out_of_scope, columns, is_labelled=False)
    scored = subject.score(scorer, load.examples(load.read_rows(file, columns)), str(file))
    return subject.Subject(package, scorer, file.name, scored, None, tuple(load.examples(outside)), {})


def figures(found: subject.Subject, settings: EvaluateSettings) -> dict[str, float]:
    """Only the figures of the whole, as flat numbers."""
    test, draws = found.test, Draws(settings.bootstrap_repeats, settings.seed)
    if found.scorer.is_multi_label:
        wanted, floors = test.truth.astype(bool), found.scorer.floors
        made = multi.estimates(test.probabilities, found.untempered(), wanted, floors, draws)
    else:
        made = single.estimates(test.probabilities, found.untempered(), test.truth, draws)
    count = len(test.examples)
    return flat(report.plain({"data": {"texts": count}, "estimates": made, "out_of_scope": None, "bias": None}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labelstream-train evaluate", description=__doc__)
    parser.add_argument("--package", type=Path, required=True, metavar="DIR", help="folder with labelstream.json")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="a file of labelled texts")
    parser.add_argument("--text", metavar="COLUMN", help="column of the text [text, sentence, ...]")
    parser.add_argument("--label", metavar="COLUMN", help="column of the label or labels [label, labels, intent, ...]")
    parser.add_argument("--label-separator", metavar="TEXT", help="what stands between several labels in one string")
    parser.add_argument(
        "--slice", metavar="COLUMN", action="append", default=[], help="a column to report by; repeatable"
    )
    parser.add_argument("--out-of-scope", type=Path, metavar="FILE", help="texts that belong to none of the labels")
    parser.add_argument("--bias-data", type=Path, metavar="FILE", help="sentences with identity terms")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 for all cores [0]")
    parser.add_argument("--speed-repeats", type=int, default=400, metavar="N", help="timed calls of a length [400]")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.json and report.html with everything there"
    )
    return parser
