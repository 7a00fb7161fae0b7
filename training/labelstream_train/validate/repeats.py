"""Duplicates and near duplicates: within a part, with different labels, and across parts, where they leak into test.

Duplicates are the same but for case and white space, as in the split, which keeps them together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .corpus import LEARNT_FROM, Corpus
from .finding import Finding, counted, percent, shown
from .settings import ValidateSettings
from .similar import pairs


def check(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """Duplicates first; then near duplicates, if enabled."""
    same = [places for places in corpus.by_normal().values() if len(places) > 1]
    yield _duplicates(corpus, same, settings)
    yield _conflicts(corpus, same, settings)
    yield from _leakage(corpus, same, settings)
    if settings.near:
        near = Near.search(corpus, settings)
        yield near.duplicates(settings)
        yield near.conflicts(settings)
        yield from near.leakage(settings)


def _duplicates(corpus: Corpus, same: Sequence[Sequence[int]], settings: ValidateSettings) -> Finding:
    """Counts repeated rows of a text within a part."""
    repeated = []
    for places in same:
        seen: set[str] = set()
        for place in places:
            if corpus.given[place] in seen:
                repeated.append((place, places[0]))
            seen.add(corpus.given[place])
    return Finding(
        "duplicate.exact",
        "warning",
        len(repeated),
        len(corpus),
        f"{counted(len(repeated), 'row repeats', 'rows repeat')} a text of the same part",
        "nothing, if such texts are as frequent in live messages; else keep one of each",
        _examples(corpus, repeated, settings),
    )


def _conflicts(corpus: Corpus, same: Sequence[Sequence[int]], settings: ValidateSettings) -> Finding:
    """Counts the rows of texts that occur with different labels."""
    rows, pairs_shown = 0, []
    for places in same:
        labelled = [place for place in places if corpus.is_labelled(place)]
        other = [place for place in labelled if _labels(corpus, place) != _labels(corpus, labelled[0])]
        if other:
            rows += len(labelled)
            pairs_shown.append((labelled[0], other[0]))
    share = rows / max(1, len(corpus))
    return Finding(
        "conflict.exact",
        "error" if share > settings.conflict_share_max else "warning",
        rows,
        len(corpus),
        f"{counted(rows, 'row')} ({percent(share)}) of {counted(len(pairs_shown), 'text')} with different labels",
        "choose one label for each; if both are right, the data is multi-label",
        _examples(corpus, pairs_shown, settings),
    )


def _leakage(corpus: Corpus, same: Sequence[Sequence[int]], settings: ValidateSettings) -> Iterator[Finding]:
    """Test texts that are also in training, and labelled texts that are also out of scope, as the files have them."""
    leaks, scope = [], []
    for places in same:
        learnt = [place for place in places if corpus.given[place] in LEARNT_FROM]
        leaks += [(place, learnt[0]) for place in places if corpus.given[place] == "test" and learnt]
        labelled = [place for place in places if corpus.is_labelled(place)]
        scope += [(place, labelled[0]) for place in places if not corpus.is_labelled(place) and labelled]
    total = sum(part == "test" for part in corpus.given)
    share = len(leaks) / max(1, total)
    yield Finding(
        "leakage.exact",
        "error" if share > settings.leakage_share_max else "warning",
        len(leaks),
        total,
        f"{counted(len(leaks), 'text')} of test ({percent(share)}) also in training",
        "nothing: the split drops them from train; but find out why they are in both",
        _examples(corpus, leaks, settings),
    )
    yield Finding(
        "leakage.out_of_scope",
        "warning",
        len(scope),
        sum(part == "out_of_scope" for part in corpus.given),
        f"{counted(len(scope), 'text')} both out of scope and labelled",
        "decide which of the two they are",
        _examples(corpus, scope, settings),
    )


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs of places in `corpus` whose texts are near duplicates but not duplicates, among `compared` rows."""

    corpus: Corpus
    found: Sequence[tuple[int, int]]
    compared: Sequence[int]

    @classmethod
    def search(cls, corpus: Corpus, settings: ValidateSettings) -> "Near":
        """Compares each distinct text once per part; if there are very many, a sample of them."""
        first: dict[tuple[str, str, str | None], int] = {}
        for place, key in enumerate(zip(corpus.normals, corpus.given, corpus.cut, strict=True)):
            first.setdefault(key, place)
        compared = list(first.values())
        if len(compared) > settings.near_texts_max:
            chosen = np.random.default_rng(0).choice(len(compared), settings.near_texts_max, replace=False)
            compared = [compared[each] for each in np.sort(chosen)]
        cut = [corpus.normals[place][: settings.near_characters_max] for place in compared]
        places, _ = pairs(cut, settings.near_similarity)
        found = [(compared[one], compared[other]) for one, other in places.tolist()]
        return cls(corpus, [pair for pair in found if len({corpus.normals[each] for each in pair}) == 2], compared)

    def duplicates(self, settings: ValidateSettings) -> Finding:
        """Counts near duplicates of an earlier text of the same part."""
        inside = [(other, one) for one, other in self.found if self.corpus.given[one] == self.corpus.given[other]]
        count = len({place for place, _ in inside})
        return Finding(
            "duplicate.near",
            "info",
            count,
            len(self.compared),
            f"{counted(count, 'text is a near duplicate', 'texts are near duplicates')} of another in the same part",
            "look at them: texts from one template add little information",
            _examples(self.corpus, inside, settings),
        )

    def conflicts(self, settings: ValidateSettings) -> Finding:
        """Counts near duplicates with different labels; many are right, because one word can decide."""
        apart = [
            (one, other)
            for one, other in self.found
            if self.corpus.is_labelled(one)
            and self.corpus.is_labelled(other)
            and _labels(self.corpus, one) != _labels(self.corpus, other)
        ]
        return Finding(
            "conflict.near",
            "info",
            len(apart),
            len(self.compared),
            f"{counted(len(apart), 'pair')} of near duplicates with different labels",
            "read them: either one word decides, or one label is wrong",
            _examples(self.corpus, apart, settings),
        )

    def leakage(self, settings: ValidateSettings) -> Iterator[Finding]:
        """Counts test texts, after the split, that are near duplicates of training texts."""
        parts = self.corpus.cut
        leaks: dict[int, int] = {}
        for pair in self.found:
            for one, other in (pair, pair[::-1]):
                if parts[one] == "test" and parts[other] in LEARNT_FROM:
                    leaks.setdefault(one, other)
        total = sum(parts[place] == "test" for place in self.compared)
        share = len(leaks) / max(1, total)
        yield Finding(
            "leakage.near",
            "error" if share > settings.near_leakage_share_max else "warning",
            len(leaks),
            total,
            f"{counted(len(leaks), 'text')} of test ({percent(share)}) are near duplicates of training texts",
            "expect test metrics to be too good by up to this share; split by group or time to avoid it",
            _examples(self.corpus, list(leaks.items()), settings),
        )


def _labels(corpus: Corpus, place: int) -> tuple[str, ...]:
    return tuple(sorted(corpus.rows[place].example.labels))


def _examples(corpus: Corpus, found: Sequence[tuple[int, int]], settings: ValidateSettings) -> tuple[dict, ...]:
    """Each pair as one example: the first row, and `other` for the second."""
    return tuple(
        shown(corpus.rows[one], other=shown(corpus.rows[other])) for one, other in found[: settings.examples_max]
    )
