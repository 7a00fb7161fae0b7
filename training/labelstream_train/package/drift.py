"""The drift reference of a package: `labelstream drift calibrate` over its predictions for known texts.

The texts are labelled here as the classifier would label them, written as labelled events to a temporary folder, and
counted by the program. Only counts ship: no texts and no readable words.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from . import manifest
from .scorer import CHARACTERS_PER_TOKEN, Scorer

TOP = 5
SECONDS_MAX = 600
START_MS = 1_704_067_200_000
"""Artificial time of the events, the hour from 2024-01-01 UTC: one window, as the texts have no order."""
HOUR_MS = 3_600_000


def write_reference(program: Path, folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Writes drift.profile beside the package's other files and lists it in the manifest; returns its entry."""
    name = manifest.read(folder).get("name") or folder.name
    profile = (folder / manifest.DRIFT_PROFILE).resolve()  # the program runs in another folder
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{name.replace('/', '-')}.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            for event in events(folder, texts):
                lines.write(json.dumps(event, ensure_ascii=False) + "\n")
        _calibrate(
            [
                program.resolve(),
                "drift",
                "calibrate",
                file,
                "--out",
                profile,
                "--name",
                f"{name}-unseen",
                "--granularity",
                "1h",
            ],
            Path(scratch),
        )
    listed = {"file": profile.name} | manifest.file_digest(profile)
    manifest.write(folder, manifest.read(folder) | {"drift_reference": listed})
    return listed


def events(folder: Path, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Labelled events (schemas/json/labeled-event.schema.json) of texts; blank texts are left out."""
    scorer, about = Scorer(folder), manifest.read(folder)
    model = {
        "name": about.get("name") or folder.name,
        "version": about.get("version") or "0",
        "digest": manifest.package_digest(folder),
    }
    kept = [text for text in texts if text.strip()]
    rows = scorer.probabilities(kept)
    given = scorer.given(rows)
    for number, (text, row, labels) in enumerate(zip(kept, rows, given, strict=True)):
        yield {
            "text": text,
            **answer(scorer, row, labels),
            "model": model,
            "signals": signals(scorer, text, row),
            "source": {
                "topic": "held-out",
                "partition": 0,
                "offset": number,
                "event_time_ms": START_MS + number * (HOUR_MS - 1) // max(1, len(kept) - 1),
            },
        }


def answer(scorer: Scorer, row: np.ndarray, given: np.ndarray) -> dict[str, Any]:
    """`label`, `score` and `labels` as the classifier writes them (engine/src/label.rs), from one text's scores."""
    ranked = np.argsort(-row, kind="stable")
    listed = [place for place in ranked if given[place] or not scorer.is_multi_label][:TOP]
    label, score = scorer.answers(row[None])[0]
    return {
        "label": label,
        "score": float(np.float32(score)),
        "labels": [{"label": scorer.labels[place], "score": float(np.float32(row[place]))} for place in listed],
    }


def signals(scorer: Scorer, text: str, row: np.ndarray) -> dict[str, Any]:
    """Signals of a text and its scores, as the classifier computes them (engine/src/signals.rs, tokens.rs)."""
    read = text[: scorer.tokens_max * CHARACTERS_PER_TOKEN]
    tokens = scorer.tokens_uncut(read)
    own = len(tokens) if read == text else (len(tokens) * len(text) + len(read) // 2) // len(read)
    special = scorer.special_tokens
    ranked = np.sort(row)[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.nan_to_num(row * np.log(row))
        switched = -np.nan_to_num((1 - row) * np.log(1 - row))
    if scorer.is_multi_label:
        entropy = (surprise + switched).sum() / np.log(2) / len(row)
    else:
        entropy = surprise.sum() / np.log(len(row)) if len(row) > 1 else 0.0
    return {
        "characters": len(text),
        "n_tokens": own + special,
        "truncated": read != text or len(tokens) + special > scorer.tokens_max,
        "unknown_rate": sum(token == scorer.unknown_id for token in tokens) / len(tokens) if tokens else 0.0,
        "entropy": float(np.clip(entropy, 0.0, 1.0)),
        "margin": float(ranked[0] - ranked[1]) if len(row) > 1 else None,
    }


def _calibrate(command: Sequence[str | Path], folder: Path) -> None:
    """Runs outside the user's folder, so that no settings file there takes effect."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise UserError(f"make the drift reference with {command[0]}: {cause}") from cause
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"make the drift reference with {command[0]}: {last}")
