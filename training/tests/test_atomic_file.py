"""Files that appear whole or not at all, under exceptions and under a kill in the middle of a write."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labelstream_train import atomic_file, json_file
from labelstream_train.fast.network import read_arrays, write_arrays


def test_the_temporary_file_lies_beside_the_file_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    seen: list[Path] = []

    def write(unfinished: Path) -> None:
        seen.append(unfinished)
        assert not path.exists()
        unfinished.write_text("whole")

    atomic_file.replace(path, write)
    assert path.read_text() == "whole"
    assert seen[0].parent == path.parent, "a rename between file systems would copy"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    atomic_file.write_text(path, "old")

    def fail(unfinished: Path) -> None:
        unfinished.write_text("half")
        raise error

    with pytest.raises(error):
        atomic_file.replace(path, fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file.txt"]


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_write_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    atomic_file.write_text(path, "old")
    script = """
import os, signal, sys
from pathlib import Path
from labelstream_train import atomic_file
def write(unfinished):
    unfinished.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
atomic_file.replace(Path(sys.argv[1]), write)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["file.txt", f"file.txt{atomic_file.SUFFIX}"]
    atomic_file.write_text(path, "new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["file.txt"]


def test_content_is_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("sync"), sync(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("rename"), rename(old, new)))
    atomic_file.write_text(tmp_path / "file.txt", "text")
    assert calls == ["sync", "rename"]


@pytest.mark.skipif(os.name != "posix", reason="mode bits are those of POSIX")
def test_a_new_file_has_the_usual_mode_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    new, usual = tmp_path / "new", tmp_path / "usual"
    usual.write_text("text")
    atomic_file.write_text(new, "text")
    assert new.stat().st_mode == usual.stat().st_mode
    new.chmod(0o640)
    atomic_file.write_text(new, "more")
    assert new.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    """DVC may link outputs to its cache, whose files must never change."""
    cached, path = tmp_path / "cached", tmp_path / "file.txt"
    cached.write_text("cached")
    cached.chmod(0o444)
    path.symlink_to(cached)
    (tmp_path / f"file.txt{atomic_file.SUFFIX}").symlink_to(cached)
    atomic_file.write_text(path, "new")
    assert cached.read_text() == "cached" and path.read_text() == "new" and not path.is_symlink()
    atomic_file.write_text(path, "newer")
    assert path.read_text() == "newer" and sorted(os.listdir(tmp_path)) == ["cached", "file.txt"]


def test_text_json_and_arrays_come_back_as_they_were_written(tmp_path: Path) -> None:
    atomic_file.write_text(tmp_path / "a.csv", "é\n\r\n")
    assert (tmp_path / "a.csv").read_bytes() == "é\n\r\n".encode()
    json_file.write(tmp_path / "a.json", {"é": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "é": [\n  1,\n  2.5,\n  null\n ]\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        json_file.write(tmp_path / "a.json", float("nan"), allow_nan=False)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"é": [1, 2.5, None]}
    write_arrays(tmp_path / "a.npz", {"one": np.arange(3)})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["one"], [0, 1, 2])
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.json", "a.npz"]


def test_nobody_else_renames_files() -> None:
    """One way to write a file that must be whole."""
    package = Path(atomic_file.__file__).parent
    others = [file for file in package.rglob("*.py") if file.name != "atomic_file.py"]
    wrong = [file.name for file in others if any(call in file.read_text(encoding="utf-8")
             for call in ("os.replace", "os.rename", "shutil.move", ".rename(", "tempfile.mkstemp"))]  # fmt: skip
    assert wrong == []
