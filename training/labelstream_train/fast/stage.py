"""The fast tier: training, ONNX export, and predictions by numpy. Needs no torch.

OUT/train then holds `tokenizer.json`, `best.npz` (see `network`) and `train.json` (what was trained, how long it took,
how good it is).
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .. import atomic_file, json_file
from ..data import load
from ..data.parts import Parts
from ..errors import Stopped, UserError
from ..learning import base as bases
from ..learning import curve, quality, teacher
from ..learning.resume import same_run
from ..package import nodes
from ..package.settings import Storage
from ..progress import Progress
from ..run import Run
from . import graph, rows, start, words
from .invent import invent
from .learn import Learner, Task
from .network import Network
from .settings import FastSettings
from .storage import SUMMANDS_MAX

NO_BASE = "none"


def train(run: Run) -> None:
    """Trains into OUT/train, or resumes there; raises `Stopped` at the deadline."""
    settings, parts = run.settings.fast, run.parts()
    _check(settings)
    run.train.mkdir(parents=True, exist_ok=True)
    same_run(run.train / "run.json", _about(run, parts))
    tokenizer = _tokenizer(run, parts)
    task = _task(run, parts, tokenizer)
    learner = Learner(_start(run, parts, tokenizer, task), task, settings, run.settings.run.seed, run.train)
    learner.load()
    if learner.epochs > settings.epochs:
        print(
            f"fast.epochs = {settings.epochs} has no effect: fast.steps_min = {settings.steps_min} takes "
            f"{learner.epochs} epochs of {learner.steps_per_epoch} steps; --set fast.steps_min=0 removes that minimum",
            file=sys.stderr,
        )
    with Progress("fast", learner.epochs, "epochs", before=len(learner.history)) as progress:

        def report(row: dict) -> None:
            progress.add(1, f"quality {row[f'plain_{quality.quality_name(row)}']:.4f}")
            run.report(
                row["epoch"],
                {"quality": row[f"plain_{quality.quality_name(row)}"], "nll": row["plain_nll"], "loss": row["loss"]},
            )

        finished = learner.run(lambda: run.seconds_left() == 0.0, report)
    if not finished:
        raise Stopped(
            f"the time limit of --minutes is reached, in epoch {len(learner.history) + 1} of {learner.epochs}; "
            "run the same command again to resume"
        )
    _write_summary(run, learner)


def write_model(run: Run, folder: Path, storage: Storage) -> None:
    """Writes model.onnx, tokenizer.json and config.json of the chosen epoch, as fp32 or int8."""
    if storage == "int8_dynamic":
        raise UserError("write the fast tier as int8_dynamic: it is quantised from the fp32 model")
    network, parts = _trained(run), run.parts()
    if len(network.bias) != len(parts.labels):
        raise UserError(f"export {run.train}: it was trained for other labels")
    folder.mkdir(parents=True, exist_ok=True)
    nodes.save(graph.build(network, int8=storage != "fp32"), folder / "model.onnx")
    tokenizer = _saved_tokenizer(run)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    json_file.write(folder / "config.json", _config(run, parts, tokenizer))


def logits(run: Run, texts: Sequence[str]) -> np.ndarray:
    """[texts, labels] f32 by numpy, from the trained vectors."""
    ids = words.token_ids(_saved_tokenizer(run), texts, _tokens_max(run))
    return _trained(run).logits(ids).astype(np.float32)


def _check(settings: FastSettings) -> None:
    if settings.tokens_max * settings.row_words_max > SUMMANDS_MAX:
        raise UserError(
            f"use fast.tokens_max {settings.tokens_max}: with fast.row_words_max {settings.row_words_max}, at "
            f"most {SUMMANDS_MAX // settings.row_words_max} tokens can be summed exactly"
        )
    if settings.unlabelled is not None and settings.teacher is None:
        raise UserError("use fast.unlabelled: unlabelled texts need a fast.teacher")


def _about(run: Run, parts: Parts) -> dict:
    """What must not change between start and resume."""
    settings = run.settings.fast
    return {
        "seed": run.settings.run.seed, "fast": run.settings.dump()["fast"], "labels": list(parts.labels),
        "data": parts.facts.get("fingerprint"), "train": len(parts.train),
        "teacher": None if settings.teacher is None else teacher.digest(teacher.find(settings.teacher)),
    }  # fmt: skip


def _tokenizer(run: Run, parts: Parts) -> Tokenizer:
    """The tokenizer of the run if it has one, else a new one."""
    settings = run.settings.fast
    if (run.train / "tokenizer.json").is_file():
        return _saved_tokenizer(run)
    if settings.base == NO_BASE:
        made = words.learnt([example.text for example in parts.train], settings.words_max)
    else:
        made = words.of_base(bases.find(settings.base))
    atomic_file.write_text(run.train / "tokenizer.json", made.to_str(pretty=False))
    return made


def _task(run: Run, parts: Parts, tokenizer: Tokenizer) -> Task:
    """The training texts; with a teacher, also augmented and unlabelled texts, and its predictions for all."""
    settings = run.settings.fast
    texts, soft = [example.text for example in parts.train], None
    if settings.teacher is not None:
        texts += invent(texts, [example.labels for example in parts.train], settings.invented, run.settings.split.seed)
        if settings.unlabelled is not None:
            found = load.read_rows(Path(settings.unlabelled), run.settings.data, is_labelled=False)
            texts += [example.text for example in load.examples(found)]
        threads = run.settings.run.threads
        known = teacher.teacher_logits([settings.teacher], parts.labels, texts, run.train / "teachers", threads)
        soft = teacher.soft_labels(known, settings.teacher_temperature, parts.is_multi_label)
    held_out = [example.text for example in parts.held_out]
    return Task(
        ids=words.token_ids(tokenizer, texts, settings.tokens_max),
        truth=parts.truth(parts.train),
        soft=soft,
        held_out_ids=words.token_ids(tokenizer, held_out, settings.tokens_max),
        held_out_truth=parts.truth(parts.held_out),
        labels=len(parts.labels),
    )


def _start(run: Run, parts: Parts, tokenizer: Tokenizer, task: Task) -> Network:
    """The initial network: token vectors from the base model, zero vectors for n-grams, a random head."""
    settings, seed = run.settings.fast, run.settings.run.seed
    size = tokenizer.get_vocab_size()
    flat = rows.Flat.of(task.ids[: len(parts.train)])
    known = rows.learn(flat, size, settings.row_words_max, settings.row_count_min, settings.rows_max)
    if settings.base == NO_BASE:
        vectors = start.at_random(size, settings.dimensions, seed)
    else:
        counts = np.bincount(np.unique(np.stack([flat.ids, flat.owner]), axis=1)[0], minlength=size)
        base, cache = bases.find(settings.base), run.train / "words"
        vectors = start.of_base(base, counts, flat.texts, settings.dimensions, cache, run.settings.run.threads)
    vectors = np.concatenate([vectors, np.zeros((known.count + 1, settings.dimensions), np.float32)])
    dice = np.random.default_rng([seed, 0])
    head = (0.02 * dice.standard_normal((settings.dimensions, len(parts.labels)))).astype(np.float32)
    return Network(known, vectors, head, np.zeros(len(parts.labels), np.float32))


def _write_summary(run: Run, learner: Learner) -> None:
    chosen = quality.choose(learner.history, len(learner.task.held_out_ids))
    row = learner.history[chosen["epoch"] - 1]
    names = (quality.quality_name(row), "nll")
    curve.write(run.train, learner.history, chosen["epoch"])
    json_file.write(run.train / "train.json", {
        "tier": "fast", "epochs": len(learner.history), "epoch": chosen["epoch"],
        "seconds": round(sum(each["seconds"] for each in learner.history), 1),
        "figures": {f"held_out_{name}": row[f"plain_{name}"] for name in names},
        "rows": learner.rows.count,
        "texts": {"train": len(learner.task.truth), "without_labels": len(learner.task.ids) - len(learner.task.truth),
                  "held_out": len(learner.task.held_out_ids)},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    })  # fmt: skip


def _trained(run: Run) -> Network:
    path = run.train / "best.npz"
    if not path.is_file():
        raise UserError(f"read {path}: run `train` first")
    return Network.load(path)


def _saved_tokenizer(run: Run) -> Tokenizer:
    path = run.train / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"read {path}: run `train` first")
    return Tokenizer.from_file(str(path))


def _tokens_max(run: Run) -> int:
    """Tokens of a text that the package reads."""
    return min(run.settings.export.tokens_max or run.settings.fast.tokens_max, run.settings.fast.tokens_max)


def _config(run: Run, parts: Parts, tokenizer: Tokenizer) -> dict:
    """config.json in the Hugging Face layout, with what a classifier needs."""
    kind = "multi_label_classification" if parts.is_multi_label else "single_label_classification"
    return {
        "model_type": "labelstream-fast",
        "problem_type": kind,
        "id2label": {str(place): label for place, label in enumerate(parts.labels)},
        "label2id": {label: place for place, label in enumerate(parts.labels)},
        "pad_token_id": tokenizer.token_to_id(words.PADDING),
        "vocab_size": tokenizer.get_vocab_size(),
        "max_position_embeddings": run.settings.fast.tokens_max,
    }
