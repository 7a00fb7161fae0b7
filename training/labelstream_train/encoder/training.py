"""Fine-tunes the encoder and keeps the weights that `choose` picks on held-out texts. Can be stopped and resumed.

The run folder holds `run.json` (what is trained, checked on resume), `checkpoint.pt` (everything the
next epoch needs, random state included), `history.jsonl` (figures per epoch) and `best.safetensors`.
All are written to a temporary name and renamed, so a kill at any moment leaves a run that resumes.
"""

import json
import math
import os
import random
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..data import old as data
from ..evaluate import metrics
from . import optimiser
from .base import Base
from ..data.old import Split
from .network import Classifier
from ..errors import UserError
from ..progress import Progress
from .recipe import Recipe

EVAL_BATCH_ITEMS = 64


class Texts:
    """Texts of a split as token ids, cut and with specials, and their label ids."""

    def __init__(self, base: Base, examples: tuple[data.Example, ...], labels: tuple[str, ...], tokens_max: int):
        tokenizer = base.tokenizer()
        tokenizer.enable_truncation(tokens_max)
        ids_of = {label: index for index, label in enumerate(labels)}
        self.ids = [coded.ids for coded in tokenizer.encode_batch([example.text for example in examples])]
        self.lengths = [len(ids) for ids in self.ids]
        self.truth = torch.tensor([ids_of[example.label] for example in examples])

    def batch(self, places: list[int]) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """(ids, mask, types), each [len(places), longest] i64, padded with 0, and label ids."""
        ids = torch.zeros(len(places), max(self.lengths[place] for place in places), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, place in enumerate(places):
            ids[row, : self.lengths[place]] = torch.tensor(self.ids[place])
            mask[row, : self.lengths[place]] = 1
        return (ids, mask, torch.zeros_like(ids)), self.truth[places]


def build_model(base: Base, labels: int, recipe: Recipe) -> Classifier:
    """A classifier with base weights and a fresh head; the same seed gives the same head."""
    torch.manual_seed(recipe.seed)
    model = Classifier(base.shape(), labels, recipe.dropout)
    model.load_base(base.weights())
    return model


def logits(model: Classifier, texts: Texts) -> np.ndarray:
    """[texts, labels] f32 in the order of `texts`, without dropout."""
    order = sorted(range(len(texts.ids)), key=lambda place: texts.lengths[place])
    rows: np.ndarray | None = None
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), EVAL_BATCH_ITEMS):
            places = order[start : start + EVAL_BATCH_ITEMS]
            found = model(*texts.batch(places)[0]).numpy()
            rows = np.zeros((len(order), found.shape[1]), np.float32) if rows is None else rows
            rows[places] = found
    return rows


class Training:
    """One run: model, running average of its weights, optimiser, and what was measured so far."""

    def __init__(self, base: Base, split: Split, recipe: Recipe, folder: Path):
        self.recipe, self.folder = recipe, folder
        self.train = Texts(base, split.train, split.labels, recipe.tokens_max)
        self.held_out = Texts(base, split.held_out, split.labels, recipe.tokens_max)
        self.model = build_model(base, len(split.labels), recipe)
        self.average = build_model(base, len(split.labels), recipe)
        steps = recipe.epochs * -(-len(self.train.ids) // recipe.batch_items)
        self.optimiser, self.schedule = optimiser.build(self.model, optimiser.Rates(
            recipe.learning_rate, recipe.head_learning_rate, recipe.layer_decay, recipe.weight_decay,
            recipe.warmup_share), steps)
        self.epoch = 0
        self.history: list[dict] = []

    def run(self, minutes: float | None) -> bool:
        """Trains up to the last epoch; False when `minutes` were over in an earlier one."""
        started = time.monotonic()
        while self.epoch < self.recipe.epochs:
            self._epoch()
            if minutes is not None and time.monotonic() - started > minutes * 60:
                break
        return self.epoch == self.recipe.epochs

    def save(self) -> None:
        """Writes the checkpoint: what `load` needs to go on as if nothing had happened."""
        _replace(self.folder / "checkpoint.pt", lambda path: torch.save({
            "epoch": self.epoch, "history": self.history, "random": torch.get_rng_state(),
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict(),
        }, path))
        lines = "".join(json.dumps(row) + "\n" for row in self.history)
        _replace(self.folder / "history.jsonl", lambda path: path.write_text(lines, encoding="utf-8"))

    def load(self) -> None:
        """Goes on from `checkpoint.pt`, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        self.epoch, self.history = state["epoch"], state["history"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])

    def _epoch(self) -> None:
        started, loss_sum = time.monotonic(), 0.0
        dice = random.Random(f"{self.recipe.seed}:{self.epoch}")
        batches = data.bucketed(self.train.lengths, self.recipe.batch_items, dice)
        self.model.train()
        with Progress(f"epoch {self.epoch + 1}/{self.recipe.epochs}", len(self.train.ids), "texts") as progress:
            for done, places in enumerate(batches, start=1):
                loss_sum += self._step(places)
                progress.add(len(places), f"loss {loss_sum / done:.3f}")
        self.epoch += 1
        row = {"epoch": self.epoch, "loss": loss_sum / len(batches), "seconds": time.monotonic() - started}
        models = {"plain": self.model, "average": self.average}
        truth = self.held_out.truth.numpy()
        for name, model in models.items():
            scores = logits(model, self.held_out)
            row[f"{name}_accuracy"] = metrics.accuracy(scores, truth)
            row[f"{name}_nll"] = metrics.nll(metrics.softmax(scores), truth)
        chosen = choose([*self.history, row], len(truth))
        if chosen["epoch"] == self.epoch:
            weights = {key: value.contiguous() for key, value in models[chosen["weights"]].state_dict().items()}
            _replace(self.folder / "best.safetensors", lambda path: save_file(weights, path))
        self.history.append(row)
        self.save()
        print(json.dumps(row), flush=True)

    def _step(self, places: list[int]) -> float:
        inputs, truth = self.train.batch(places)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            scores = self.model(*inputs)
        loss = torch.nn.functional.cross_entropy(scores, truth, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_norm_max)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        with torch.no_grad():
            pairs = list(self.average.parameters()), list(self.model.parameters())
            torch._foreach_lerp_(*pairs, 1.0 - self.recipe.average_decay)
        return loss.item()


def choose(history: list[dict], texts: int) -> dict:
    """The latest epoch whose held-out accuracy is within one standard error of the best epoch's.

    A few hundred held-out texts cannot tell epochs apart that differ by two or three of them, and picking
    the luckiest favours the noisy middle of a run; the later one has the smaller learning rate behind it
    (the one-standard-error rule: Breiman et al. 1984, section 3.4.3). `texts` is the number held out. Of
    an epoch's plain and averaged weights the more accurate are taken, at a tie those with the lower NLL.
    """
    found = []
    for row in history:
        both = [
            {"epoch": row["epoch"], "weights": name, "accuracy": row[f"{name}_accuracy"], "nll": row[f"{name}_nll"]}
            for name in ("plain", "average")
        ]
        found.append(max(both, key=lambda each: (each["accuracy"], -each["nll"])))
    top = max(each["accuracy"] for each in found)
    error = math.sqrt(top * (1.0 - top) / texts)
    return [each for each in found if each["accuracy"] >= top - error][-1]


def start(base: Base, split: Split, recipe: Recipe, folder: Path, origin: dict, resume: bool) -> Training:
    """A training in `folder`, new or gone on with; `origin` (digests of data and base) must be the same then."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"recipe": asdict(recipe), **origin}
    written = folder / "run.json"
    if written.is_file() and not resume:
        raise UserError(f"start a run in {folder}: there is one already; give --resume or another --out")
    if written.is_file() and json.loads(written.read_text(encoding="utf-8")) != wanted:
        raise UserError(f"resume {folder}: its run.json was written for other data or settings")
    _replace(written, lambda path: path.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8"))
    training = Training(base, split, recipe, folder)
    training.load()
    return training


def _replace(path: Path, write) -> None:
    """Writes through a temporary name, so that the file is whole or not there."""
    unfinished = path.with_name(path.name + ".unfinished")
    write(unfinished)
    os.replace(unfinished, path)
