"""The encoder tier: training, ONNX export, and predictions by torch. Needs torch.

OUT/train then holds `best.safetensors` and `train.json` (what was trained, how long it took, how good it is).
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .. import json_file
from ..data.examples import Example
from ..data.parts import Parts
from ..errors import Stopped, UserError
from ..learning import base as bases
from ..learning import bert_graph, curve, quality, teacher
from ..learning.resume import same_run
from ..package import nodes
from ..package.settings import ENCODER_TOKENS_MAX, Storage
from ..run import Run
from . import architectures, fine_tuning
from .network import Classifier
from .texts import Texts


def train(run: Run) -> None:
    """Fine-tunes into OUT/train, or resumes there; raises `Stopped` at the deadline."""
    settings, parts = run.settings.encoder, run.parts()
    if run.settings.run.threads:
        torch.set_num_threads(run.settings.run.threads)
    base = bases.find(settings.base)
    if settings.tokens_max > architectures.shape(base).max_position_embeddings:
        raise UserError(
            f"use encoder.tokens_max {settings.tokens_max}: {base.name} takes at most "
            f"{architectures.shape(base).max_position_embeddings}"
        )
    if parts.is_multi_label and settings.contrastive_epochs:
        raise UserError("use encoder.contrastive_epochs: contrastive training needs exactly one label per text")
    run.train.mkdir(parents=True, exist_ok=True)
    teachers = [teacher.digest(teacher.find(each)) for each in settings.teachers]
    same_run(
        run.train / "run.json",
        {
            "seed": run.settings.run.seed,
            "encoder": run.settings.dump()["encoder"],
            "labels": list(parts.labels),
            "data": _fingerprint(parts),
            "base": base.weights_sha256(),
            "teachers": teachers,
        },
    )
    started = fine_tuning.FineTuning(base, _task(run, parts), settings, run.settings.run.seed, run.train)
    started.load()
    if not started.run(lambda: run.seconds_left() == 0.0, lambda row: _report(run, row)):
        raise Stopped(
            f"the time limit of --minutes is reached, in epoch {started.epoch + 1} of "
            f"{settings.contrastive_epochs + settings.epochs}; run the same command again to resume"
        )
    _write_summary(run, base, started)


def write_model(run: Run, folder: Path, storage: Storage) -> None:
    """Writes model.onnx, tokenizer.json and config.json of the chosen weights, as fp32 or int8."""
    if storage == "int8_dynamic":
        raise UserError("write the encoder as int8_dynamic: it is quantised from the fp32 model")
    base, parts = bases.find(run.settings.encoder.base), run.parts()
    arrays = {name: value.numpy() for name, value in _weights(run, len(parts.labels)).items()}
    folder.mkdir(parents=True, exist_ok=True)
    shape = architectures.shape(base)
    model = bert_graph.build(
        arrays, shape.num_hidden_layers, shape.num_attention_heads, shape.layer_norm_eps, storage == "int8"
    )
    nodes.save(model, folder / "model.onnx")
    (folder / "tokenizer.json").write_text(base.tokenizer().to_str(pretty=False), encoding="utf-8")
    json_file.write(folder / "config.json", _config(base, parts))


def logits(run: Run, texts: Sequence[str]) -> np.ndarray:
    """[texts, labels] f32 by torch, with the package's input length."""
    base, labels = bases.find(run.settings.encoder.base), len(run.parts().labels)
    model = Classifier(architectures.shape(base), labels, 0.0)
    model.load_state_dict(_weights(run, labels))
    tokens_max = min(
        run.settings.export.tokens_max or ENCODER_TOKENS_MAX, architectures.shape(base).max_position_embeddings
    )
    return fine_tuning.logits(model, Texts(base.tokenizer(), texts, tokens_max))


def _task(run: Run, parts: Parts) -> fine_tuning.Task:
    settings = run.settings.encoder
    train_texts = tuple(example.text for example in parts.train)
    soft = None
    if settings.teachers:
        known = teacher.teacher_logits(
            settings.teachers, parts.labels, train_texts, run.train / "teachers", run.settings.run.threads
        )
        soft = teacher.soft_labels(known, settings.distil_temperature, parts.is_multi_label)
    return fine_tuning.Task(
        len(parts.labels),
        train_texts,
        parts.truth(parts.train),
        tuple(example.text for example in parts.held_out),
        parts.truth(parts.held_out),
        soft,
    )


def _report(run: Run, row: dict) -> None:
    chosen = quality.of_epochs([row])[0]
    run.report(row["epoch"], {"quality": chosen["quality"], "nll": chosen["nll"], "loss": row["loss"]})


def _write_summary(run: Run, base: bases.Base, finished: fine_tuning.FineTuning) -> None:
    chosen = quality.choose(finished.history, len(finished.held_out))
    row = finished.history[chosen["epoch"] - 1]
    figures = {f"held_out_{name}": row[f"{chosen['weights']}_{name}"] for name in (quality.quality_name(row), "nll")}
    curve.write(run.train, finished.history, chosen["epoch"])
    json_file.write(
        run.train / "train.json",
        {
            "tier": "encoder",
            "epochs": len(finished.history),
            "epoch": chosen["epoch"],
            "weights": chosen["weights"],
            "seconds": round(sum(each["seconds"] for each in finished.history), 1),
            "figures": figures,
            "base": {"name": base.name, "sha256": base.weights_sha256()},
            "bfloat16": finished.bfloat16,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "texts": {"train": len(finished.train), "held_out": len(finished.held_out)},
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    )


def _weights(run: Run, labels: int) -> dict[str, torch.Tensor]:
    path = run.train / "best.safetensors"
    if not path.is_file():
        raise UserError(f"read {path}: run `train` first")
    weights = load_file(path)
    if weights["classifier.weight"].shape[0] != labels:
        raise UserError(f"use {path}: it was trained for {weights['classifier.weight'].shape[0]} labels, not {labels}")
    return weights


def _fingerprint(parts: Parts) -> str:
    """SHA-256 of the training and held-out examples, in order."""
    total = hashlib.sha256()
    for example in (*parts.train, None, *parts.held_out):
        row = [example.text, *example.labels] if isinstance(example, Example) else None
        total.update((json.dumps(row, ensure_ascii=False) + "\n").encode())
    return total.hexdigest()


def _config(base: bases.Base, parts: Parts) -> dict:
    """config.json with BERT's key names, as the graph is a BERT whatever the base model is, and our labels."""
    shape, config = architectures.shape(base), base.config()
    return {
        "_name_or_path": base.name,
        "model_type": "bert",
        "pooling": "mean",
        "problem_type": "multi_label_classification" if parts.is_multi_label else "single_label_classification",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.max_position_embeddings,
        "type_vocab_size": shape.type_vocab_size,
        "layer_norm_eps": shape.layer_norm_eps,
        "hidden_act": "gelu",
        "pad_token_id": config.get("pad_token_id", 0),
        "id2label": {str(index): label for index, label in enumerate(parts.labels)},
        "label2id": {label: index for index, label in enumerate(parts.labels)},
    }
