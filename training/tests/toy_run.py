"""A run folder before `evaluate`: a tiny package of three labels, and texts that mostly name theirs."""

from pathlib import Path

import numpy as np

from labelstream_train import settings
from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.run import Run

from . import bag_of_words

LABELS = ("card", "money", "pin")


WORDS = {
    "card": (3, 0, 0),
    "money": (0, 3, 0),
    "pin": (0, 0, 3),
    "lost": (0.5, 0, 0.2),
    "sent": (0, 0.5, 0),
    "wife": (0.4, 0, 0),
}


FAST = {
    "evaluate.bootstrap_repeats": 200,
    "evaluate.speed_repeats": 8,
    "evaluate.robustness_texts_max": 60,
    "evaluate.slice_texts_min": 10,
    "evaluate.accuracy_target": 0.85,
}


def examples(count: int, seed: int, is_multi_label: bool = False) -> tuple[Example, ...]:
    """Texts that name their label, but for one in ten; half from the web, half from an app."""
    dice = np.random.default_rng(seed)
    made = []
    for place in range(count):
        label = LABELS[place % 3]
        word = label if dice.random() > 0.1 else str(dice.choice(LABELS))
        filler = " ".join(dice.choice(["my", "is", "the", "now", "help", "please"], size=dice.integers(2, 12)))
        person = " said my wife" if place % 5 == 0 else ""
        labels = (label, "pin") if is_multi_label and label != "pin" and place % 2 else (label,)
        text = f"{word} {'pin ' if len(labels) > 1 else ''}{filler}{person} {place}"
        made.append(Example(text, labels, slices={"source": "web" if place % 2 else "app"}))
    return tuple(made)


def make_run(out: Path, is_multi_label: bool = False, **more: object) -> Run:
    """A run folder as the stages before `evaluate` leave it."""
    outside = tuple(Example(f"weather in {town}?", ("oos",)) for town in ("Rome", "Oslo", "Lima", "Bonn") * 8)
    facts = {
        "files": [{"part": "train", "name": "toy.csv", "sha256": "0" * 64, "rows": 300}],
        "fingerprint": "0" * 64,
        "dropped": {"train_in_test": 2},
        "data": {"name": "toy", "licence": "CC0-1.0", "attribution": "nobody"},
    }
    parts = Parts(LABELS, is_multi_label, examples(120, 1, is_multi_label), examples(60, 2, is_multi_label),
                  examples(150, 3, is_multi_label), outside, facts)  # fmt: skip
    run = Run(settings.check(settings.override({}, [f"{key}={value}" for key, value in (FAST | more).items()])), out)
    out.mkdir(parents=True)
    parts.write(run.data)
    bag_of_words.write(run.package, LABELS, WORDS, is_multi_label, temperature=0.8)
    return run
