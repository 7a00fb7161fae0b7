"""Measures whether a package still answers well on texts longer than it was trained on.

Each text is wrapped in small talk that says nothing about its intent, before or after it, up to about
110 tokens, and scored with the input cut at several lengths. Head truncation keeps a text that comes
first at any cut, so that row shows what extra tokens disturb; a text that comes last is lost by a short
cut, so that row shows what a longer cut wins.
"""

from collections.abc import Iterator
from pathlib import Path

from ..data.examples import Example, truth_of
from ..errors import UserError
from ..statistics import metrics
from .scorer import Scorer

CUTS = (64, 128, 256)
SMALL_TALK = (
    "Hello, I hope you are having a good day.",
    "I have been with you for several years and my family is too.",
    "The weather here has been dreadful all week, so I finally have time to write to you.",
    "Thank you so much for your patience and for reading this.",
    "I look forward to hearing back from you soon.",
    "Kind regards from all of us.",
)
"""About 75 tokens together."""


def measure(package: Path, file: Path, examples: list[Example]) -> Iterator[dict]:
    """Accuracy for each place of the text and each cut (tokens, specials included)."""
    talk = " ".join(SMALL_TALK)
    places = {
        "alone": lambda text: text,
        "before the small talk": lambda text: f"{text} {talk}",
        "after the small talk": lambda text: f"{talk} {text}",
    }
    scorer = Scorer(package)
    if scorer.is_multi_label:
        raise UserError(f"measure lengths on {file}: {package} gives several labels a text, and this counts one")
    truth = truth_of(scorer.labels, False, examples)
    for place, wrap in places.items():
        for cut in CUTS:
            scorer.tokenizer.enable_truncation(cut)
            logits = scorer.logits([wrap(example.text) for example in examples])
            yield {"text": place, "tokens_max": cut, "accuracy": round(metrics.accuracy(logits, truth), 4)}
