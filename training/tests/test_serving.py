"""The program that serves packages: finding it, and its check of a package."""

from pathlib import Path

import pytest

from labelstream_train.errors import UserError
from labelstream_train.package import serving

from . import word_package


def program() -> Path:
    """The program of this checkout; a test that needs it says so where there is none."""
    found = serving.program("")
    if found is None:
        pytest.skip("the program labelstream was not built: cargo build --package cli")
    return found


def test_the_program_that_serves_checks_the_golden_texts(tmp_path: Path) -> None:
    good = serving.check(program(), word_package.write(tmp_path / "good"), 60)
    assert good.passed and good.texts == 1 and good.said == "all 1 as expected"
    wrong = word_package.write(tmp_path / "wrong")
    manifest = wrong / "labelstream.json"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace('"label": "card"', '"label": "fee"'), encoding="utf-8"
    )
    found = serving.check(program(), wrong, 60)
    assert not found.passed and "its golden texts have other scores" in found.said and "expected fee" in found.said


def test_a_program_that_is_named_and_absent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such program"):
        serving.program(str(tmp_path / "labelstream"))
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    sleeper.chmod(0o755)
    found = serving.check(serving.program(str(sleeper)) or sleeper, word_package.write(tmp_path / "package"), 0.2)
    assert not found.passed and "did not answer within 0.2 s" in found.said
