"""The self-contained HTML page of all reports: sections of text, tables and figures.

The page has no script and loads nothing, which its Content-Security-Policy enforces. Jinja escapes everything that
comes from data. The same content always gives the same bytes: no clock, no random ids. Colours follow the reader's
light or dark scheme; figures are inline SVG whose black is the text's colour. The style is in page.css, the markup in
page.html.
"""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#3b82c4", "#d9822b", "#2f9e6e", "#c4504f", "#8a6fc0", "#8b8b8b")
"""Colours of figures: each is visible on white and on near-black."""

HERE = Path(__file__).parent
NARROW_CHARACTERS = 46
"""Width of a table, in characters, that a phone of 400 pixels shows."""
WIDE_CHARACTERS = 124
"""The same of the widest page."""
NAME_CHARACTERS_MAX = 40
"""Longest cell that counts as a name; a first column of names stays visible when the table scrolls."""

Tone = Literal["good", "warn", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A short word in a coloured frame, in a table cell: `Badge("passed", "good")`."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, numbers, `Badge` or None (shown as a dash). Integers get thousands separators, floats
    four significant digits; write a string for any other format. `folded` hides the rows until clicked."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """An inline SVG made by `plot`, never one from elsewhere: it goes into the page unescaped.

    With names along an axis it keeps a readable size, and scrolls on a phone; others shrink."""

    svg: str
    caption: str
    description: str
    has_names: bool = False


@dataclass(frozen=True, slots=True)
class Headline:
    """A few numbers in large type: (value, what it is, a line below it, tone)."""

    figures: Sequence[tuple[str, str, str, Tone]]


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms with an explanation each: (term, meaning)."""

    rows: Sequence[tuple[str, str]]


Part = str | Table | Figure | Headline | Terms


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its content in order; a string is one paragraph. Without a title, it is the top of the page."""

    title: str
    parts: Sequence[Part]


def page(title: str, sections: Sequence[Section], lead: str = "") -> str:
    """The whole HTML document. `lead` is the paragraph under the title."""
    return _TEMPLATES.get_template("page").render(title=title, lead=lead, sections=sections, css=_CSS)


def plot(
    paint: Callable[["Axes"], None],
    caption: str,
    description: str,
    width: float = 5.6,
    height: float = 3.0,
    has_names: bool = False,
) -> Figure:
    """Draws one figure with matplotlib: `paint` gets empty axes (more through `axes.figure`). Inches.

    `description` is for screen readers. Text in axes that comes from data must go through `plain`, because matplotlib
    reads `$` as mathematics.
    """
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(_LOOK | {"axes.prop_cycle": matplotlib.cycler(color=COLOURS)}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        paint(canvas.add_subplot())
        written = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(written, format="svg", transparent=True, metadata=nothing)
    return Figure(_inline(written.getvalue()), caption, description, has_names)


def plain(text: str, characters_max: int = 40) -> str:
    """Text from data, shortened and escaped for matplotlib."""
    shown = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return "".join(each if each.isprintable() else " " for each in shown).replace("$", r"\$")


def distinct(names: Sequence[str], characters_max: int = 40) -> list[str]:
    """Distinct names for a figure, shortened in the middle, as labels often differ at their ends."""
    found: list[str] = []
    for name in names:
        shown = name if len(name) <= characters_max else _shortened(name, characters_max)
        number = 2
        while plain(shown, characters_max + 8) in found:
            shown = f"{_shortened(name, characters_max - 4)} ({number})"
            number += 1
        found.append(plain(shown, characters_max + 8))
    return found


def _shortened(name: str, characters_max: int) -> str:
    head = characters_max // 2
    tail = characters_max - head - 1
    return name if len(name) <= characters_max else f"{name[:head]}…{name[len(name) - tail :]}"


def _inline(svg: str) -> str:
    """Drops the XML prolog, replaces black by the page's text colour, and makes ids unique."""
    body = svg[svg.index("<svg") :].strip()
    prefix = f"f{hashlib.sha256(body.encode()).hexdigest()[:8]}-"
    body = re.sub(r'(\bid="|url\(#|href="#)', lambda found: found.group(1) + prefix, body)
    return body.replace("#000000", "currentColor")


def _cell(value: object) -> str | Markup:
    if value is None:
        return "\u2013"
    if isinstance(value, Badge):
        return Markup('<span class="badge {}">{}</span>').format(value.tone, value.text)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else _breakable(str(value))


def _breakable(text: str) -> Markup:
    """Allows line breaks in a long name after dashes, slashes and the like only."""
    joined = (re.sub(r"([_/:-])(?=\w)", "\\1\u200b", word) if len(word) > 16 else word for word in text.split(" "))
    return Markup(str(escape(" ".join(joined))).replace("\u200b", "<wbr>"))


NUMBER = re.compile(r"[-+±]?[\d,.]+( ?%| ?(m?s|[kM]?B))?( \([-+]?[\d,.]+ to [-+]?[\d,.]+\))?|\u2013")


def _kind(value: object) -> str:
    """The CSS class of a cell: numbers align right, long text gets more width."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and NUMBER.fullmatch(value) is not None):
        return "number"
    return "words long" if isinstance(value, str) and len(value) > NAME_CHARACTERS_MAX else "words"


def _heading(table: Table, place: int) -> str:
    """Above numbers a heading stands to the right, as they do."""
    kinds = {_kind(row[place]) for row in table.rows if row[place] is not None}
    return "number" if kinds == {"number"} else "words"


def _frame(table: Table) -> str:
    """The CSS classes of a table's frame: whether its names stay in place, and from which screen on it scrolls, or has
    its last column below the others."""
    names = [row[0] for row in table.rows if isinstance(row[0], str)]
    found = ["wide"]
    if names and len(table.columns) > 2 and max(map(len, names)) <= NAME_CHARACTERS_MAX:
        found.append("named")
    if len(table.columns) <= 3 and any(_kind(row[-1]).endswith("long") for row in table.rows):
        return " ".join([*found, "stacks"])
    width = sum(_narrowest(table, place) + 2 for place in range(len(table.columns)))
    if width > NARROW_CHARACTERS:
        found.append("scrolls" if width > WIDE_CHARACTERS else "scrolls-on-telephones")
    return " ".join(found)


def _narrowest(table: Table, place: int) -> int:
    """Characters of the narrowest that a column can be: numbers stand on one line, words break at spaces."""
    shown = [str(_cell(row[place])) for row in table.rows]
    kinds = [_kind(row[place]) for row in table.rows]
    widths = [len(text) if kind == "number" else 30 if kind.endswith("long") else max(map(len, text.split() or [""]))
              for text, kind in zip(shown, kinds, strict=True)
              if "<" not in text]  # fmt: skip
    return max([*widths, *map(len, table.columns[place].split()), 6])


def _part(part: Part) -> str:
    return {Table: "table", Figure: "figure", Headline: "headline", Terms: "terms"}.get(type(part), "text")


_LOOK = {
    "svg.hashsalt": "labelstream",
    "svg.fonttype": "none",
    "svg.id": None,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.2,
    "legend.frameon": False,
}


_CSS = Markup((HERE / "page.css").read_text(encoding="utf-8"))


def _environment() -> Environment:
    loader = DictLoader({"page": (HERE / "page.html").read_text(encoding="utf-8")})
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    made.filters.update(
        breakable=_breakable, cell=_cell, kind=_kind, part=_part, inline=Markup, heading=_heading, frame=_frame
    )
    return made


_TEMPLATES = _environment()
