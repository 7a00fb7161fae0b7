"""Counts the evaluations on a test set: the best of many is too optimistic."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .. import json_file
from ..data.examples import Example
from ..errors import UserError

NAME = "test_uses.json"


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of the texts and labels in order; slices and groups do not matter."""
    digest = hashlib.sha256()
    for each in examples:
        digest.update(json.dumps([each.text, sorted(each.labels)], ensure_ascii=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def count(folder: Path, test: str, model: str) -> dict:
    """Counts one evaluation of the model (its digest) on the test (its fingerprint) in `folder`.

    `folder` is the run's, not the stage's, which is emptied before the stage runs again. Returns {fingerprint,
    evaluations, models}: the evaluations including this one, and the number of models.
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
    """A warning for readers of the metrics; None at the first evaluation."""
    if uses["evaluations"] < 2:
        return None
    return (
        f"The test texts were evaluated {uses['evaluations']} times in this run folder, on {uses['models']} model(s). "
        "If any choice was based on the results, the metrics are too optimistic."
    )
