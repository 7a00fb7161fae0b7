"""The command line: `run` does everything, each stage also runs alone, in the same folder.

Exit codes: 0 success; 1 `golden --check` found a difference; 2 an error that the user can fix (one line on stderr);
3 stopped by --minutes or Ctrl-C, resumable; 4 refused: the data has errors, or the model failed its gate.
"""

import argparse
import contextlib
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from . import package_commands, settings, workflow
from .errors import Refused, Stopped, UserError
from .flags import add_flags, add_package_flags, given
from .stages import STAGES, Stage, stage
from .summary import Summary, summary

DONE, USER_ERROR, STOPPED, REFUSED = 0, 2, 3, 4


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns the exit code."""
    try:
        parsed = _parser().parse_args(arguments)
        return parsed.act(parsed)
    except UserError as error:
        return _fail(f"error: failed to {error}", USER_ERROR)
    except Stopped as stop:
        return _fail(f"stopped: {stop}", STOPPED)
    except Refused as refusal:
        return _fail(f"refused: {refusal}", REFUSED)
    except KeyboardInterrupt:
        return _fail("stopped: interrupted; run the same command again to resume", STOPPED)


def _fail(line: str, code: int) -> int:
    print(" ".join(line.splitlines()), file=sys.stderr)
    return code


def _run(parsed: argparse.Namespace) -> int:
    return _stages(parsed, STAGES)


def _stage(parsed: argparse.Namespace) -> int:
    return _stages(parsed, [stage(parsed.command)])


def _evaluate(parsed: argparse.Namespace) -> int:
    """Evaluates the package of a run, or any package on a file."""
    if parsed.package is None and parsed.out is None:
        raise UserError("evaluate: give --out DIR (of a run), or --package DIR and --data FILE")
    if parsed.package is None:
        if parsed.report is not None:
            raise UserError(f"evaluate {parsed.out}: --report goes with --package; a run's is in OUT/evaluate")
        return _stage(parsed)
    if parsed.out is not None:
        raise UserError(
            f"evaluate {parsed.package}: --package and --out exclude each other; --report DIR says where to"
        )
    for name in ("minutes", "resume", "force", "redo_changed", "quiet", "json"):
        if getattr(parsed, name):
            raise UserError(
                f"evaluate {parsed.package}: --{name.replace('_', '-')} goes with --out, not with --package"
            )
    from .evaluate import alone

    return alone.evaluate(parsed.package, parsed.report, _settings(parsed))


def _stages(parsed: argparse.Namespace, stages: Sequence[Stage]) -> int:
    """Prints the summary to stdout and everything else, including what stages print, to stderr."""
    deadline = None if parsed.minutes is None else time.monotonic() + 60 * parsed.minutes
    told = io.StringIO() if parsed.quiet else sys.stderr
    outcomes: list[workflow.Outcome] = []
    may_change = parsed.force or parsed.redo_changed
    with workflow.opened(parsed.out, _settings(parsed), deadline, may_change) as run:
        if not parsed.quiet:
            _say_first(run.settings, {each.name for each in stages})
        if run.settings.run.tracking is not None:
            from .tune import tracking

            tracking.complete(run)
        try:
            with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
                for outcome in workflow.execute(stages, run, parsed.force, parsed.redo_changed, _say):
                    outcomes.append(outcome)
        finally:
            if len(stages) > 1 or parsed.json:
                _show(summary(run, outcomes), parsed)
    return DONE


def _say_first(given: settings.Settings, stages: set[str]) -> None:
    """Before anything slow: settings without effect, and what a missing `labelstream` program rules out."""
    from . import idle
    from .gate import outlook, rules

    asked = rules.read(given.gate.rules or rules.DEFAULT)
    for said in idle.found(given, asked):
        _say(f"note: {said}")
    if stages & {"export", "gate"} and (said := outlook.of_program(asked, given)):
        _say(f"note: {said}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(found: Summary, parsed: argparse.Namespace) -> None:
    if parsed.json:
        print(json.dumps(found.as_json(), indent=1))
    elif not parsed.quiet:
        print(found.as_text())


def _settings(parsed: argparse.Namespace) -> settings.Settings:
    """Merges the run's own settings file, --settings, flags and --set; later ones win."""
    own = None if parsed.out is None else parsed.out / "settings.toml"
    layers: list[Mapping[str, Any]] = []
    if own is not None and own.is_file():
        layers.append(settings.read(own))
    elif parsed.resume:
        raise UserError(f"resume {parsed.out}: there is no settings.toml; give --data to start a run")
    if parsed.settings is not None:
        layers.append(settings.read(parsed.settings))
    merged = settings.merge(*layers)
    merged = settings.merge(merged, given(parsed, merged))
    return settings.check(settings.override(merged, parsed.set))


def _document(parsed: argparse.Namespace) -> int:
    print(settings.document(), end="")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelstream-train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    every = " -> ".join(each.name for each in STAGES)
    whole = commands.add_parser("run", help=f"all stages: {every}")
    add_flags(whole, _run)
    for each in STAGES:
        alone = commands.add_parser(each.name, help=each.help)
        add_flags(alone, _evaluate if each.name == "evaluate" else _stage, needs_out=each.name != "evaluate")
        if each.name == "evaluate":
            add_package_flags(alone)
    document = commands.add_parser("settings", help="print a settings file with every key and its default")
    document.set_defaults(act=_document)
    package_commands.add(commands)
    return parser
