"""What users get without containers: the archive, the wheel and the systemd unit, each tried from an empty folder."""

import hashlib
import re
import subprocess
import tarfile
import tomllib
import venv
from pathlib import Path

import pytest

from .composed import ROOT

DIST = ROOT / "target" / "dist"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
UNIT = ROOT / "tools" / "labelstream@.service"
EXPOSURE_MAX = 1.5
"""Of 10; systemd calls up to 2 OK."""


def _only(pattern: str) -> Path:
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"target/dist has {len(found)} files {pattern}: make release"
    return found[0]


def _labels_a_file(program: Path, folder: Path) -> None:
    """In a folder and an environment that know nothing of this checkout."""
    folder.mkdir()
    texts = ["text", "My card has not arrived", '"My card is about to expire, how do I get a new one?"']
    (folder / "tickets.csv").write_text("\n".join(texts) + "\n", encoding="utf-8")
    command = [program, "score", "tickets.csv", "--text", "text", "--out", "labeled.csv"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    labeled = (folder / "labeled.csv").read_text(encoding="utf-8").splitlines()
    assert ",card_arrival,0.9" in labeled[1] and ",card_about_to_expire," in labeled[2], labeled


def test_the_archive_is_complete_and_works_where_it_is_unpacked(tmp_path: Path):
    archive = _only(f"labelstream-{VERSION}-*.tar.gz")
    with tarfile.open(archive) as opened:
        owners = {(member.uid, member.gid) for member in opened}
        opened.extractall(tmp_path, filter="data")
    assert owners == {(0, 0)}
    (prefix,) = tmp_path.iterdir()
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "ONNXRUNTIME-LICENSE", "ONNXRUNTIME-NOTICES.txt"):
        assert (prefix / "share" / "doc" / "labelstream" / name).stat().st_size > 100, name
    assert (prefix / "share" / "labelstream" / UNIT.name).read_bytes() == UNIT.read_bytes()
    print(f"\n{archive.name}: {archive.stat().st_size / 1e6:.1f} MB")
    _labels_a_file(prefix / "bin" / "labelstream", tmp_path / "work")


def test_the_archive_is_the_same_whenever_it_is_packed(tmp_path: Path):
    """A second packing of the same binary has the same bytes."""
    archive = _only(f"labelstream-{VERSION}-*.tar.gz")
    before = archive.read_bytes()
    subprocess.run([ROOT / "tools" / "release", "archive"], check=True, capture_output=True, cwd=ROOT)
    assert archive.read_bytes() == before


def test_the_wheel_installs_into_an_empty_environment(tmp_path: Path):
    wheel = _only(f"labelstream-{VERSION}-*.whl")
    print(f"\n{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [tmp_path / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", wheel]
    subprocess.run(pip, check=True, cwd=tmp_path)
    program = tmp_path / "venv" / "bin" / "labelstream"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"labelstream {VERSION}\n"
    _labels_a_file(program, tmp_path / "work")


def test_the_sums_are_of_these_files():
    lines = (DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    named = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(named) == {path.name for path in DIST.glob("labelstream-*")}
    for name, digest in named.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest, name


def test_the_unit_is_hardened():
    """By `systemd-analyze security`, which reads the file and starts nothing."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("NOT RUN: systemd-analyze is not installed")
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", found.stdout)
    assert score, found.stdout + found.stderr
    print(f"\nexposure level: {score[1]} of 10")
    assert float(score[1]) <= EXPOSURE_MAX
