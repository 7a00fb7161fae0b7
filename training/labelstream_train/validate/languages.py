"""Detects the languages of the texts with py3langid (BSD, 4 MB, offline), and their scripts by Unicode names.

Short texts and uncertain guesses count as unknown; shares are of the certain guesses.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..data.rows import Row
from ..data.script import script
from ..progress import Progress
from .corpus import Corpus
from .finding import Finding, head, percent
from .settings import ValidateSettings

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


@dataclass(frozen=True, slots=True)
class Languages:
    """ISO 639 code -> rows; script ("LATIN", "CYRILLIC", ...) -> rows; and how many rows have no certain language."""

    languages: dict[str, list[Row]]
    scripts: dict[str, list[Row]]
    unsure: int

    @classmethod
    def detect(cls, corpus: Corpus, settings: ValidateSettings) -> "Languages":
        """Looks at the first 400 characters of every text."""
        identifier = _identifier()
        languages, scripts, unsure = defaultdict(list), defaultdict(list), 0
        with Progress("detecting languages", len(corpus), "texts") as progress:
            for row in corpus.rows:
                text = row.example.text[:400]
                scripts[script(text)].append(row)
                language, probability = identifier.classify(text)
                is_long_enough = len(text) >= settings.language_characters_min or not text.isascii()
                if is_long_enough and probability >= settings.language_probability_min:
                    languages[language].append(row)
                else:
                    unsure += 1
                progress.add(1)
        return cls(dict(languages), dict(scripts), unsure)

    def check(self, settings: ValidateSettings) -> Iterator[Finding]:
        """Languages and scripts other than the most frequent one."""
        for name, found, severity in (("mixed", self.languages, "warning"), ("scripts", self.scripts, "info")):
            known = {key: rows for key, rows in found.items() if key != "none"}
            total = sum(map(len, known.values()))
            ranked = sorted(known, key=lambda key: (-len(known[key]), key))
            others = [key for key in ranked[1:] if len(known[key]) >= max(2, settings.language_share_min * total)]
            rows = [row for key in others for row in known[key]]
            shares = ", ".join(f"{key} {percent(len(known[key]) / total)}" for key in ranked[:1] + others)
            yield Finding(
                f"language.{name}",
                severity,
                len(rows),
                total,
                f"texts in several {'languages' if name == 'mixed' else 'scripts'}: {shares}",
                "check that the base model supports all of them, and that test contains them",
                head(rows, settings.examples_max),
            )


@cache
def _identifier() -> "LanguageIdentifier":
    """The model, loaded once: loading takes longer than a thousand texts."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
