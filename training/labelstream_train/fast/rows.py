"""N-grams ("rows") of two or three tokens with a vector of their own, and how a graph finds them.

The key of a row is a number computed from its token ids. The usual hashing into a table of vectors gives every row that
training never saw the vector of some other row: noise. Here a perfect hash leads to the only candidate, whose key is
then compared. It needs only integer division and table look-ups, which an ONNX graph can do (Belazzougui et al. 2009,
"Hash, displace, and compress").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError

NONE = 0
"""The number that stands for all rows without a vector."""

_NO_KEY = -1
_KEYS_PER_BUCKET = 3
_SLOTS_PER_KEY = 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows are numbered from 1 in the order of their keys.

    A key k lies in the slot `(k % slots + shifts[k % buckets]) % slots`, which holds the number of the row;
    `keys[number]` is that row's key, `keys[0]` is -1.
    """

    words: int
    """Size of the vocabulary: token ids are below it."""
    longest: int
    """Tokens of the longest rows, 1..=3; 1: no rows."""
    keys: np.ndarray
    """[rows + 1] int64, ascending."""
    shifts: np.ndarray
    """[buckets] int64, not negative."""
    slots: np.ndarray
    """[slots] int64: numbers of rows, 0 in free slots."""

    @property
    def count(self) -> int:
        """How many rows have a vector."""
        return len(self.keys) - 1

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Numbers of the rows with these keys, 0 if unknown, computed as the graph does."""
        slot = (keys % len(self.slots) + self.shifts[keys % len(self.shifts)]) % len(self.slots)
        number = self.slots[slot]
        return np.where(self.keys[number] == keys, number, NONE)


@dataclass(frozen=True, slots=True)
class Flat:
    """Token ids of many texts, one after the other; `owner` [tokens] is the place of each one's text."""

    ids: np.ndarray
    owner: np.ndarray
    texts: int

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]]) -> "Flat":
        """From a list of token ids per text."""
        lengths = np.array([len(each) for each in ids], np.int64)
        flat = np.fromiter((token for each in ids for token in each), np.int64, int(lengths.sum()))
        return cls(flat, np.repeat(np.arange(len(ids)), lengths), len(ids))

    def keys(self, words: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """(owner, key) of every row of 2 to `longest` tokens."""
        owners, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for length in range(2, longest + 1):
            inside = self.owner[length - 1 :] == self.owner[: len(self.owner) - length + 1]
            parts = [self.ids[start : len(self.ids) - length + 1 + start][inside] for start in range(length)]
            owners.append(self.owner[length - 1 :][inside])
            keys.append(key(parts, words))
        return np.concatenate(owners), np.concatenate(keys)


def key(parts: Sequence[np.ndarray], words: int) -> np.ndarray:
    """The key of rows of two or three token ids: `a * words + b`, or `((a + 1) * words + b) * words + c`.

    Keys of two and of three tokens never collide: the former are below `words` squared.
    """
    if len(parts) == 2:
        return parts[0] * words + parts[1]
    return ((parts[0] + 1) * words + parts[1]) * words + parts[2]


def learn(flat: Flat, words: int, longest: int, count_min: int, rows_max: int) -> Rows:
    """The rows that occur in at least `count_min` texts; if more than `rows_max`, the most frequent."""
    if words >= 2_000_000:
        raise UserError(f"compute n-gram keys: a vocabulary of {words} tokens is too large")
    owners, keys = flat.keys(words, longest)
    pairs = np.unique(np.stack([keys, owners]), axis=1)
    known, counts = np.unique(pairs[0], return_counts=True)
    known, counts = known[counts >= count_min], counts[counts >= count_min]
    commonest = np.lexsort((known, -counts))[:rows_max]
    return build(np.sort(known[commonest]), words, longest)


def build(known: np.ndarray, words: int, longest: int) -> Rows:
    """The tables for these keys (ascending, each once)."""
    keys = np.concatenate([[_NO_KEY], known]).astype(np.int64)
    buckets = _prime(len(known) // _KEYS_PER_BUCKET + 2)
    size = _prime(max(len(known) * _SLOTS_PER_KEY, buckets) + 1)
    while (tables := _displace(known, buckets, size)) is None:
        size = _prime(size + 1)
    return Rows(words, longest, keys, *tables)


def _displace(known: np.ndarray, buckets: int, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(shifts, slots), largest buckets first; None if two keys of a bucket always collide."""
    shifts, slots = np.zeros(buckets, np.int64), np.zeros(size, np.int64)
    members: dict[int, list[int]] = {}
    for place, bucket in enumerate((known % buckets).tolist()):
        members.setdefault(bucket, []).append(place)
    home = (known % size).tolist()
    taken = bytearray(size)
    for bucket, places in sorted(members.items(), key=lambda each: (-len(each[1]), each[0])):
        homes = [home[place] for place in places]
        if len(set(homes)) < len(homes):
            return None
        shift = next((s for s in range(size) if not any(taken[(h + s) % size] for h in homes)), None)
        if shift is None:
            return None
        shifts[bucket] = shift
        for place, at in zip(places, homes, strict=True):
            taken[(at + shift) % size] = 1
            slots[(at + shift) % size] = place + 1
    return shifts, slots


def _prime(least: int) -> int:
    """The smallest prime from `least` on."""
    number = max(2, least)
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number += 1
    return number
