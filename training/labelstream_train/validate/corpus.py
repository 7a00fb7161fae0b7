"""All rows, each with the part of its file and the part that the split assigned."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..data.load import Loaded
from ..data.parts import PARTS, Parts
from ..data.rows import Row
from ..data.split import normal

LEARNT_FROM = ("train", "validation", "held_out")
"""Parts that training sees; texts of `test` must not be in them."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Usable rows by index: `given` is the part of their file (train, validation, test, out_of_scope), `cut` the part
    after the split (train, held_out, test, out_of_scope), None if the split dropped the row or failed."""

    rows: Sequence[Row]
    given: Sequence[str]
    cut: Sequence[str | None]
    normals: Sequence[str]
    unusable: Sequence[Row]

    @classmethod
    def of(cls, loaded: Loaded, parts: Parts | None) -> "Corpus":
        """All rows that were read. The split passes on the same example objects, so `id` identifies them."""
        cut = {} if parts is None else {id(example): name for name in PARTS for example in getattr(parts, name)}
        usable = [(part, row) for part, rows in loaded.rows().items() for row in rows if row.problem is None]
        return cls(
            rows=[row for _, row in usable],
            given=[part for part, _ in usable],
            cut=[cut.get(id(row.example)) for _, row in usable],
            normals=[normal(row.example.text) for _, row in usable],
            unusable=[row for rows in loaded.rows().values() for row in rows if row.problem is not None],
        )

    def __len__(self) -> int:
        return len(self.rows)

    def by_normal(self) -> dict[str, list[int]]:
        """Normal form -> indices of all texts that have it."""
        places = defaultdict(list)
        for place, text in enumerate(self.normals):
            places[text].append(place)
        return places

    def is_labelled(self, place: int) -> bool:
        """Whether the labels of this row count: those of out-of-scope texts do not."""
        return self.given[place] != "out_of_scope"
