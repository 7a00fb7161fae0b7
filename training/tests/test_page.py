"""A report page: nothing from data becomes markup, nothing is loaded, the same content has the same bytes."""

import re
import unittest
from html.parser import HTMLParser

from labelstream_train.page import Badge, Figure, Section, Table, page, plain, plot

ATTACK = '</style></svg><script>alert("1")</script><img src=x onerror=alert(1)>'


class _Tags(HTMLParser):
    """Collects tags, ids and the places that a browser would load from."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.ids, self.loads, self.handlers = [], [], [], []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and not (value or "").startswith(("#", "data:")):
                self.loads.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


def _bars(names: list[str]) -> Figure:
    return plot(lambda axes: axes.barh([plain(name) for name in names], [1] * len(names)), "Counts", "bars of counts")


def _read(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    return tags


class PageTest(unittest.TestCase):
    def setUp(self) -> None:
        table = Table(["name", "count"], [[ATTACK, 12345], ["b", None]], caption=ATTACK)
        parts = [ATTACK, table, _bars([ATTACK, "price $5 to $10"]), _bars(["plain"])]
        self.html = page(ATTACK, [Section(ATTACK, parts)], lead=ATTACK)

    def test_nothing_from_data_becomes_markup(self) -> None:
        found = _read(self.html)
        self.assertNotIn("script", found.tags)
        self.assertNotIn("img", found.tags)
        self.assertEqual(found.handlers, [])

    def test_nothing_is_loaded_and_the_policy_says_so(self) -> None:
        self.assertEqual(_read(self.html).loads, [])
        self.assertIn("default-src 'none'; style-src 'unsafe-inline'; img-src data:", self.html)
        self.assertEqual(re.findall(r"url\((?!#)", self.html), [])

    def test_two_figures_share_no_id_and_every_reference_has_its_target(self) -> None:
        found = _read(self.html)
        self.assertEqual(len(found.ids), len(set(found.ids)))
        wanted = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', self.html))
        self.assertEqual(wanted - set(found.ids), set())

    def test_the_same_content_has_the_same_bytes(self) -> None:
        self.assertEqual(_bars(["a", "b"]).svg, _bars(["a", "b"]).svg)
        self.assertNotRegex(_bars(["a"]).svg, r"20\d\d-\d\d")

    def test_black_follows_the_page(self) -> None:
        self.assertNotIn("#000000", _bars(["a"]).svg)
        self.assertIn("currentColor", _bars(["a"]).svg)

    def test_cells(self) -> None:
        rows = [[1234567, 0.123456, True, Badge("failed", "bad"), None, "93.4 %"]]
        html = page("t", [Section("s", [Table(["a"] * 6, rows, folded=True, caption="all")])])
        for expected in (
            '<td class="number">1,234,567</td>',
            '<td class="number">0.1235</td>',
            '<td class="words">yes</td>',
            '<span class="badge bad">failed</span>',
            '<td class="words">\u2013</td>',
            '<td class="number">93.4 %</td>',
            "<summary>all (1 rows)</summary>",
        ):
            self.assertIn(expected, html)


if __name__ == "__main__":
    unittest.main()
