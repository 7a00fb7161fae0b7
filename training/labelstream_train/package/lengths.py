"""Measures how accurate a package is on texts longer than those it was trained on.

Each text gets neutral small talk before or after it, up to about 110 tokens, and is scored with the input truncated to
several lengths. Truncation always keeps a text that comes first: that row shows the harm of extra tokens. It drops a
text that comes last unless the limit is long: that row shows the gain of a longer limit.
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
    """Accuracy by position of the text and by limit (tokens, special tokens included)."""
    talk = " ".join(SMALL_TALK)
    places = {
        "alone": lambda text: text,
        "before the small talk": lambda text: f"{text} {talk}",
        "after the small talk": lambda text: f"{talk} {text}",
    }
    scorer = Scorer(package)
    if scorer.is_multi_label:
        raise UserError(f"measure lengths on {file}: {package} is multi-label; this needs a single-label package")
    truth = truth_of(scorer.labels, False, examples)
    for place, wrap in places.items():
        for cut in CUTS:
            scorer.tokenizer.enable_truncation(cut)
            logits = scorer.logits([wrap(example.text) for example in examples])
            yield {"text": place, "tokens_max": cut, "accuracy": round(metrics.accuracy(logits, truth), 4)}
