"""Finds near duplicates without comparing all pairs.

MinHash (Broder 1997) over 4-character n-grams with banding (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets,
3.4) proposes pairs. Each is then checked exactly, so there are no false pairs; with 16 bands of 4 rows, a pair at
similarity 0.8 is missed once in 5,000. Similarity is Jaccard: common n-grams over all n-grams of both.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import HashingVectorizer

from ..progress import Progress

RUN = 4
"""Characters of an n-gram. With 3, unrelated short questions look alike; with 5, one typo hides a pair."""

FRAME = "\x02\x02"
"""Padding around each text; spaces would be collapsed."""

BANDS, BAND_ROWS = 16, 4
BUCKET_MAX = 32
"""Largest bucket whose texts are all compared with each other. In a larger one each is compared with the next few only:
a thousand texts of one template then cost thousands of comparisons, not a million."""

NEXT = 4
CHUNK = 4096


def pairs(texts: Sequence[str], similarity: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places [pairs, 2] int64 of near duplicates, smaller place first, and their similarities [pairs] f32.

    `texts` should be distinct and of bounded length. The same seed gives the same pairs.
    """
    if len(texts) < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    runs = _runs(texts)
    proposed = _proposed(_signatures(runs, seed))
    similarities = _similarities(runs, proposed)
    near = similarities >= similarity
    return proposed[near], similarities[near]


def _runs(texts: Sequence[str]) -> csr_matrix:
    """[texts, hashes] 0 or 1: the n-grams of each text. The padding gives the shortest texts one, too."""
    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(RUN, RUN), n_features=2**31 - 1, binary=True, norm=None,
        alternate_sign=False, lowercase=False, dtype=np.int32,
    )  # fmt: skip
    return hashing.transform([FRAME + text + FRAME for text in texts])


def _signatures(runs: csr_matrix, seed: int) -> np.ndarray:
    """[texts, bands x rows] u32: the minimum hash of a text's n-grams under each of several hash functions.

    Multiply-shift hashing (Dietzfelbinger et al. 1997): the upper half of a * x + b modulo 2^64.
    """
    dice = np.random.default_rng(seed)
    factors = dice.integers(1, 2**63, BANDS * BAND_ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = dice.integers(0, 2**63, BANDS * BAND_ROWS, dtype=np.uint64)
    signatures = np.empty((runs.shape[0], BANDS * BAND_ROWS), np.uint32)
    with Progress("comparing texts", runs.shape[0], "texts") as progress:
        for start in range(0, runs.shape[0], CHUNK):
            bounds = runs.indptr[start : start + CHUNK + 1]
            values = runs.indices[bounds[0] : bounds[-1]].astype(np.uint64)
            for place, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
                hashes = ((values * factor + offset) >> np.uint64(32)).astype(np.uint32)
                signatures[start : start + CHUNK, place] = np.minimum.reduceat(hashes, bounds[:-1] - bounds[0])
            progress.add(len(bounds) - 1)
    return signatures


def _proposed(signatures: np.ndarray) -> np.ndarray:
    """[pairs, 2] distinct places of texts that agree in a band."""
    found = [np.zeros((0, 2), np.int64)]
    for band in range(BANDS):
        rows = np.ascontiguousarray(signatures[:, band * BAND_ROWS : (band + 1) * BAND_ROWS])
        keys = rows.view(np.dtype((np.void, rows.itemsize * BAND_ROWS))).ravel()
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
        starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(keys)]])
        sizes = ends - starts
        for size in np.unique(sizes[sizes > 1]):
            first, second = _compared(int(size))
            buckets = starts[sizes == size][:, None]
            found.append(np.stack([order[buckets + first].ravel(), order[buckets + second].ravel()], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _compared(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which places of a bucket are compared: all pairs, or in a large bucket each with the next few."""
    if size <= BUCKET_MAX:
        return np.triu_indices(size, 1)
    first = np.repeat(np.arange(size), NEXT)
    second = first + np.tile(np.arange(1, NEXT + 1), size)
    return first[second < size], second[second < size]


def _similarities(runs: csr_matrix, places: np.ndarray) -> np.ndarray:
    """[pairs] f32: Jaccard similarity of each pair."""
    sizes = np.diff(runs.indptr)
    common = np.zeros(len(places), np.int64)
    for start in range(0, len(places), CHUNK * 4):
        part = places[start : start + CHUNK * 4]
        both = runs[part[:, 0]].multiply(runs[part[:, 1]])
        common[start : start + len(part)] = np.asarray(both.sum(axis=1)).ravel()
    return (common / (sizes[places[:, 0]] + sizes[places[:, 1]] - common)).astype(np.float32)
