"""Predictions of earlier models (teachers), for distillation. Needs no torch.

A teacher is a model package, an exported run folder, or any folder with model.onnx, tokenizer.json and config.json. Its
logits on the given texts are computed once and cached by the digests of the model and of the texts.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import atomic_file
from ..errors import UserError
from ..package.calibration import sigmoid
from ..package.scorer import Scorer
from ..progress import Progress
from ..statistics.metrics import softmax

TEXTS_AT_ONCE = 1024
MODEL_FILES = ("model.onnx", "tokenizer.json", "config.json")


def soft_labels(logits: np.ndarray, temperature: float, is_multi_label: bool) -> np.ndarray:
    """[texts, labels] f32: mean over teachers ([teachers, texts, labels] logits) of probabilities at `temperature`."""
    probabilities = sigmoid if is_multi_label else softmax
    return probabilities(logits, temperature).mean(axis=0).astype(np.float32)


def teacher_logits(
    teachers: Sequence[str], labels: Sequence[str], texts: Sequence[str], cache: Path, threads: int = 0
) -> np.ndarray:
    """[teachers, texts, labels] f32 in the order given, columns in the order of `labels`."""
    return np.stack([_logits(find(teacher), labels, texts, cache, threads) for teacher in teachers])


def find(teacher: str) -> Path:
    """The folder with the model files of a teacher; in a run folder, the fp32 model if there is one."""
    place = Path(teacher)
    for folder in (place / "fp32", place / "package", place):
        if all((folder / file).is_file() for file in MODEL_FILES):
            return folder
    raise UserError(f"use the teacher {teacher}: expected a model package or an exported run, found no model.onnx")


def digest(folder: Path) -> str:
    """sha256 over the three model files."""
    total = hashlib.sha256()
    for file in MODEL_FILES:
        total.update(hashlib.sha256((folder / file).read_bytes()).digest())
    return total.hexdigest()


def _logits(folder: Path, labels: Sequence[str], texts: Sequence[str], cache: Path, threads: int) -> np.ndarray:
    scorer = Scorer(folder, _manifest(folder), threads)
    if set(scorer.labels) != set(labels):
        differing = sorted(set(scorer.labels) ^ set(labels))
        raise UserError(f"use the teacher {folder}: its labels differ from those of the data: {differing[:5]}")
    columns = [scorer.labels.index(label) for label in labels]
    key = json.dumps([digest(folder), scorer.tokens_max, list(labels), list(texts)], ensure_ascii=False)
    path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    if path.is_file():
        return np.load(path, allow_pickle=False)
    rows = []
    with Progress(f"teacher {folder.name}", len(texts), "texts") as progress:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            rows.append(scorer.logits(texts[start : start + TEXTS_AT_ONCE])[:, columns])
            progress.add(len(rows[-1]))
    found = np.concatenate(rows)
    atomic_file.replace(path, lambda unfinished: _save(unfinished, found))
    return found


def _save(path: Path, logits: np.ndarray) -> None:
    with path.open("wb") as file:  # given a path, numpy would add .npy to its name
        np.save(file, logits, allow_pickle=False)


def _manifest(folder: Path) -> dict | None:
    """Without labelstream.json, the input may be as long as the model takes."""
    return None if (folder / "labelstream.json").is_file() else {}
