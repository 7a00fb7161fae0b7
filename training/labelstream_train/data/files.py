"""Finds which files of a folder are train, validation and test, whoever wrote the folder.

Understood are plain folders (`train.csv`, `test.jsonl.gz`, `dev.parquet`, `train-00000-of-00002.parquet`), the
layout of Hugging Face's hub (the same names in `data/` or one folder further down) and what
`Dataset.save_to_disk` and `DatasetDict.save_to_disk` write (`state.json` names the Arrow files).
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
"""Files of Hugging Face that describe data and hold none."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files of each part, in order of their names. `ignored` are data files that no part claims."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    ignored: tuple[Path, ...] = ()


def find(place: Path) -> Found:
    """The files behind `place`: a file is all train; in a folder, names say the part."""
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
    raise UserError(f"find the data: {place} holds no {', '.join(FORMATS)} file (nor one with .gz or .zst behind)")


def is_data(path: Path) -> bool:
    """Whether the name is that of a file with rows."""
    return path.name not in _ABOUT and not path.name.startswith((".", "cache-")) and kind(path) in FORMATS


def format_of(path: Path) -> str:
    """`.csv` of train.csv.gz; the error names what could be read."""
    found = kind(path)
    if found not in FORMATS:
        raise UserError(f"read {path}: expected a name that ends with {', '.join(FORMATS)} (and .gz or .zst)")
    return found


def packing_of(path: Path) -> str | None:
    """`.gz` of train.csv.gz."""
    return path.suffix if path.suffix in PACKINGS else None


def saved(folder: Path) -> tuple[Path, ...]:
    """The Arrow files of one `Dataset.save_to_disk`, in their order."""
    state = read_object(folder / "state.json")
    if state.get("_indices_data_files"):
        raise UserError(f"read {folder}: its rows stand behind indices; save it again with datasets 2.0 or newer")
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
    """`words` are first words of file names, or names of splits."""
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
    """`.csv` of train.csv.gz, whether or not we read that format."""
    return Path(path.stem).suffix.lower() if path.suffix in PACKINGS else path.suffix.lower()
