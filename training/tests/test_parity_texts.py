"""The texts of the parity test: the same for the same seed, of every kind, and what Python writes down of them."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from labelstream_train import tiers
from labelstream_train.package import parity, parity_texts
from labelstream_train.package.scorer import Scorer
from labelstream_train.package.stage import export

from . import tiny_tier
from .test_export import run_in


def test_the_same_seed_draws_the_same_texts_of_every_kind() -> None:
    drawn = list(parity_texts.draw(520, 3, None))
    assert drawn == list(parity_texts.draw(520, 3, None)) != list(parity_texts.draw(520, 4, None))
    kinds = Counter(kind for kind, _ in drawn)
    assert kinds["english"] == 260 and len(kinds) == 13 and min(kinds.values()) >= 20
    by_kind = {kind: "".join(text for own, text in drawn if own == kind) for kind in kinds}
    for kind, character in (("emoji", "💳"), ("arabic", "ع"), ("zero width", "\u200d"), ("control characters", "\0")):
        assert character in by_kind[kind], kind
    assert max(len(text.encode()) for kind, text in drawn if kind == "20 kB") >= 20_000
    for _, text in drawn:
        text.encode()  # no half of a surrogate pair, which no event could hold


def test_real_texts_are_taken_where_there_are_any(tmp_path: Path) -> None:
    folder = tmp_path / "banking77"
    folder.mkdir()
    with gzip.open(folder / "test.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": f"message {number}", "label": "x"}) + "\n" for number in range(10))
    drawn = list(parity_texts.draw(40, 3, tmp_path))
    assert sum(kind == "banking77" and text.startswith("message") for kind, text in drawn) == 20


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_what_is_written_is_what_the_scorer_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_multi_label: bool
) -> None:
    monkeypatch.setitem(tiers.MODULES, "fast", tiny_tier.__name__)
    run = run_in(tmp_path, is_multi_label, abstain_coverage=None if is_multi_label else 0.05)
    export(run)
    out = tmp_path / "rows.jsonl"
    assert parity.main([str(run.package), str(out), "--texts", "60", "--threads", "1"]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    scorer = Scorer(run.package)
    scores = scorer.probabilities([row["text"] for row in rows])
    for row, own, given in zip(rows, scores, scorer.given(scores), strict=True):
        assert row["scores"] == pytest.approx(own.tolist(), abs=1e-6)
        assert set(row["given"]) == {label for label, is_given in zip(scorer.labels, given, strict=True) if is_given}
        assert row["label"] == (row["given"][0] if row["given"] else None)
        shown = [row["scores"][scorer.labels.index(label)] for label in row["given"]]
        assert shown == sorted(shown, reverse=True)


def test_a_dynamically_quantised_model_is_given_one_text_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tiers.MODULES, "fast", tiny_tier.__name__)
    run = run_in(tmp_path, storage="int8_dynamic")
    export(run)
    scorer = Scorer(run.package)
    assert scorer.is_dynamic
    texts = ["w1", "w2 w3 w4 w5 w6 w7 w8", "w9 w10"]
    assert (scorer.logits(texts) == [scorer.logits([text])[0] for text in texts]).all()
