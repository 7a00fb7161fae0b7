"""Hints at personal data in the texts: how many, of which kind, where; never the values."""

from collections.abc import Iterator

from ..data.personal import KINDS, kinds
from ..progress import Progress
from .corpus import Corpus
from .finding import Finding, counted, head
from .settings import ValidateSettings

NAMES = {
    "email": "an e-mail address",
    "phone": "what looks like a phone number",
    "iban": "a bank account number (IBAN, check digits right)",
    "card": "a payment card number (check digit right)",
    "ip": "an internet address",
    "national_id": "a national identity or tax number (check digits right)",
}


def check(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """One finding for each kind that is there."""
    found = {kind: [] for kind in KINDS}
    with Progress("searching personal data", len(corpus), "texts") as progress:
        for row in corpus.rows:
            for kind in kinds(row.example.text, settings.national_ids):
                found[kind].append(row)
            progress.add(1)
    for kind, rows in found.items():
        yield Finding(
            f"personal.{kind}",
            "warning",
            len(rows),
            len(corpus),
            f"{counted(len(rows), 'text')} with {NAMES[kind]}",
            "replace it by a placeholder before training, and check that the texts may be used for it",
            head(rows, settings.examples_max),
        )
