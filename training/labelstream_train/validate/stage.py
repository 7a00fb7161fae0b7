"""The stage `validate`: reads, checks and splits the data, writes the report, and refuses data with errors."""

import sys

from ..data.load import Loaded, load
from ..data.parts import PARTS, Parts
from ..data.split import split
from ..errors import Refused, UserError
from ..gate import rules
from ..run import Run
from . import report
from .checks import check
from .finding import counted


def validate(run: Run) -> None:
    """Always writes OUT/validate; writes OUT/data unless the data is refused."""
    settings = run.settings
    loaded = load(settings.data)
    _say_files(loaded)
    parts, problem = None, None
    try:
        parts = split(loaded, settings.data, settings.split)
    except UserError as cause:
        problem = str(cause)
    if parts is not None:
        _say_parts(parts, settings.split.chosen(settings.data))
    checked = check(loaded, parts, problem, settings.validate, rules.read(settings.gate.rules or rules.DEFAULT))
    name = settings.data.name or str(settings.data.path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    report.write(checked, loaded, name, run.validate)
    for finding in checked.findings:
        advice = f"; {finding.action}" if finding.severity == "error" else ""
        print(f"{finding.severity}: {finding.line()}{advice}", file=sys.stderr)
    if checked.errors or parts is None:
        kinds = counted(len(checked.errors), "kind")
        raise Refused(f"accept the data: it has {kinds} of errors; see {run.validate / 'report.html'}")
    parts.write(run.data)


def _say_files(loaded: Loaded) -> None:
    """Prints which file became which part, as names decide and the user may have expected otherwise."""
    for each in loaded.files:
        print(f"{each['part']:<12}  {each['name']}: {counted(each['rows'], 'row')}", file=sys.stderr)
    for name in loaded.ignored:
        print(f"{'not read':<12}  {name}: its name matches no part", file=sys.stderr)


def _say_parts(parts: Parts, by: str) -> None:
    sizes = ", ".join(f"{len(getattr(parts, name)):,} {name.replace('_', ' ')}" for name in PARTS)
    print(f"split by {by}: {sizes}; {counted(len(parts.labels), 'label')}", file=sys.stderr)
