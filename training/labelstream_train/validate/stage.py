"""The stage `validate`: reads the data, checks it, cuts it, reports, and refuses data with errors."""

import sys

from ..data.load import load
from ..data.split import split
from ..errors import Refused, UserError
from ..run import Run
from . import report
from .checks import Checked, check


def validate(run: Run) -> None:
    """Writes OUT/validate always, and OUT/data unless the data is refused."""
    settings = run.settings
    loaded = load(settings.data)
    parts, problem = None, None
    try:
        parts = split(loaded, settings.data, settings.split)
    except UserError as cause:
        problem = str(cause)
    checked = check(loaded, parts, problem, settings.validate)
    name = settings.data.name or str(settings.data.path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    report.write(checked, loaded, name, run.validate)
    for finding in checked.findings:
        if finding.severity != "error":
            print(f"{finding.severity}: {finding.line()}", file=sys.stderr)
    if checked.errors or parts is None:
        raise Refused(_refusal(checked, run))
    parts.write(run.data)


def _refusal(checked: Checked, run: Run) -> str:
    """One line an error, then where the rest stands."""
    lines = "".join(f"\n  {finding.line()}; {finding.action}" for finding in checked.errors)
    return f"accept the data: {len(checked.errors)} kinds of errors{lines}\n  all of it: {run.validate / 'report.html'}"
