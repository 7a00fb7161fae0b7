"""Commands for a finished package: golden scores, accuracy on long texts, and which version a registry serves."""

import argparse
import json
from pathlib import Path

from . import json_file
from .data import load
from .data.examples import Example
from .data.settings import DataSettings
from .register import commands as registry


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands to those of the command line."""
    golden = commands.add_parser("golden", help="write or check the golden scores of a package")
    _add_package(golden)
    golden.set_defaults(act=_golden)
    golden.add_argument("--out", type=Path, required=True, metavar="FILE", help="the golden file")
    golden.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    lengths = commands.add_parser("lengths", help="measure accuracy on texts longer than the training texts")
    _add_package(lengths)
    lengths.set_defaults(act=_lengths)
    lengths.add_argument("--data", type=Path, required=True, metavar="FILE", help="labelled texts")
    registry.add(commands)


def _golden(parsed: argparse.Namespace) -> int:
    from .package import golden

    if not parsed.check:
        golden.write(parsed.package, parsed.out)
        return 0
    wrong = golden.differences(parsed.package, json_file.read_object(parsed.out))
    print("\n".join(wrong) if wrong else "agrees")
    return 1 if wrong else 0


def _lengths(parsed: argparse.Namespace) -> int:
    from .package import lengths

    for row in lengths.measure(parsed.package, parsed.data, _examples(parsed.data)):
        print(json.dumps(row))
    return 0


def _examples(path: Path) -> list[Example]:
    return load.examples(load.read_rows(path, DataSettings()))


def _add_package(command: argparse.ArgumentParser) -> None:
    command.add_argument("--package", type=Path, required=True, metavar="DIR", help="folder with labelstream.json")
