"""The stage `validate`: reads the data, checks it, cuts it, reports, and refuses data with errors."""

import sys

from ..data.load import load
from ..data.split import split
from ..errors import Refused, UserError
from ..run import Run
from . import report
from .checks import check
from .finding import counted


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
        advice = f"; {finding.action}" if finding.severity == "error" else ""
        print(f"{finding.severity}: {finding.line()}{advice}", file=sys.stderr)
    if checked.errors or parts is None:
        kinds = counted(len(checked.errors), "kind")
        raise Refused(f"accept the data: it has {kinds} of errors, see {run.validate / 'report.html'}")
    parts.write(run.data)
