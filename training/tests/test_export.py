"""The stage `export` on a tiny tier: the package is whole, agrees with what was trained, and the program takes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelstream_train import tiers
from labelstream_train.errors import UserError
from labelstream_train.package import drift, golden, manifest, quantise, source
from labelstream_train.package.scorer import Scorer
from labelstream_train.package.serving import check, program
from labelstream_train.package.stage import export
from labelstream_train.run import Run
from labelstream_train.settings import check as settings_of

from . import tiny_tier

LABELS = tuple(f"label {number}" for number in range(6))


def run_in(folder: Path, is_multi_label: bool = False, texts: int = 900, **export_settings: Any) -> Run:
    """A run with data, before `export`."""
    settings = settings_of(
        {
            "run": {"tier": "fast", "name": "tiny", "threads": 1},
            "export": {"drift_reference": False} | export_settings,
        }
    )
    run = Run(settings, folder)
    tiny_tier.parts(LABELS, texts, is_multi_label).write(run.data)
    return run


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiers.MODULES, "fast", tiny_tier.__name__)


def test_a_package_is_whole_and_each_storage_is_measured(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    export(run)
    about = manifest.read(run.package)
    for name, listed in about["files"].items():
        assert listed == manifest.file_digest(run.package / name)
    assert (about["name"], about["licence"], about["tokens_max"]) == ("tiny", "Apache-2.0", 64)
    assert about["data"] == [
        {
            "name": "words",
            "licence": "CC0-1.0",
            "attribution": "made up",
            "sha256": "a" * 64,
            "files": [{"name": "words.csv", "sha256": "a" * 64, "rows": 900}],
            "dropped": {"in_test": 2},
        }
    ]
    assert about["metrics"]["n_dropped_in_test"] == 2 and "drift_reference" not in about
    report = json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))
    assert report["logit_difference_max"] < 1e-5
    assert report["fp32"]["alone_logit_difference_max"] < 1e-5 < report["int8_dynamic"]["alone_logit_difference_max"]
    for storage in ("int8", "int8_dynamic"):
        row = report[storage]
        assert 0.9 < row["agreement"] <= 1 and 0 < row["probability_difference_max"] < 0.2 and row["bytes"] > 0
        assert abs(row["accuracy_loss"]) < 0.05
        assert (tmp_path / storage / "model.onnx").is_file()
    assert (run.package / "model.onnx").read_bytes() == (tmp_path / "int8" / "model.onnx").read_bytes()


def test_scores_are_calibrated_on_the_held_out_texts(tmp_path: Path) -> None:
    run = run_in(tmp_path, abstain_coverage=0.8)
    export(run)
    about, scorer, held_out = manifest.read(run.package), Scorer(run.package), run.parts().held_out
    assert about["calibration"]["ece_held_out"] < about["calibration"]["ece_held_out_without"]
    rows = scorer.probabilities([example.text for example in held_out])
    point = about["calibration"]["margin_curve"][10]
    ranked = np.sort(rows, axis=1)
    reached = ranked[:, -1] - ranked[:, -2] >= point["at_least"]
    assert reached.mean() == pytest.approx(point["coverage"], abs=0.005)
    right = rows.argmax(axis=1) == run.parts().truth(held_out)
    assert right[reached].mean() == pytest.approx(point["accuracy"], abs=0.005)
    assert scorer.given(rows).any(axis=1).mean() == pytest.approx(0.8, abs=0.01)


def test_several_labels_a_text_get_sigmoid_and_thresholds(tmp_path: Path) -> None:
    run = run_in(tmp_path, is_multi_label=True)
    export(run)
    about, scorer, parts = manifest.read(run.package), Scorer(run.package), run.parts()
    assert scorer.is_multi_label and about["thresholds"]["abstain_below"] is None
    report = json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))
    assert set(report["thresholds"]["macro_f1_of_five_folds"]) == {"0.5", "common", "per label"}
    if report["thresholds"]["chosen"] != "0.5":
        assert set(about["thresholds"]["per_label"]) == set(LABELS)
    rows = scorer.probabilities([example.text for example in parts.test])
    assert (scorer.given(rows) == (parts.truth(parts.test) > 0.5)).mean() > 0.7
    assert rows.sum(axis=1).std() > 0.1


def test_golden_texts_have_several_labels_and_lengths_and_edges(tmp_path: Path) -> None:
    run = run_in(tmp_path, golden_texts=8)
    export(run)
    texts = [each["text"] for each in manifest.read(run.package)["golden"]]
    assert len({each["label"] for each in manifest.read(run.package)["golden"]}) >= 4
    assert len({len(text) for text in texts[:8]}) == 8
    held_out = {example.text for example in run.parts().held_out}
    assert set(texts[:8]) <= held_out and not set(texts[8:]) & held_out
    assert all(golden.is_sure(Scorer(run.package), Scorer(run.package).probabilities([text]))[0] for text in texts)


def test_no_personal_data_becomes_a_golden_text_and_none_of_the_data_when_asked(tmp_path: Path) -> None:
    run = run_in(tmp_path, golden_texts=0)
    export(run)
    held_out = [example.text for example in run.parts().held_out]
    assert not set(held_out) & {each["text"] for each in manifest.read(run.package)["golden"]}
    scorer = Scorer(run.package)
    named = [f"w1 w2 {number} jane.doe@example.com {text}" for number, text in enumerate(held_out)]
    chosen = golden.choose(scorer, [*named, *held_out[:40]], 20)
    assert len(chosen) > 20 and not any("@" in text for text in chosen)


def test_a_model_that_computes_something_else_makes_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_in(tmp_path)
    monkeypatch.setattr(tiny_tier, "logits", lambda run, texts: tiny_tier._logits(LABELS, texts) + np.float32(0.01))
    with pytest.raises(AssertionError, match="differs by 0.01"):
        export(run)
    assert not run.package.exists()


def test_fp32_ships_when_asked_and_an_unreachable_precision_is_an_error(tmp_path: Path) -> None:
    run = run_in(tmp_path / "fp32", storage="fp32")
    export(run)
    assert (run.package / "model.onnx").read_bytes() == (run.out / "fp32" / "model.onnx").read_bytes()
    with pytest.raises(UserError, match="abstain_precision"):
        export(run_in(tmp_path / "sure", abstain_precision=0.999))
    with pytest.raises(UserError, match="exclude each other"):
        run_in(tmp_path / "both", abstain_precision=0.9, abstain_coverage=0.9)


def test_dynamic_int8_has_integer_products(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    tiny_tier.write_model(run, tmp_path / "fp32", "fp32")
    assert quantise.write_dynamic(tmp_path / "fp32", tmp_path / "dynamic")
    difference = Scorer(tmp_path / "dynamic", {}).logits(["w1 w2"]) - Scorer(tmp_path / "fp32", {}).logits(["w1 w2"])
    assert 0 < np.abs(difference).max() < 0.3


def test_figures_are_added_and_the_reference_does_not_rename_the_package(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    export(run)
    manifest.update_metrics(run.package, {"test_accuracy": 0.123456789, "n_test": 300})
    assert manifest.read(run.package)["metrics"]["test_accuracy"] == 0.12346
    digest = manifest.package_digest(run.package)
    about = manifest.read(run.package) | {"drift_reference": {"file": "drift.profile", "sha256": "0" * 64, "bytes": 3}}
    manifest.write(run.package, dict(reversed(about.items())))
    assert list(manifest.read(run.package))[-1] == "drift_reference"
    written = manifest.read(run.package)
    manifest.write(run.package, about)
    assert manifest.package_digest(run.package) == digest and written == about


def test_known_data_brings_its_own_terms_and_settings_win(tmp_path: Path) -> None:
    facts = {
        "files": [{"name": "a", "sha256": "1"}, {"name": "b", "sha256": source.CLINC150.sha256}],
        "fingerprint": "9",
        "data": {"name": "dir", "licence": None},
    }
    found = source.entry(facts, settings_of({}).data)
    assert (found["name"], found["licence"], found["sha256"]) == ("clinc150", "CC-BY-3.0", "9")
    found = source.entry(facts, settings_of({"data": {"name": "mine", "licence": "MIT"}}).data)
    assert (found["name"], found["licence"]) == ("mine", "MIT")


def test_signals_count_what_the_classifier_counts(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    export(run)
    scorer = Scorer(run.package)
    long = "w12 " * 5000  # 20,000 characters, of which 64 * 64 are read: 1024 words
    for text, tokens, unknown, truncated in (("w1 w2 none", 3, 1 / 3, False), (long, 5000, 0.0, True)):
        found = drift.signals(scorer, text, scorer.probabilities([text])[0])
        assert (found["characters"], found["n_tokens"], found["truncated"]) == (len(text), tokens, truncated)
        assert found["unknown_rate"] == pytest.approx(unknown)
    even = drift.signals(scorer, "w1", np.full(6, 1 / 6))
    assert (even["entropy"], even["margin"]) == (pytest.approx(1.0), 0.0)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_the_program_takes_the_package_with_its_drift_reference(tmp_path: Path, is_multi_label: bool) -> None:
    binary = program("")
    if binary is None:
        pytest.skip("the labelstream program was not found: build it, or set LABELSTREAM")
    run = run_in(tmp_path, is_multi_label, drift_reference=True)
    export(run)
    listed = manifest.read(run.package)["drift_reference"]
    content = (run.package / "drift.profile").read_bytes()
    about = json.loads(content.splitlines()[0])["about"]
    assert about["model"]["name"] == "tiny" and about["records"] == 600 and listed["bytes"] == len(content)
    assert b"w1 " not in content
    found = check(binary, run.package, 120)
    assert found.passed, found.said
    assert found.texts >= 12


def test_a_reference_that_cannot_be_made_is_left_out_and_said(tmp_path: Path) -> None:
    binary = tmp_path / "labelstream"
    binary.write_text("#!/bin/sh\necho 'labelstream: failed to count: too few' >&2\nexit 1\n", encoding="utf-8")
    binary.chmod(0o755)
    run = run_in(tmp_path / "out", drift_reference=True, labelstream=str(binary))
    export(run)
    assert "drift_reference" not in manifest.read(run.package) and not (run.package / "drift.profile").exists()
    report = json.loads((run.out / "export.json").read_text(encoding="utf-8"))
    assert report["drift_reference"].startswith("left out") and report["drift_reference"].endswith("too few")
    with pytest.raises(UserError, match="there is no such program"):
        export(run_in(tmp_path / "none", drift_reference=True, labelstream=str(tmp_path / "absent")))
