"""Reading and splitting: bad lines are named, nothing leaks from one part into another."""

import gzip
import random
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from labelstream_train.data import old as data
from labelstream_train.data.old import Example
from labelstream_train.errors import UserError


class Read(unittest.TestCase):
    def check_refused(self, content: bytes, expected: str, suffix: str = ".jsonl") -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"train{suffix}"
            path.write_bytes(content)
            with self.assertRaises(UserError) as caught:
                data.read(path)
            self.assertIn(expected, str(caught.exception))

    def test_bad_lines_are_named(self) -> None:
        good = b'{"text": "hi", "label": "a"}\n'
        self.check_refused(good + b"{oops\n", "train.jsonl:2: not JSON")
        self.check_refused(good + b"[]\n", "train.jsonl:2: expected an object")
        self.check_refused(good + good + b'{"text": "hi"}\n', "train.jsonl:3: `label`")
        self.check_refused(good + b'{"text": "  ", "label": "a"}\n', "train.jsonl:2: `text`")
        self.check_refused(good + b'{"text": 3, "label": "a"}\n', "train.jsonl:2: `text`")
        self.check_refused(good + b"\xff\n", "train.jsonl")
        self.check_refused(b"", "has no examples")
        self.check_refused(b"not gzip", "train.jsonl.gz", suffix=".jsonl.gz")
        self.check_refused(gzip.compress(good * 500)[:-20], "train.jsonl.gz", suffix=".jsonl.gz")

    def test_other_keys_and_blank_lines_are_ignored(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.jsonl.gz"
            path.write_bytes(gzip.compress(b'\n{"id": 1, "text": "h\\ni", "label": "a"}\n\n'))
            self.assertEqual(data.read(path), [Example("h\ni", "a")])


class SplitTrain(unittest.TestCase):
    def test_parts_are_apart_and_stratified(self) -> None:
        train = [Example(f"text {n} of {label}", label) for label in "abc" for n in range(40)]
        train += [Example("Text 3  of A", "a"), Example("text 3 of a", "a")]  # the same text again
        test = [Example("TEXT 7 of b", "b"), Example("new", "c")]
        split = data.split(train, test, 0.1, seed=1)
        self.assertEqual(split.labels, ("a", "b", "c"))
        self.assertEqual(split.overlap_dropped, 1)
        self.assertEqual(len(split.train) + len(split.held_out), len(train) - 1)
        normal = [{" ".join(e.text.casefold().split()) for e in part} for part in (split.train, split.held_out)]
        self.assertFalse(normal[0] & normal[1])
        self.assertEqual(Counter(e.label for e in split.held_out).keys(), {"a", "b", "c"})
        self.assertEqual(split, data.split(train, test, 0.1, seed=1))
        self.assertNotEqual(split, data.split(train, test, 0.1, seed=2))

    def test_labels_too_small_to_split_are_refused(self) -> None:
        few = [Example("one", "a"), Example("two", "b"), Example("three", "b")]
        with self.assertRaisesRegex(UserError, "label 'a'"):
            data.split(few, [], 0.1, seed=0)


class Bucketed(unittest.TestCase):
    def test_every_text_once_with_little_padding(self) -> None:
        dice = random.Random(0)
        lengths = [dice.randint(3, 60) for _ in range(3201)]
        batches = data.bucketed(lengths, 32, random.Random(5))
        self.assertEqual(sorted(place for batch in batches for place in batch), list(range(3201)))
        padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in batches)
        self.assertLess(padded, 1.1 * sum(lengths))
        self.assertEqual(batches, data.bucketed(lengths, 32, random.Random(5)))
