"""Runs stages in order: skips those that are done and unchanged, and stops at the time limit."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import atomic_file, ledger, settings
from .errors import UserError
from .run import Run
from .settings import Settings
from .stages import STAGES, Stage

try:
    import fcntl
except ImportError:  # Windows: no lock, so users must not run two commands in one folder
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Locked while a command works in the folder; the system releases the lock even after a kill."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a stage. `seconds` is None if it never ran; `why` says why it was skipped."""

    stage: str
    seconds: float | None
    why: str | None = None


@contextmanager
def opened(out: Path, given: Settings, deadline: float | None, force: bool) -> Iterator[Run]:
    """Opens the run in `out`, writes its settings.toml, and locks it against other commands.

    A folder with other content is an error. So are settings that differ from those of a costly stage that has started,
    because they would discard its work; `force` allows them.
    """
    path, run = out / "settings.toml", Run(given, out, deadline)
    if out.exists() and not out.is_dir():
        raise UserError(f"open the run {out}: expected a folder")
    if not path.is_file() and out.is_dir() and any(out.iterdir()):
        raise UserError(f"start a run in {out}: expected an empty folder, or a run with its settings.toml")
    for stage in STAGES:
        if stage.is_costly and stage.is_wanted(given) and not force:
            _refuse_change(stage, run)
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("wb") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise UserError(f"open the run {out}: another command is working in it") from cause
        atomic_file.write_text(path, settings.to_toml(given.dump()))
        yield run


def execute(stages: Sequence[Stage], run: Run, force: bool, redo_changed: bool, say: Say) -> Iterator[Outcome]:
    """Runs each wanted stage in order; an exception ends the run."""
    wanted = [stage for stage in stages if len(stages) == 1 or stage.is_wanted(run.settings)]
    for place, stage in enumerate(wanted, start=1):
        name = f"[{place}/{len(wanted)}] {stage.name}"
        tuned = after_tuning(stage, run)
        is_new = force or stage.asks_registry(tuned.settings)
        if not is_new and (found := ledger.done(stage, tuned)) is not None and found == ledger.basis(stage, tuned):
            say(f"{name}: skipped, up to date")
            yield Outcome(stage.name, ledger.seconds(stage, tuned), "done before")
            continue
        run.stop_if_over(f"before `{stage.name}`")
        _prepare(stage, tuned, force, force or redo_changed)
        say(f"{name}: {stage.help}")
        _call(stage, tuned)
        seconds = ledger.seconds(stage, tuned)
        say(f"{name}: done in {seconds:.1f} s")
        yield Outcome(stage.name, seconds)


def after_tuning(stage: Stage, run: Run) -> Run:
    """`run` with the settings that `tune` found, for the stages after it."""
    names = [each.name for each in STAGES]
    if run.settings.tune.trials == 0 or names.index(stage.name) <= names.index("tune"):
        return run
    best = run.tune / "best.toml"
    if not best.is_file():
        raise UserError(f"read {best}: run `tune` first, or set tune.trials to 0")
    values = settings.merge(run.settings.dump(), settings.read(best))
    return replace(run, settings=settings.check(values))


def _prepare(stage: Stage, run: Run, force: bool, may_replace: bool) -> None:
    """Resumes a stage only under the same settings; discards a costly one only on request."""
    before = ledger.started(stage, run)
    changed = None if before is None else ledger.basis(stage, run).difference(before)
    if stage.is_costly and changed and not may_replace:
        raise _other(stage, run, changed)
    if force or changed:
        ledger.forget(stage, run)
    ledger.start(stage, run)


def _refuse_change(stage: Stage, run: Run) -> None:
    """Compares settings only: earlier stages may rewrite the same inputs before this stage runs."""
    before = ledger.started(stage, run)
    if before is None or (stage.name != "tune" and run.settings.tune.trials and not (run.tune / "best.toml").is_file()):
        return
    now = replace(ledger.basis(stage, after_tuning(stage, run)), inputs=before.inputs)
    if changed := now.difference(before):
        raise _other(stage, run, changed)


def _other(stage: Stage, run: Run, changed: str) -> UserError:
    return UserError(
        f"{stage.name} in {run.out}: it was started with other settings or data ({changed}); "
        "use another --out to keep both, or --redo-changed to replace it"
    )


def _call(stage: Stage, run: Run) -> None:
    began = time.monotonic()
    try:
        stage.call(run)
    except BaseException:
        ledger.interrupt(stage, run, time.monotonic() - began)
        raise
    ledger.finish(stage, run, time.monotonic() - began)
