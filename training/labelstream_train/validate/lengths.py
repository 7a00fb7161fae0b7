"""Lengths of the texts, in characters and, with a tokenizer, in tokens."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .. import installed
from .corpus import Corpus
from .finding import Finding, counted, head, percent
from .settings import ValidateSettings

CHUNK = 1000


def characters(corpus: Corpus) -> np.ndarray:
    """[rows] int64."""
    return np.array([len(row.example.text) for row in corpus.rows], np.int64)


def tokens(corpus: Corpus, settings: ValidateSettings) -> np.ndarray | None:
    """[rows] int64, special tokens included; None without a tokenizer. First truncates to 20 characters per token."""
    file = None if settings.tokenizer is None else find(settings.tokenizer)
    if file is None:
        return None
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [row.example.text[: 20 * settings.tokens_max] for row in corpus.rows]
    chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    return np.array([len(coded.ids) for chunk in chunks for coded in tokenizer.encode_batch(chunk)], np.int64)


def find(name: str) -> Path | None:
    """tokenizer.json in the folder or the installed package called `name`, without importing the package."""
    folder = Path(name)
    if not folder.is_dir():
        package = installed.folder(name)
        if package is None:
            return None
        folder = package
    return next(iter([*folder.glob("tokenizer.json"), *sorted(folder.glob("*/tokenizer.json"))]), None)


def check(corpus: Corpus, counts: np.ndarray | None, settings: ValidateSettings) -> Iterator[Finding]:
    """Texts that the encoder truncates."""
    if counts is None:
        return
    rows = [corpus.rows[place] for place in np.flatnonzero(counts > settings.tokens_max)]
    share = len(rows) / max(1, len(corpus))
    yield Finding(
        "length.tokens",
        "info",
        len(rows),
        len(corpus),
        f"{counted(len(rows), 'text')} ({percent(share)}) with more than {settings.tokens_max} tokens",
        "raise export.tokens_max if the end of a text matters, or set model.long_text when serving",
        head(rows, settings.examples_max),
    )


def summary(counts: Sequence[int] | np.ndarray | None) -> dict[str, float] | None:
    """Mean and quantiles of lengths."""
    if counts is None or len(counts) == 0:
        return None
    p50, p95, p99 = (round(float(each), 1) for each in np.quantile(counts, (0.5, 0.95, 0.99)))
    return {
        "mean": round(float(np.mean(counts)), 1), "p50": p50, "p95": p95, "p99": p99, "max": int(np.max(counts))
    }  # fmt: skip
