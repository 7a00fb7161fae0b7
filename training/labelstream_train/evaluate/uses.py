"""Counts how often a test set was looked at: figures chosen among many looks are better than the model is."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .. import json_file
from ..data.examples import Example
from ..errors import UserError

NAME = "test_uses.json"


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of the texts and labels in order; other slices or groups are the same test."""
    digest = hashlib.sha256()
    for each in examples:
        digest.update(json.dumps([each.text, sorted(each.labels)], ensure_ascii=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def count(folder: Path, test: str, model: str) -> dict:
    """Notes one evaluation of the model (its digest) on the test (its fingerprint) in `folder`.

    `folder` is the run's own, not that of the stage, which is emptied before the stage runs again. Returns
    {fingerprint, evaluations, models}: how many there were, this one included, and of how many models.
    """
    path = folder / NAME
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        models = known.setdefault(test, {})
        models[model] = int(models.get(model, 0)) + 1
    except (OSError, ValueError, AttributeError, TypeError) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    json_file.write(path, known)
    return {"fingerprint": test, "evaluations": sum(models.values()), "models": len(models)}


def warning(uses: dict) -> str | None:
    """What a reader of the figures must know, or None at the first evaluation."""
    if uses["evaluations"] < 2:
        return None
    return (
        f"The test texts were evaluated {uses['evaluations']} times in this run folder, on {uses['models']} model(s). "
        "Where a choice was made by what was seen, the figures are too good."
    )
