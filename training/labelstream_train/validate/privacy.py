"""Hints of personal data in the texts: how many, of which kind, where; never the values."""

from collections.abc import Iterator

from ..data.personal import KINDS, kinds
from ..progress import Progress
from .corpus import Corpus
from .finding import Finding, counted, head
from .settings import ValidateSettings

NAMES = {
    "email": "an e-mail address",
    "phone": "a possible phone number",
    "iban": "a bank account number (IBAN, valid check digits)",
    "card": "a payment card number (valid check digit)",
    "ip": "an IP address",
    "national_id": "a national identity or tax number (valid check digits)",
}


def check(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """One finding per kind that occurs."""
    found = {kind: [] for kind in KINDS}
    with Progress("searching for personal data", len(corpus), "texts") as progress:
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
            "replace it by a placeholder before training, and check that you may train on these texts",
            head(rows, settings.examples_max),
        )
