"""The fast tier's model: the sum of the vectors of a text's tokens and n-grams, and one linear head.

logits = (sum of vectors / sqrt(their number)) @ head + bias. It is a linear model over tokens and n-grams of low rank,
so that words of similar meaning share what is learnt of one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from .. import atomic_file
from ..errors import UserError
from .rows import NONE, Flat, Rows


@dataclass(frozen=True, slots=True)
class Network:
    """`vectors` [words + rows + 1, dimensions] f32: first the tokens, then n-gram 0 (always zero), then the n-grams."""

    rows: Rows
    vectors: np.ndarray
    head: np.ndarray
    """[dimensions, labels] f32."""
    bias: np.ndarray
    """[labels] f32."""

    def logits(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """[texts, labels] f32 from token ids, specials included."""
        return pooled(features(self.rows, ids), self.vectors) @ self.head + self.bias

    def save(self, path: Path) -> None:
        """Writes everything as one .npz file, which appears whole or not at all."""
        parts = {name: getattr(self, name) for name in ("vectors", "head", "bias")}
        tables = {name: getattr(self.rows, name) for name in ("keys", "shifts", "slots")}
        sizes = np.array([self.rows.words, self.rows.longest])
        write_arrays(path, {"sizes": sizes, **tables, **parts})

    @classmethod
    def load(cls, path: Path) -> "Network":
        """What `save` wrote."""
        arrays = read_arrays(path)
        words, longest = map(int, arrays["sizes"])
        rows = Rows(words, longest, *(arrays[name] for name in ("keys", "shifts", "slots")))
        return cls(rows, *(arrays[name] for name in ("vectors", "head", "bias")))


def features(rows: Rows, ids: Sequence[Sequence[int]]) -> sparse.csr_matrix:
    """[texts, words + rows + 1] f32: the tokens and known n-grams of each text, weighted 1 / sqrt(their number)."""
    flat = Flat.of(ids)
    owners, keys = flat.keys(rows.words, rows.longest)
    numbers = rows.find(keys)
    known = numbers != NONE
    owner = np.concatenate([flat.owner, owners[known]])
    column = np.concatenate([flat.ids, rows.words + numbers[known]])
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=flat.texts)
    weights = np.repeat((1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32), counts)
    shape = (flat.texts, rows.words + rows.count + 1)
    return sparse.csr_matrix((weights, column[order], np.concatenate([[0], np.cumsum(counts)])), shape)


def pooled(found: sparse.csr_matrix, vectors: np.ndarray) -> np.ndarray:
    """[texts, dimensions] f32: the input of the head."""
    return np.asarray(found @ vectors)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """One .npz file, which appears whole or not at all."""

    def save(unfinished: Path) -> None:
        with unfinished.open("wb") as file:  # given a path, numpy would add .npz to its name
            np.savez(file, **arrays)

    atomic_file.replace(path, save)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What `write_arrays` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause
