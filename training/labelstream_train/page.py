"""One self-contained HTML page: sections of text, tables and figures, as every report of a run looks.

The page needs no script, loads nothing, and says so by its Content-Security-Policy. Everything that comes
from data is escaped by Jinja. The same content always gives the same bytes: no clock, no random ids.
Colours follow the reader's light or dark scheme; figures are inline SVG whose black is the text's colour.
"""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#3b82c4", "#d9822b", "#2f9e6e", "#c4504f", "#8a6fc0", "#8b8b8b")
"""Middle tones for figures: each stands out on white and on near-black."""

Tone = Literal["good", "warn", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A short word in a coloured frame, as a table's cell: `Badge("passed", "good")`."""

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
    """An inline SVG made by `plot`, never one from elsewhere: it goes into the page unescaped."""

    svg: str
    caption: str
    description: str


@dataclass(frozen=True, slots=True)
class Headline:
    """A few figures in large type: (value, what it is, a line below it, tone)."""

    figures: Sequence[tuple[str, str, str, Tone]]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its content in order; a string is one paragraph. Without a title it opens the page."""

    title: str
    parts: Sequence[str | Table | Figure | Headline]


def page(title: str, sections: Sequence[Section], lead: str = "") -> str:
    """The whole HTML document. `lead` is the paragraph under the title."""
    return _TEMPLATES.get_template("page").render(title=title, lead=lead, sections=sections, css=Markup(_CSS))


def plot(
    paint: Callable[["Axes"], None], caption: str, description: str, width: float = 7.0, height: float = 3.4
) -> Figure:
    """Draws one figure with matplotlib: `paint` gets empty axes (more through `axes.figure`). Inches.

    `description` is read aloud to those who cannot see the figure. Text in axes that comes from data must
    go through `plain`, as matplotlib would read `$` as mathematics.
    """
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(_LOOK | {"axes.prop_cycle": matplotlib.cycler(color=COLOURS)}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        paint(canvas.add_subplot())
        written = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(written, format="svg", transparent=True, metadata=nothing)
    return Figure(_inline(written.getvalue()), caption, description)


def plain(text: str, characters_max: int = 40) -> str:
    """Text from data, shortened, so that matplotlib shows it letter by letter."""
    shown = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return "".join(each if each.isprintable() else " " for each in shown).replace("$", r"\$")


def distinct(names: Sequence[str], characters_max: int = 40) -> list[str]:
    """Names for a figure, shortened in their middle, no two alike: what tells labels apart is often at their end."""
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
    """Drops the XML prolog, takes the page's colour for black, and makes ids unique on any page."""
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
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _kind(value: object) -> str:
    """The CSS class of a cell: numbers stand to the right."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    looks_so = isinstance(value, str) and re.fullmatch(r"[-+±]?[\d,.]+( ?%| ?(m?s|[kM]?B))?", value) is not None
    return "number" if is_number or looks_so else "words"


def _heading(table: Table, place: int) -> str:
    """Above numbers a heading stands to the right, as they do."""
    kinds = {_kind(row[place]) for row in table.rows if row[place] is not None}
    return "number" if kinds == {"number"} else "words"


def _part(part: str | Table | Figure | Headline) -> str:
    return {Table: "table", Figure: "figure", Headline: "headline"}.get(type(part), "text")


_LOOK = {
    "svg.hashsalt": "labelstream",
    "svg.fonttype": "none",
    "svg.id": None,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.2,
    "legend.frameon": False,
}

_CSS = """
:root { color-scheme: light dark; --ink: #1d2329; --paper: #fff; --quiet: #5b6672; --line: #d5dbe1;
  --shade: #f4f6f8; --edge: #0003;
  --good: #1c7a4f; --warn: #8f5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7eb; --paper: #14181c; --quiet: #9aa6b2; --line: #353d45;
  --shade: #1c2228; --edge: #fff4; --good: #5fd19a; --warn: #f0b45a; --bad: #ff8a80; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
p { max-width: 46rem; margin: .6rem 0; white-space: pre-line; } .lead, caption, figcaption { color: var(--quiet); }
nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; } a { color: inherit; }
.wide { overflow-x: auto; background: linear-gradient(to right, var(--paper) 30%, transparent) left / 2.5rem 100%,
  linear-gradient(to left, var(--paper) 30%, transparent) right / 2.5rem 100%,
  linear-gradient(to right, var(--edge), transparent) left / .8rem 100%,
  linear-gradient(to left, var(--edge), transparent) right / .8rem 100%; background-repeat: no-repeat;
  background-attachment: local, local, scroll, scroll; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem; }
caption, figcaption { text-align: left; font-size: .9rem; padding: .2rem 0; }
th, td { padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.words { min-width: 4rem; max-width: 30rem; overflow-wrap: break-word; } th { font-weight: 600; white-space: nowrap; }
th.number { text-align: right; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody tr:hover { background: var(--shade); } summary { cursor: pointer; color: var(--quiet); }
.headline { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.2rem 0; }
.headline > div { flex: 1 1 12rem; box-sizing: border-box; border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; } .headline dt, .headline .below { color: var(--quiet); font-size: .9rem; }
.headline dd { margin: 0; } .headline .value { font-size: 2rem; line-height: 1.3; font-weight: 650;
  font-variant-numeric: tabular-nums; } .headline .value.quiet { color: var(--ink); }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { max-width: 100%; min-width: 30rem; height: auto; fill: currentColor; }
.badge { border: 1px solid; border-radius: .3rem; padding: 0 .4rem; font-size: .85em; white-space: nowrap; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } .quiet { color: var(--quiet); }
@media print { body { max-width: none; } details > * { display: revert; } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{ title }}</title>
<style>{{ css }}</style>
</head>
<body>
<h1>{{ title }}</h1>
{%- if lead %}
<p class="lead">{{ lead }}</p>
{%- endif %}
{%- for section in sections %}
{%- if sections | length > 3 and loop.index0 == (0 if sections[0].title else 1) %}
<nav>{% for each in sections if each.title %}<a href="#s{{ sections.index(each) + 1 }}">{{ each.title }}</a>
{%- endfor %}</nav>
{%- endif %}
<section id="s{{ loop.index }}">
{%- if section.title %}
<h2>{{ section.title }}</h2>
{%- endif %}
{%- for part in section.parts %}
{%- if part | part == "table" %}
{%- if part.folded %}
<details><summary>{{ part.caption or "Table" }} ({{ part.rows | length }} rows)</summary>
{%- endif %}
<div class="wide"><table>
{%- if part.caption and not part.folded %}<caption>{{ part.caption }}</caption>{% endif %}
<thead><tr>
{%- for column in part.columns %}<th scope="col" class="{{ part | heading(loop.index0) }}">{{ column }}</th>
{%- endfor %}</tr></thead>
<tbody>
{%- for row in part.rows %}
<tr>{% for cell in row %}<td class="{{ cell | kind }}">{{ cell | cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
{%- if part.folded %}</details>{% endif %}
{%- elif part | part == "headline" %}
<dl class="headline">
{%- for value, what, below, tone in part.figures %}
<div><dt>{{ what }}</dt><dd class="value {{ tone }}">{{ value }}</dd><dd class="below">{{ below }}</dd></div>
{%- endfor %}
</dl>
{%- elif part | part == "figure" %}
<figure role="img" aria-label="{{ part.description }}">{{ part.svg | inline }}
<figcaption>{{ part.caption }}</figcaption></figure>
{%- else %}
<p>{{ part }}</p>
{%- endif %}
{%- endfor %}
</section>
{%- endfor %}
</body>
</html>
"""


def _environment() -> Environment:
    made = Environment(loader=DictLoader({"page": _PAGE}), autoescape=True, undefined=StrictUndefined)
    made.filters.update(cell=_cell, kind=_kind, part=_part, inline=Markup, heading=_heading)
    return made


_TEMPLATES = _environment()
