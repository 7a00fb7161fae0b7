"""A small data set without a fault, as rows to write to files; tests plant faults in it."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

LABELS = ("billing", "delivery", "login", "refund", "returns")
THINGS = {
    "billing": "invoice charge tax bill amount statement",
    "delivery": "parcel courier tracking shipment doorstep address",
    "login": "password profile code username session device",
    "refund": "repayment cashback reimbursement payback voucher credit",
    "returns": "shoes kettle exchange swap sender box",
}
OTHERS = (
    "yesterday winter window garden brother holiday market bicycle kitchen mountain weather river pencil morning "
    "neighbour station manager engine village summer number question monday family picture colour doctor letter "
    "office paper minute hundred journey animal island teacher problem company kettle orange silver evening"
)

Row = dict[str, object]


def rows(per_label: int = 40, seed: int = 0) -> list[Row]:
    """English texts, each different from all others by several words; deterministic."""
    dice = random.Random(seed)
    made = []
    for label in LABELS:
        for _ in range(per_label):
            other = dice.sample(OTHERS.split(), 6)
            thing = dice.choice(THINGS[label].split())
            text = f"about the {thing} with the {' '.join(other[:3])} and {' '.join(other[3:])}"
            made.append({"text": text, "label": label})
    dice.shuffle(made)
    return made


def write(rows: Iterable[Row], path: Path) -> Path:
    """JSON Lines, one row a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
