"""The stage `validate` on rows with planted faults: the base of its tests."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from labelstream_train import settings
from labelstream_train.errors import Refused
from labelstream_train.run import Run
from labelstream_train.validate.stage import validate

from . import planted


class Checking(unittest.TestCase):
    """Runs the stage on rows, in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.train = planted.rows()

    def run_on(self, path: Path, **sections: dict) -> Run:
        """A run whose data is at `path`."""
        values = settings.merge({"data": {"path": str(path), "text": "text", "label": "label"}}, sections)
        return Run(settings.check(values), self.folder / "out")

    def report(self, test: list | None = None, **sections: dict) -> dict:
        """report.json about `self.train` and a file of `test` rows, if given; `refusal`, lines of errors, is added."""
        planted.write(self.train, self.folder / "data" / "train.jsonl")
        if test is not None:
            planted.write(test, self.folder / "data" / "test.jsonl")
        run, refusal = self.run_on(self.folder / "data", **sections), None
        told = io.StringIO()
        try:
            with contextlib.redirect_stderr(told):
                validate(run)
        except Refused as refused:
            self.assertIn("accept the data", str(refused))
            refusal = "".join(line for line in told.getvalue().splitlines(True) if line.startswith("error: "))
        report = json.loads((run.validate / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(report["passed"], refusal is None)
        return report | {"refusal": refusal}

    def found(self, report: dict, name: str) -> dict:
        """The finding called `name`, which must be there."""
        by_id = {each["id"]: each for each in report["findings"]}
        self.assertIn(name, by_id)
        return by_id[name]
