"""Finds the train, validation and test files of a folder.

It understands plain folders (`train.csv`, `test.jsonl.gz`, `dev.parquet`, `train-00000-of-00002.parquet`), the
layout of the Hugging Face hub (the same names in `data/` or one folder below), and the output of
`Dataset.save_to_disk` and `DatasetDict.save_to_disk` (`state.json` names the Arrow files).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..json_file import read_object

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow")
PACKINGS = (".gz", ".zst")
PARTS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
         "dev": "validation", "test": "test"}  # fmt: skip
"""First word of a file's name -> the part it belongs to."""

_ABOUT = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""Hugging Face files that describe data and contain none."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files of each part, ordered by name. `ignored` are data files whose names match no part."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    ignored: tuple[Path, ...] = ()


def find(place: Path) -> Found:
    """The files at `place`: a file is all train; in a folder, the names tell the parts."""
    if place.is_file():
        format_of(place)
        return Found((place,))
    if not place.is_dir():
        raise UserError(f"find the data: {place} is neither a file nor a folder")
    if (place / "dataset_dict.json").is_file():
        splits = read_object(place / "dataset_dict.json").get("splits", [])
        return _by_part({str(split): saved(place / str(split)) for split in splits}, place)
    if (place / "state.json").is_file():
        return Found(saved(place))
    for folder in (place, place / "data", *_only_folder(place)):
        files = sorted(each for each in folder.glob("*") if each.is_file() and is_data(each))
        if files:
            return _of_folder(files, place)
    raise UserError(f"find the data: {place} has no {', '.join(FORMATS)} file (or one of these with .gz or .zst)")


def is_data(path: Path) -> bool:
    """Whether this is a data file, by its name."""
    return path.name not in _ABOUT and not path.name.startswith((".", "cache-")) and kind(path) in FORMATS


def format_of(path: Path) -> str:
    """`.csv` for train.csv.gz; the error lists the supported formats."""
    found = kind(path)
    if found not in FORMATS:
        raise UserError(
            f"read {path}: expected a name that ends in {', '.join(FORMATS)} (or one of these with .gz or .zst)"
        )
    return found


def packing_of(path: Path) -> str | None:
    """`.gz` for train.csv.gz."""
    return path.suffix if path.suffix in PACKINGS else None


def saved(folder: Path) -> tuple[Path, ...]:
    """The Arrow files of one `Dataset.save_to_disk`, in order."""
    state = read_object(folder / "state.json")
    if state.get("_indices_data_files"):
        raise UserError(f"read {folder}: it has an indices mapping; call flatten_indices() and save it again")
    names = [each["filename"] for each in state.get("_data_files", [])]
    paths = tuple(folder / Path(name).name for name in names)
    if not paths:
        raise UserError(f"find the data: {folder / 'state.json'} names no files")
    return paths


def _of_folder(files: Sequence[Path], place: Path) -> Found:
    by_part: dict[str, tuple[Path, ...]] = {}
    for file in files:
        word = re.split(r"[-_.]", file.name.lower(), maxsplit=1)[0]
        by_part[word] = (*by_part.get(word, ()), file)
    if "train" not in {PARTS.get(word) for word in by_part} and len(files) == 1:
        return Found(tuple(files))
    return _by_part(by_part, place)


def _by_part(words: dict[str, tuple[Path, ...]], place: Path) -> Found:
    """Groups files by part; `words` are the first words of file names, or names of splits."""
    parts: dict[str, tuple[Path, ...]] = {}
    for word, files in words.items():
        part = PARTS.get(word, "ignored")
        if part != "ignored" and part in parts:
            raise UserError(f"find the data: {place} has {parts[part][0].name} and {files[0].name}, both {part}")
        parts[part] = (*parts.get(part, ()), *files)
    if "train" not in parts:
        names = ", ".join(sorted(file.name for files in words.values() for file in files)[:5])
        raise UserError(f"find the data: expected a train file in {place}, found {names}")
    return Found(**parts)


def _only_folder(place: Path) -> list[Path]:
    folders = [each for each in place.iterdir() if each.is_dir() and not each.name.startswith(".")]
    return folders if len(folders) == 1 else []


def kind(path: Path) -> str:
    """`.csv` for train.csv.gz, supported or not."""
    return Path(path.stem).suffix.lower() if path.suffix in PACKINGS else path.suffix.lower()
