"""Latency of one text and throughput on this machine, tokenizer included.

Lengths and thread counts alternate within a round, in random order, so that a temporary slowdown affects all of them.
This is the speed in Python; `make bench` measures the classifier itself.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from ..package.scorer import Scorer
from ..statistics.intervals import Estimate, quantile
from . import machine

LENGTHS = (8, 16, 32, 64, 128)
"""Tokens, specials included."""

Place = tuple[int, int]
"""(threads, tokens) of one measurement."""

WARM_UPS = 5
BATCH_TEXTS = 256
BATCH_ROUNDS = 15
"""Rounds: of 15 values, the 4th and 12th are the 95 % interval of the median."""


def measure(folder: Path, texts: Sequence[str], repeats: int, minutes_max: float, seed: int) -> dict:
    """{machine, load_before, load_after, steal, single: [{tokens, threads, p50_ms, p99_ms : estimates}],
    batch: [{threads, texts, tokens, texts_per_second : estimate}], is_cut}.

    `tokens` of a single text is its length after truncation, of a batch the mean length of the test texts. `steal` is
    the share of all cores' time that the host took. `is_cut`: the time limit was reached.
    """
    threads = sorted({1, machine.cores()})
    scorers = {count: Scorer(folder, threads=count) for count in threads}
    before, load_before, dice = machine.ticks(), machine.load(), Random(seed)
    deadline = time.monotonic() + 60 * minutes_max
    singles = of_lengths(scorers[1], texts)
    places = [(count, tokens) for count in threads for tokens in singles]
    single_s = _rounds(places, repeats, deadline, dice, lambda count, tokens: _timed(scorers[count], [singles[tokens]]))
    batch = [texts[dice.randrange(len(texts))] for _ in range(BATCH_TEXTS)]
    batch_s = _rounds([(count, 0) for count in threads], min(BATCH_ROUNDS, repeats), deadline + 30 * minutes_max, dice,
                      lambda count, _: _timed(scorers[count], batch))  # fmt: skip
    stolen, total = (after - first for after, first in zip(machine.ticks(), before, strict=True))
    mean_tokens = float(np.mean([len(ids) for ids in scorers[1].ids(batch)]))
    return {
        "machine": machine.describe(),
        "load_before": load_before,
        "load_after": machine.load(),
        "steal": stolen / total if total else None,
        "single": [
            {"tokens": tokens, "threads": count, "p50_ms": _ms(seconds, 0.5), "p99_ms": _ms(seconds, 0.99)}
            for (count, tokens), seconds in sorted(single_s.items())
        ],
        "batch": [
            {
                "threads": count,
                "texts": BATCH_TEXTS,
                "tokens": mean_tokens,
                "texts_per_second": quantile(BATCH_TEXTS / np.array(seconds), 0.5),
            }
            for (count, _), seconds in sorted(batch_s.items())
        ],
        "is_cut": len(single_s[places[0]]) < repeats,
    }


def of_lengths(scorer: Scorer, texts: Sequence[str]) -> dict[int, str]:
    """Token count -> a text with so many tokens, from words of the given texts; counts out of reach are left out."""
    words = [word for text in texts[:500] for word in text.split()] or ["text"]
    found = {}
    for wanted in LENGTHS:
        chosen: list[str] = []
        for word in (words * (1 + 2 * wanted // len(words)))[: 4 * wanted]:
            tokens = len(scorer.ids([" ".join([*chosen, word])])[0])
            if tokens <= wanted:
                chosen.append(word)
            if tokens == wanted:
                break
        if chosen:
            found[len(scorer.ids([" ".join(chosen)])[0])] = " ".join(chosen)
    return found


def _rounds(
    places: Sequence[Place], repeats: int, deadline: float, dice: Random, call: Callable[[int, int], float]
) -> dict[Place, list[float]]:
    """Seconds of each place's calls, without warm-up. At least two rounds, whatever the time limit."""
    found: dict[Place, list[float]] = {place: [] for place in places}
    for place in places:
        for _ in range(min(WARM_UPS, repeats)):
            call(*place)
    for turn in range(repeats):
        if turn > 1 and time.monotonic() > deadline:
            break
        for place in dice.sample(list(places), len(places)):
            found[place].append(call(*place))
    return found


def _timed(scorer: Scorer, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    scorer.logits(texts)
    return time.perf_counter() - started


def _ms(seconds: Sequence[float], level: float) -> Estimate:
    return quantile(np.array(seconds) * 1000, level)
