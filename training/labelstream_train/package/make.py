"""Makes a model package out of a finished (or unfinished) training run.

In order: export as fp32 and with int8-stored weights, fit the temperature on the held-out texts, score
the test texts, write labelstream.json with digests and golden scores, write the model card. Everything
reported is measured on the files that are shipped, and no choice is made from the test texts.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..encoder import training as train
from ..evaluate import figures as evaluate
from ..evaluate import metrics
from . import card, export, golden
from ..encoder.base import Base
from ..data.old import Example, Split
from ..errors import UserError
from ..encoder.recipe import Recipe
from .scorer import Scorer
from .source import BANKING77, Source

TOKENS_MAX = 128
"""Longest input the package asks for. Trained at 64, but longer messages keep their accuracy when up to
128 tokens are read (`lengths` measures it) and lose their end when cut at 64."""

BYTES_MAX = 24_000_000
"""The package is committed to a git repository, so it must stay small."""

MODEL_FILES = ("model.onnx", "tokenizer.json", "config.json")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: name and version of the package, where the run lies and where the package goes."""

    name: str
    version: str
    run: Path
    folder: Path


def make(plan: Plan, base: Base, split: Split, test: tuple[Example, ...], recipe: Recipe, source: Source) -> dict:
    """Writes the package and returns its manifest."""
    weights = plan.run / "best.safetensors"
    if not weights.is_file():
        raise UserError(f"export {plan.run}: there is no best.safetensors; run `train` first")
    rows = [json.dumps(asdict(example), ensure_ascii=False) + "\n" for example in split.held_out]
    (plan.run / "held_out.jsonl").write_text("".join(rows), encoding="utf-8")
    reference = plan.run / "fp32"
    export.write_model(base, weights, split.labels, reference, int8=False)
    export.write_model(base, weights, split.labels, plan.folder, int8=True)
    held_out = train.Texts(base, split.held_out, split.labels, recipe.tokens_max)
    logit_difference = export.torch_difference(base, weights, recipe, held_out, reference)

    temperature = _temperature(plan.folder, split)
    small = {"tokens_max": TOKENS_MAX, "temperature": temperature}
    scorer, exact = Scorer(plan.folder, small), Scorer(reference, small)
    truth = evaluate.truth_of(scorer, test, plan.folder)
    logits, exact_logits = (each.logits([example.text for example in test]) for each in (scorer, exact))
    held_out_texts = [example.text for example in split.held_out]
    agreement, change = export.int8_differences(exact_logits, logits, temperature)
    alone = export.alone_difference(scorer, held_out_texts)
    parity = export.Parity(logit_difference, agreement, change, alone)
    held_out_truth = evaluate.truth_of(scorer, split.held_out, plan.folder)
    on_held_out = evaluate.figures(scorer.logits(held_out_texts), held_out_truth, temperature)
    on_test = evaluate.figures(logits, truth, temperature)
    on_test["fp32_accuracy"] = metrics.accuracy(exact_logits, truth)
    best = train.choose(_history(plan.run), len(split.held_out))
    figures = _figures(split, best, parity, on_held_out, on_test)

    manifest = {
        "name": plan.name,
        "version": plan.version,
        "files": {name: _digest(plan.folder / name) for name in MODEL_FILES},
        "tokens_max": TOKENS_MAX,
        "temperature": temperature,
        "thresholds": {"abstain_below": None, "per_label": {}},
        "golden": golden.package_scores(scorer),
        "golden_tolerance": golden.TOLERANCE,
        "licence": "Apache-2.0",
        "data": [asdict(source)],
        "metrics": figures,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (plan.folder / "labelstream.json").write_text(text, encoding="utf-8")
    if source == BANKING77:
        (plan.folder / "README.md").write_text(card.text(manifest, recipe, best, base), encoding="utf-8")
    size = sum(path.stat().st_size for path in plan.folder.iterdir())
    if size > BYTES_MAX:
        raise UserError(f"keep the package within {BYTES_MAX} bytes: it has {size}")
    return manifest


def _temperature(folder: Path, split: Split) -> float:
    """Fitted on the held-out texts with the shipped graph; four digits say more than 500 texts know."""
    scorer = Scorer(folder, {"tokens_max": TOKENS_MAX})
    logits = scorer.logits([example.text for example in split.held_out])
    truth = evaluate.truth_of(scorer, split.held_out, folder)
    return round(metrics.fit_temperature(logits, truth), 4)


def _figures(split: Split, best: dict, parity: export.Parity, held_out: dict, test: dict) -> dict[str, float]:
    """The `metrics` of labelstream.json: numbers only, shares 0..=1."""
    named = {f"held_out_{name}": held_out[name] for name in ("accuracy", "macro_f1", "ece", "ece_without_temperature")}
    named |= {f"test_{name}": value for name, value in test.items() if name != "n"}
    named |= asdict(parity)
    rounded = {name: float(np.format_float_positional(value, 5, fractional=False)) for name, value in named.items()}
    return rounded | {
        "n_train": len(split.train),
        "n_held_out": len(split.held_out),
        "n_test": test["n"],
        "n_dropped_overlap": split.overlap_dropped,
        "epoch": best["epoch"],
    }


def _history(run: Path) -> list[dict]:
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _digest(path: Path) -> dict:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
