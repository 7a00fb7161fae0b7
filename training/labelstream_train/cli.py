"""The command line: one command `run` for everything, and its stages one by one.

Exit codes: 0 done, 2 the user can mend it (one line on stderr), 3 stopped by --minutes and resumable.
Modules that need torch are imported by the stages that need them, so that `evaluate` runs without it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from .data import old as data
from .errors import UserError
from .encoder.recipe import Recipe
from .package.source import BANKING77, Source

STOPPED = 3


def main(arguments: list[str]) -> int:
    """Runs one command and returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.stage(parsed)
    except UserError as error:
        print(f"error: failed to {error}", file=sys.stderr)
        return 2


def _train(given: argparse.Namespace) -> int:
    from .encoder import base
    from .encoder import training as train

    loaded = _load(given, _recipe(given))
    split = loaded.split
    print(
        f"{len(split.train)} texts to train on, {len(split.held_out)} held out, {len(split.labels)} labels; "
        f"{split.overlap_dropped} dropped because they are in test"
    )
    found = base.find(given.base)
    origin = {name: data.sha256(path) for name, path in loaded.paths.items()} | {"base": found.weights_sha256()}
    finished = train.start(found, split, loaded.recipe, given.out, origin, given.resume).run(given.minutes)
    if not finished:
        print(f"stopped after {given.minutes} minutes; go on with --resume", file=sys.stderr)
    return 0 if finished else STOPPED


def _export(given: argparse.Namespace) -> int:
    from .encoder import base
    from .package import make as package

    written = given.out / "run.json"
    if not written.is_file():
        raise UserError(f"export {given.out}: there is no run.json; run `train` first")
    run = json.loads(written.read_text(encoding="utf-8"))
    loaded = _load(given, Recipe(**run["recipe"]))
    if any(run[name] != data.sha256(path) for name, path in loaded.paths.items()):
        raise UserError(f"export {given.out}: it was trained on other data than {given.data}")
    source = _source(given)
    plan = package.Plan(given.name, given.version, given.out, given.package or given.out / "package")
    manifest = package.make(plan, base.find(given.base), loaded.split, loaded.test, loaded.recipe, source)
    print(json.dumps(manifest["metrics"], indent=1))
    return 0


def _run(given: argparse.Namespace) -> int:
    _source(given)  # complain now, not after an hour
    return _train(given) or _export(given)


def _evaluate(given: argparse.Namespace) -> int:
    from .evaluate import figures as evaluate

    found = evaluate.evaluate(given.package, given.data, data.read(given.data), given.threads)
    print(json.dumps(found, indent=1))
    return 0


def _golden(given: argparse.Namespace) -> int:
    from .package import golden

    if not given.check:
        golden.write(given.package, given.out)
        return 0
    wrong = golden.differences(given.package, json.loads(given.out.read_text(encoding="utf-8")))
    print("\n".join(wrong) if wrong else "agrees")
    return 1 if wrong else 0


def _lengths(given: argparse.Namespace) -> int:
    from .package import lengths

    for row in lengths.measure(given.package, given.data, data.read(given.data)):
        print(json.dumps(row))
    return 0


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Data and recipe of a run; the same arguments give the same split."""

    paths: dict[str, Path]
    split: data.Split
    test: tuple[data.Example, ...]
    recipe: Recipe


def _load(given: argparse.Namespace, recipe: Recipe) -> _Loaded:
    paths = {name: data.find(given.data, name) for name in ("train", "test")}
    test = data.read(paths["test"])
    split = data.split(data.read(paths["train"]), test, recipe.held_out_share, recipe.seed)
    return _Loaded(paths, split, tuple(test), recipe)


def _source(given: argparse.Namespace) -> Source:
    """Licence and attribution of the data: ours when the file is the known one, else as given."""
    sha256 = data.sha256(data.find(given.data, "train"))
    if sha256 == BANKING77.sha256:
        return BANKING77
    if not (given.data_name and given.data_licence and given.data_attribution):
        raise UserError("name the data: give --data-name, --data-licence and --data-attribution")
    return Source(given.data_name, given.data_licence, given.data_attribution, sha256)


def _recipe(given: argparse.Namespace) -> Recipe:
    names = {field.name for field in fields(Recipe)}
    return Recipe(**{name: value for name, value in vars(given).items() if name in names and value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labelstream_train", description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(required=True, metavar="STAGE")
    run = stages.add_parser("run", help="train, then export: everything")
    _add_training(run, _run)
    _add_export(run)
    stage = stages.add_parser("train", help="fine-tune; can be stopped at any time and resumed")
    _add_training(stage, _train)
    stage = stages.add_parser("export", help="make the package from the best weights of a run so far")
    _add_places(stage, _export)
    _add_export(stage)
    stage = stages.add_parser("evaluate", help="figures of a package on a file of labelled texts; needs no torch")
    _add_package(stage, _evaluate)
    stage.add_argument("--data", type=Path, required=True, help="a .jsonl or .jsonl.gz file")
    stage.add_argument("--threads", type=int, default=0, help="0 for all cores [0]")
    stage = stages.add_parser("golden", help="write or check the golden scores of a package; needs no torch")
    _add_package(stage, _golden)
    stage.add_argument("--out", type=Path, required=True, help="the golden file")
    stage.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    stage = stages.add_parser("lengths", help="accuracy when texts are longer than trained on; needs no torch")
    _add_package(stage, _lengths)
    stage.add_argument("--data", type=Path, required=True, help="a .jsonl or .jsonl.gz file")
    return parser


def _add_places(stage: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int]) -> None:
    stage.set_defaults(stage=action)
    stage.add_argument("--data", type=Path, required=True, help="folder with train.jsonl(.gz) and test.jsonl(.gz)")
    stage.add_argument("--out", type=Path, required=True, help="folder of this run; made if needed")
    stage.add_argument("--base", type=Path, help="base model's folder [the one in the PyPI package]")


def _add_training(stage: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int]) -> None:
    _add_places(stage, action)
    stage.add_argument("--resume", action="store_true", help="go on with the run in --out")
    stage.add_argument("--minutes", type=float, help="stop after the epoch in which these are over")
    stage.add_argument("--seed", type=int, help=f"of split, head, order and dropout [{Recipe().seed}]")
    stage.add_argument("--epochs", type=int, help=f"the learning rate reaches 0 after these [{Recipe().epochs}]")


def _add_export(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--package", type=Path, help="folder of the package [OUT/package]")
    stage.add_argument("--name", default="banking77-minilm", help="name of the package [%(default)s]")
    stage.add_argument("--version", default="1.0.0", help="version of the package [%(default)s]")
    for what in ("name", "licence", "attribution"):
        stage.add_argument(f"--data-{what}", help=f"{what} of the training data [known for Banking77]")


def _add_package(stage: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int]) -> None:
    stage.set_defaults(stage=action)
    stage.add_argument("--package", type=Path, required=True, help="folder of a model package")
