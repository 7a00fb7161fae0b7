"""Runs stages one after another: skips what is done and unchanged, stops when the time is over."""

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
except ImportError:  # Windows: two commands in one folder are then the user's to avoid
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Held open and locked while a command works in the folder; the system lets go of it even after a kill."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stage: `seconds` is None where it was not wanted; `why` says why it was not run."""

    stage: str
    seconds: float | None
    why: str | None = None


@contextmanager
def opened(out: Path, given: Settings, deadline: float | None, force: bool) -> Iterator[Run]:
    """The run in `out`, with settings.toml written; no other command can open it meanwhile.

    A folder with other things in it is an error, and so are settings that a costly stage, begun or done, did not
    have: they would throw it away. `force` allows those.
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
    """Each stage that is wanted, in order; what a stage raises ends the rest."""
    wanted = [stage for stage in stages if len(stages) == 1 or stage.is_wanted(run.settings)]
    for place, stage in enumerate(wanted, start=1):
        name = f"[{place}/{len(wanted)}] {stage.name}"
        tuned = after_tuning(stage, run)
        is_new = force or stage.asks_registry(tuned.settings)
        if not is_new and (found := ledger.done(stage, tuned)) is not None and found == ledger.basis(stage, tuned):
            say(f"{name}: skipped, it is done and nothing it depends on has changed")
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
    """`run` with the settings that `tune` found, for the stages behind it."""
    names = [each.name for each in STAGES]
    if run.settings.tune.trials == 0 or names.index(stage.name) <= names.index("tune"):
        return run
    best = run.tune / "best.toml"
    if not best.is_file():
        raise UserError(f"read {best}: run `tune` first, or set tune.trials to 0")
    values = settings.merge(run.settings.dump(), settings.read(best))
    return replace(run, settings=settings.check(values))


def _prepare(stage: Stage, run: Run, force: bool, may_replace: bool) -> None:
    """Half a stage is gone on with only under the same settings; a costly one is never thrown away unasked."""
    before = ledger.started(stage, run)
    changed = None if before is None else ledger.basis(stage, run).difference(before)
    if stage.is_costly and changed and not may_replace:
        raise _other(stage, run, changed)
    if force or changed:
        ledger.forget(stage, run)
    ledger.start(stage, run)


def _refuse_change(stage: Stage, run: Run) -> None:
    """Settings only: what the stage reads may be written anew, and just the same, before it is its turn."""
    before = ledger.started(stage, run)
    if before is None or (stage.name != "tune" and run.settings.tune.trials and not (run.tune / "best.toml").is_file()):
        return
    now = replace(ledger.basis(stage, after_tuning(stage, run)), inputs=before.inputs)
    if changed := now.difference(before):
        raise _other(stage, run, changed)


def _other(stage: Stage, run: Run, changed: str) -> UserError:
    return UserError(
        f"{stage.name} in {run.out}: it was begun with other settings or data ({changed}); "
        "another --out keeps both, --redo-changed replaces it"
    )


def _call(stage: Stage, run: Run) -> None:
    began = time.monotonic()
    try:
        stage.call(run)
    except BaseException:
        ledger.interrupt(stage, run, time.monotonic() - began)
        raise
    ledger.finish(stage, run, time.monotonic() - began)
