"""Records what each stage ran with, so that `run` repeats only what has changed: OUT/STAGE/{started,done}.json.

Both hold the settings that the stage depends on and the SHA-256 of everything it reads. `started.json` is written
before the stage, so that a training is never resumed under other settings; `done.json` after it, with its duration and
the names of the files it wrote.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import atomic_file, json_file
from .data import files
from .digests import sha256
from .package import serving
from .run import Run
from .stages import Stage

OWN = ("started.json", "done.json")
ITEMS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Basis:
    """What a stage's result depends on: setting -> value, and path -> SHA-256 (of the files below it)."""

    settings: dict[str, Any]
    inputs: dict[str, str]

    def difference(self, other: "Basis") -> str | None:
        """What differs from `other` (the older one), in words; None if nothing does."""
        found = []
        for key in sorted(self.settings.keys() | other.settings.keys()):
            now, then = self.settings.get(key), other.settings.get(key)
            if now != then:
                found.append(f"{key} was {then!r}, now {now!r}")
        changed = sorted(name for name in self.inputs.keys() | other.inputs.keys()
                         if self.inputs.get(name) != other.inputs.get(name))  # fmt: skip
        found += [f"{name} has changed" for name in changed]
        more = len(found) - ITEMS_SHOWN
        return ", ".join([*found[:ITEMS_SHOWN], *([f"{more} more"] if more > 0 else [])]) or None


def basis(stage: Stage, run: Run) -> Basis:
    """The basis of the stage if it ran now."""
    dump = run.settings.dump()
    settings: dict[str, Any] = {}
    for each in stage.settings:
        section, _, key = (dump["run"]["tier"] if each == "TIER" else each).partition(".")
        keys = [key] if key else list(dump[section])
        settings |= {f"{section}.{name}": dump[section][name] for name in keys}
    inputs = {name: digest for path in stage.reads for name, digest in _digests(run.out, run.out / path).items()}
    for each in stage.files:
        section, _, key = each.partition(".")
        named = dump[section].get(key)
        if each in settings and named:
            for place in [named] if isinstance(named, str) else named:
                inputs |= _content(each, Path(place))
    if stage.asks_program:
        inputs["the program labelstream"] = serving.identity(run.settings.export.labelstream)
    return Basis(settings, inputs)


def started(stage: Stage, run: Run) -> Basis | None:
    """The basis with which the stage last started."""
    return _basis(json_file.read_or_empty(_place(stage, run) / "started.json"))


def done(stage: Stage, run: Run) -> Basis | None:
    """The basis with which the stage last finished, if every file that it wrote still exists."""
    record = json_file.read_or_empty(_place(stage, run) / "done.json")
    if not record or not all((run.out / name).is_file() for name in record.get("outputs", [])):
        return None
    return _basis(record)


def seconds(stage: Stage, run: Run) -> float | None:
    """How long the stage took, over all its attempts; None if it is not done."""
    record = json_file.read_or_empty(_place(stage, run) / "done.json")
    return record.get("seconds")


def start(stage: Stage, run: Run) -> None:
    """Records the start of the stage; keeps the seconds of an unfinished attempt."""
    place = _place(stage, run)
    before = {} if (place / "done.json").is_file() else json_file.read_or_empty(place / "started.json")
    (place / "done.json").unlink(missing_ok=True)
    json_file.write(place / "started.json", _record(stage, basis(stage, run)) | {"seconds": before.get("seconds", 0.0)})


def interrupt(stage: Stage, run: Run, seconds_more: float) -> None:
    """Records the duration of an attempt that did not finish."""
    path = _place(stage, run) / "started.json"
    record = json_file.read_or_empty(path)
    if record:
        json_file.write(path, record | {"seconds": round(record.get("seconds", 0.0) + seconds_more, 3)})


def finish(stage: Stage, run: Run, seconds_more: float) -> None:
    """Records that the stage is done. Reads its inputs again, because `evaluate` adds to the package."""
    place = _place(stage, run)
    spent = json_file.read_or_empty(place / "started.json").get("seconds", 0.0)
    outputs = [name for path in stage.writes for name in _names(run.out, run.out / path)]
    record = _record(stage, basis(stage, run)) | {"seconds": round(spent + seconds_more, 3), "outputs": outputs}
    json_file.write(place / "done.json", record)


def forget(stage: Stage, run: Run) -> None:
    """Deletes the output and the records of the stage."""
    for path in (*(run.out / name for name in stage.writes), _place(stage, run)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _place(stage: Stage, run: Run) -> Path:
    return run.out / stage.name


def _record(stage: Stage, of: Basis) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"stage": stage.name, "time": now, "settings": of.settings, "inputs": of.inputs}


def _basis(record: dict[str, Any]) -> Basis | None:
    return None if not record else Basis(record["settings"], record["inputs"])


def _content(key: str, place: Path) -> dict[str, str]:
    """Digests of the file or folder that a setting names; in a data folder, only of files with rows."""
    if key == "data.path" and place.is_dir():
        found = files.find(place)
        paths = sorted({*found.train, *found.validation, *found.test})
        return {f"{key} {path.relative_to(place)}": sha256(path) for path in paths}
    if place.is_dir():
        return {f"{key} {name}": digest for name, digest in _digests(place, place).items()}
    if key == "validate.tokenizer":  # usually an installed package
        from .validate.lengths import find

        place = find(str(place)) or place
    return {f"{key} {place.name}": sha256(place)} if place.is_file() else {}


def _digests(root: Path, path: Path) -> dict[str, str]:
    return {name: sha256(root / name) for name in _names(root, path)}


def _names(root: Path, path: Path) -> list[str]:
    """Files at or below `path`, relative to `root`, except the ledger's own and unfinished ones."""
    below = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [str(each.relative_to(root)) for each in below
            if each.is_file() and each.name not in OWN and not each.name.endswith(atomic_file.SUFFIX)]  # fmt: skip
