"""The stage `export`: turns the trained model into a package, and records in export.json that both agree.

In order: write the model as fp32, int8 and int8_dynamic; compare fp32 with the training framework and the others with
fp32; take the chosen storage; fit the temperature and thresholds on the held-out texts with the files that ship; write
labelstream.json with golden texts and, if the `labelstream` program is found, the drift reference. Nothing is chosen on
the test texts.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import json_file, tiers
from ..data.examples import Example
from ..data.parts import Parts
from ..errors import UserError
from ..run import Run
from . import calibration, compare, drift, golden, manifest, quantise, source, thresholds
from .scorer import Scorer
from .serving import program
from .settings import ENCODER_TOKENS_MAX, Storage

Storages = dict[Storage, Path]


def export(run: Run) -> None:
    """Writes OUT/package, the other storages beside it, and OUT/export.json."""
    parts, settings = run.parts(), run.settings.export
    storages = write_storages(run)
    limits = {"tokens_max": tokens_max(run, storages["fp32"])}
    report: dict[str, Any] = {"tier": run.settings.run.tier, "storage": settings.storage, **limits}
    report |= measure(run, parts, storages, limits)
    _copy(storages[settings.storage], run.package)

    tuned = limits | tune(run.package, limits, parts, run, report)
    about = {
        "name": run.settings.run.name or f"{_data_name(run, parts)}-{run.settings.run.tier}",
        "version": run.settings.run.version,
        "files": {name: manifest.file_digest(run.package / name) for name in manifest.MODEL_FILES},
        **tuned,
        "golden": golden.package_scores(Scorer(run.package, tuned, threads=1), golden_texts(run, parts, tuned)),
        "golden_tolerance": golden.TOLERANCE,
        "licence": settings.licence,
        "data": [source.entry(parts.facts, run.settings.data)],
        "metrics": {name: manifest.rounded(value) for name, value in (_figures(report) | _counts(parts)).items()},
    }
    manifest.write(run.package, about)
    report["drift_reference"] = _drift_reference(run, parts)
    report["package_bytes"] = sum(path.stat().st_size for path in run.package.iterdir() if path.is_file())
    json_file.write(run.out / "export.json", report)
    print(summary(report))


def write_storages(run: Run) -> Storages:
    """OUT/fp32, OUT/int8 and OUT/int8_dynamic, each with model.onnx, tokenizer.json and config.json."""
    tier = tiers.tier(run.settings.run.tier)
    folders: Storages = {"fp32": run.out / "fp32", "int8": run.out / "int8", "int8_dynamic": run.out / "int8_dynamic"}
    for storage in ("fp32", "int8"):
        tier.write_model(run, folders[storage], storage)
    quantise.write_dynamic(folders["fp32"], folders["int8_dynamic"])
    return folders


def tokens_max(run: Run, folder: Path) -> int:
    """From the settings, else the tier's default; at most the model's positions."""
    settings = run.settings
    wanted = settings.export.tokens_max or (
        settings.fast.tokens_max if settings.run.tier == "fast" else ENCODER_TOKENS_MAX
    )
    positions = json_file.read_object(folder / "config.json").get("max_position_embeddings")
    return min(wanted, positions or wanted)


def measure(run: Run, parts: Parts, storages: Storages, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Parity with the training framework, and the cost of each storage.

    Compares before calibration, at temperature 1 and without thresholds, as those are fitted to one storage.
    """
    count = run.settings.export.compare_texts_max
    held_out, test = (_some(part, count) for part in (parts.held_out, parts.test))
    texts = compare.Texts([each.text for each in held_out], [each.text for each in test], parts.truth(test))
    scorer = Scorer(storages["fp32"], dict(limits), threads=run.settings.run.threads)
    exact = compare.answers(scorer, texts)
    trained = tiers.tier(run.settings.run.tier).logits(run, texts.held_out)
    report: dict[str, Any] = {
        "logit_difference_max": compare.logit_difference(exact.held_out, trained, storages["fp32"]),
        "texts_compared": {"held_out": len(held_out), "test": len(test)},
        "processor_has_vnni": quantise.has_vnni(),
    }
    for name, folder in storages.items():
        report[name] = compare.costs(folder, dict(limits), texts)
        if name != "fp32":
            other = compare.answers(Scorer(folder, dict(limits), threads=run.settings.run.threads), texts)
            report[name] |= compare.agreement(scorer, exact, other, texts)
    return report


def tune(folder: Path, limits: Mapping[str, Any], parts: Parts, run: Run, report: dict[str, Any]) -> dict[str, Any]:
    """`temperature`, `thresholds` and `calibration` from the held-out texts; adds to `report` how they were chosen."""
    settings = run.settings.export
    scorer = Scorer(folder, dict(limits), threads=run.settings.run.threads)
    logits = scorer.logits([example.text for example in parts.held_out])
    truth = parts.truth(parts.held_out)
    plain = scorer.probabilities_of(logits)
    scorer.temperature = calibration.fit_temperature(logits, truth, parts.is_multi_label)
    rows = scorer.probabilities_of(logits)
    floors: dict[str, Any] = {"abstain_below": None, "per_label": {}}
    if parts.is_multi_label:
        found = thresholds.per_label(rows, truth, settings.label_texts_min, settings.threshold_weight)
        report["thresholds"] = {"chosen": found.chosen, "macro_f1_of_five_folds": found.macro_f1}
        if found.chosen != "0.5":
            floors["per_label"] = dict(zip(parts.labels, found.thresholds.tolist(), strict=True))
        scorer.floors = found.thresholds.astype(np.float32)
    is_right = compare.is_right(scorer, rows, truth)
    if not parts.is_multi_label:
        floors["abstain_below"] = thresholds.floor_of_best(rows.max(axis=1), is_right, settings)
    described = calibration.describe(rows, plain, truth, is_right)
    report |= {
        "temperature": scorer.temperature,
        "abstain_below": floors["abstain_below"],
        "ece_held_out": described["ece_held_out"],
        "ece_held_out_without": described["ece_held_out_without"],
    }
    return {"temperature": scorer.temperature, "thresholds": floors, "calibration": described}


def golden_texts(run: Run, parts: Parts, tuned: Mapping[str, Any]) -> list[str]:
    """The default package has its own golden texts; others get held-out texts and edge cases."""
    if source.known(parts.facts) == source.BANKING77:
        return list(golden.PACKAGE_TEXTS)
    scorer = Scorer(run.package, dict(tuned), threads=run.settings.run.threads)
    return golden.choose(scorer, [example.text for example in parts.held_out], run.settings.export.golden_texts)


def summary(report: Mapping[str, Any]) -> str:
    """A few lines for the terminal."""
    lines = [f"largest logit difference from training: {report['logit_difference_max']:.1e}"]
    for name in ("fp32", "int8", "int8_dynamic"):
        row = report[name]
        line = f"{name:<13} {row['bytes'] / 1e6:7.1f} MB  load {row['load_seconds']:.2f} s"
        line += f"  {row['milliseconds_per_text']:.2f} ms/text"
        line += f"  alone vs. batch {row['alone_logit_difference_max']:.1e}"
        if "agreement" in row:
            line += f"  same labels {100 * row['agreement']:.2f} %"
            line += f", probabilities within {row['probability_difference_max']:.4f}"
        lines.append(line + ("  <- ships" if name == report["storage"] else ""))
    lines.append(
        f"temperature {report['temperature']}, calibration error {report['ece_held_out']:.4f} on held-out texts"
    )
    lines.append(f"drift reference: {report['drift_reference']}")
    return "\n".join(lines)


def _drift_reference(run: Run, parts: Parts) -> str:
    """Writes the drift reference if possible; returns the outcome in words. A package is complete without one."""
    settings = run.settings.export
    if not settings.drift_reference:
        return "left out: export.drift_reference is false"
    binary = program(settings.labelstream)
    if binary is None:
        return "left out: the labelstream program was not found; set export.labelstream or LABELSTREAM"
    texts = [example.text for example in (*parts.held_out, *parts.test)]
    try:
        listed = drift.write_reference(binary, run.package, texts)
    except UserError as cause:
        (run.package / manifest.DRIFT_PROFILE).unlink(missing_ok=True)
        return f"left out: failed to {cause}"
    return f"{listed['bytes']} bytes of counts over {len(texts)} held-out and test texts"


def _figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The parts of the report for `metrics`: the difference from training, and of the storage from fp32."""
    storage = report["storage"]
    compared = ("agreement", "probability_difference_max", "accuracy_loss")
    found = {f"{storage}_{name}": report[storage][name] for name in compared if name in report[storage]}
    return {"export_logit_difference_max": report["logit_difference_max"]} | found


def _counts(parts: Parts) -> dict[str, int]:
    sizes = {"n_train": len(parts.train), "n_held_out": len(parts.held_out), "n_test": len(parts.test)}
    return sizes | {f"n_dropped_{reason}": int(count) for reason, count in parts.facts.get("dropped", {}).items()}


def _data_name(run: Run, parts: Parts) -> str:
    return str(source.entry(parts.facts, run.settings.data)["name"])


def _some(examples: tuple[Example, ...], count_max: int) -> list[Example]:
    return [examples[place] for place in compare.spread(len(examples), count_max)]


def _copy(storage: Path, package: Path) -> None:
    """Empties the package folder: files of an earlier export do not fit the new model."""
    if package.exists():
        shutil.rmtree(package)
    package.mkdir(parents=True)
    for name in manifest.MODEL_FILES:
        shutil.copyfile(storage / name, package / name)
