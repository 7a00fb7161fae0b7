"""Checks single rows: unusable ones, and texts that are too long, broken or full of control characters."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import ftfy

from ..data.rows import TEXT_CHARS_MAX, Row
from ..data.times import fitting
from ..progress import Progress
from .corpus import Corpus
from .finding import Finding, counted, head, percent
from .settings import ValidateSettings

PROBLEMS = {
    "text_missing": ("the text is missing", "fill it in or drop the row"),
    "text_not_a_string": ("the text is not a string", "write it as a string, or name another column by --text"),
    "text_blank": ("the text is blank", "fill it in or drop the row"),
    "text_too_long": (
        f"the text has more than {TEXT_CHARS_MAX:,} characters, the limit",
        "check for a missing quote or line end; else shorten or split it",
    ),
    "label_missing": ("the label is missing", "label the text or drop the row"),
    "label_blank": ("a label is blank", "label the text or drop the row"),
    "label_repeated": ("the text has a label twice", "list each label once"),
    "time_unreadable": ("the time cannot be read", "write it as ISO 8601 or Unix time"),
}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffb]")
_INVISIBLE = re.compile(r"[\u200b\u2060\u00ad\ufeff\u202a-\u202e\u2066-\u2069]")
_MARKUP = re.compile(
    r"</?(?:p|br|div|span|a|b|i|li|ul|table|td|tr|html|body|script)\b[^>]*>|&(?:amp|lt|gt|quot|nbsp|#\d+);"
)


def check(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """Unusable rows by problem, then problems of usable ones."""
    yield from _unusable(corpus, settings)
    yield _duplicate_ids(corpus, settings)
    tests: dict[str, Callable[[str], bool]] = {name: test for name, (test, _, _) in _FAULTS.items()}
    tests["too_long"] = lambda text: len(text) > settings.characters_max
    found: dict[str, list[Row]] = {name: [] for name in tests}
    with Progress("checking texts", len(corpus), "texts") as progress:
        for row in corpus.rows:
            for name, test in tests.items():
                if test(row.example.text):
                    found[name].append(row)
            progress.add(1)
    for name, rows in found.items():
        _, says, action = _FAULTS.get(name, (None, f"more than {settings.characters_max:,} characters", _TOO_LONG))
        message = f"{counted(len(rows), 'text')} with {says}"
        examples = head(rows, settings.examples_max)
        yield Finding(f"text.{name}", "warning", len(rows), len(corpus), message, action, examples)


def _unusable(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    total = len(corpus) + len(corpus.unusable)
    too_many = len(corpus.unusable) > settings.unusable_share_max * total
    for problem, count in Counter(row.problem for row in corpus.unusable).items():
        says, action = PROBLEMS[str(problem)]
        rows = [row for row in corpus.unusable if row.problem == problem]
        if problem == "time_unreadable":
            says, action = _times(rows)
        if too_many:
            share = f"validate.unusable_share_max, now {settings.unusable_share_max:g}, allows a share of them"
            action += f"; --drop-unusable drops such rows ({share})"
        message = f"in {counted(count, 'row')} ({percent(count / total)}) {says}"
        examples = head(rows, settings.examples_max)
        yield Finding(f"row.{problem}", "error" if too_many else "warning", count, total, message, action, examples)
    if not corpus.rows:
        message = "there are no usable rows"
        yield Finding("row.none_usable", "error", max(1, total), total, message, "see the other errors")


def _duplicate_ids(corpus: Corpus, settings: ValidateSettings) -> Finding:
    """Rows that share an id are often versions of one: concatenated exports, or a join that multiplied rows."""
    counts = Counter(row.id for row in corpus.rows if row.id is not None)
    doubled = {name: count for name, count in counts.items() if count > 1}
    rows = [row for row in corpus.rows if row.id in doubled]
    named = ", ".join(
        f"{name!r} {count} times" for name, count in sorted(doubled.items(), key=lambda each: -each[1])[:3]
    )
    return Finding(
        "row.duplicate_id",
        "warning",
        len(rows),
        len(corpus),
        f"{counted(len(rows), 'row')} share an id with another row: {named}",
        "check for files that were joined twice; keep the newest row of each id, or name another column with data.id",
        head(rows, settings.examples_max),
    )


def _times(rows: list[Row]) -> tuple[str, str]:
    """What the values look like, and a format that reads all of them."""
    column = rows[0].time_column
    values = [row.time_text for row in rows if row.time_text not in (None, "None", "")]
    if not values:
        return "the time is missing", "fill it in, drop the rows, or omit --time"
    says = f"the time in column `{column}` {values[0]!r} is neither ISO 8601 nor Unix time"
    form = fitting(values)
    if form is None:
        return says, "write it as ISO 8601 (2026-01-31T14:30:00Z), or name its format: --time-format '%d.%m.%Y'"
    return f"{says}; it fits {form}", f"use --time-format '{form}'"


_FAULTS: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "replacement_character": (
        lambda text: "\ufffd" in text,
        "replacement characters (U+FFFD), left by a program that read it in the wrong encoding",
        "read the original again in its true encoding; these characters are lost",
    ),
    "mojibake": (
        lambda text: not text.isascii() and ftfy.is_bad(text),
        "signs of a wrong encoding (such as Ã© for é)",
        "read the original again in its true encoding, or fix it with ftfy.fix_text",
    ),
    "control_character": (
        lambda text: _CONTROL.search(text) is not None,
        "control characters",
        "remove them, or fix the export",
    ),
    "invisible_character": (
        lambda text: _INVISIBLE.search(text) is not None,
        "invisible or direction-changing characters",
        "remove them: the model sees another text than a reader does",
    ),
    "markup": (
        lambda text: ("<" in text or "&" in text) and _MARKUP.search(text) is not None,
        "HTML tags or entities",
        "extract the text from the markup, unless live messages have markup, too",
    ),
    "no_letter": (
        lambda text: not any(each.isalpha() for each in text),
        "no letters",
        "check whether such texts can be classified",
    ),
}
_TOO_LONG = "classifiers read only the first few hundred words; shorten or split such texts as live messages will be"
