"""`labelstream-train evaluate --package DIR --data FILE`: any package on any labelled file, without a run.

The file's labels may be named differently: `--label-name` maps them to the package's. A label that the package does not
have is an error that lists the labels of both.
"""

import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..data import load, names
from ..data.examples import Example
from ..errors import UserError
from ..package.scorer import Scorer
from ..settings import Settings
from ..statistics.intervals import Draws
from . import measure, multi, report, sections, single, subject
from .flat import flat
from .settings import EvaluateSettings

NAMED_MAX = 5
"""Labels of each side that a message lists."""


def evaluate(package: Path, folder: Path | None, settings: Settings) -> int:
    """Prints the metrics as flat JSON; writes report.json and report.html to `folder`, if given."""
    found = of_file(package, settings)
    if folder is None:
        print(json.dumps(figures(found, settings.evaluate), indent=1))
        return 0
    made = report.plain(measure.measure(found, settings.evaluate))
    report.write(made, folder / "report.json")
    (folder / "report.html").write_text(sections.html(made), encoding="utf-8")
    print(json.dumps(flat(made), indent=1))
    return 0


def of_file(package: Path, settings: Settings) -> subject.Subject:
    """The package with the labelled texts of one file, scored."""
    scorer = Scorer(package, threads=settings.run.threads)
    if settings.data.path is None:
        raise UserError(f"evaluate {package}: use --data FILE with labelled texts")
    file = Path(settings.data.path)
    if not file.is_file():
        raise UserError(f"evaluate on {file}: it is not a file")
    columns = settings.data.model_copy(update={"multi_label": scorer.is_multi_label})
    outside: list[Example] = []
    if columns.out_of_scope is not None:
        outside = load.examples(load.read_rows(Path(columns.out_of_scope), columns, is_labelled=False))
    rows = load.read_rows(file, columns)
    examples = load.examples(load.renamed(rows, _names(rows, scorer.labels, file)))
    if left_out := len(rows) - len(examples):
        print(f"note: {left_out} of {len(rows)} rows without a usable text or label are left out", file=sys.stderr)
    scored = subject.score(scorer, examples, str(file))
    return subject.Subject(package, scorer, settings.data.name or file.name, scored, None, tuple(outside), {})


def _names(rows: Sequence[load.Row], known: Sequence[str], file: Path) -> Mapping[str, str]:
    """Label of the file -> the package's, if they differ only in Unicode form or as numbers (1.0 and 1)."""
    found = {label for row in rows if row.problem is None for label in row.example.labels}
    own = {names.word(label, "the package", "labels"): label for label in known}
    own |= {names.whole(str(label)): label for label in known if names.whole(str(label)) not in own}
    same = {label: own.get(label) or own.get(names.whole(label)) for label in found if label not in known}
    if unknown := sorted(label for label, to in same.items() if to is None):
        raise UserError(f"evaluate on {file}: {_unknown(unknown, len(found), known)}")
    return {label: to for label, to in same.items() if to is not None}


def _unknown(unknown: Sequence[str], of: int, known: Sequence[str]) -> str:
    """The labels of both, and the flag that maps the first one to the most similar name, else to any."""
    first = unknown[0]
    near = next((label for label in known if names.normal_label(label) == names.normal_label(first)), None)
    if near is None and first.isdigit() and f"LABEL_{first}" in known:
        near = f"LABEL_{first}"
    near = near or next(iter(difflib.get_close_matches(first, known, 1, 0.5)), None)
    return (f"{len(unknown)} of its {of} labels are not among the package's {len(known)}: {_some(unknown)}; "
            f"the package has {_some(known)}; map them: "
            f"--label-name '{first}={near or known[0]}'")  # fmt: skip


def _some(labels: Sequence[str]) -> str:
    return names.quoted(labels[:NAMED_MAX]) + (", ..." if len(labels) > NAMED_MAX else "")


def figures(found: subject.Subject, settings: EvaluateSettings) -> dict[str, float]:
    """Only the overall metrics, as flat numbers."""
    test, draws = found.test, Draws(settings.bootstrap_repeats, settings.seed)
    if found.scorer.is_multi_label:
        wanted, floors = test.truth.astype(bool), found.scorer.floors
        made = multi.estimates(test.probabilities, found.untempered(), wanted, floors, draws)
    else:
        made = single.estimates(test.probabilities, found.untempered(), test.truth, draws)
    count = len(test.examples)
    return flat(report.plain({"data": {"texts": count}, "estimates": made, "out_of_scope": None, "bias": None}))
