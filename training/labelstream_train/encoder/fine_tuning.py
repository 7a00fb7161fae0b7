"""Fine-tunes an encoder and keeps the weights of the epoch that `quality.choose` picks on the held-out texts.

The folder holds `run.json` (what is trained; checked on resume), `checkpoint.pt` (the whole state, including the random
state), `history.jsonl` (metrics per epoch) and `best.safetensors`. Training can be killed at any time: it resumes from
the end of the last epoch, or from the step at which the deadline stopped it, and ends with the same weights as an
uninterrupted run.
"""

import copy
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from .. import atomic_file
from ..errors import UserError
from ..learning import quality
from ..learning.base import Base
from ..progress import Progress
from . import architectures, loss, optimiser
from .network import Classifier
from .precision import uses_bfloat16
from .settings import EncoderSettings
from .texts import WORD_TABLE, Texts, Words

SCORE_BATCH_ITEMS = 64
LIKES_ITEMS = 4
"""Texts of one label that contrastive training groups in a batch."""


@dataclass(frozen=True, slots=True)
class Task:
    """The texts and labels to learn: `*_truth` is [texts] i64, or [texts, labels] f32; `soft` are teacher
    probabilities."""

    labels: int
    train: tuple[str, ...]
    train_truth: np.ndarray
    held_out: tuple[str, ...]
    held_out_truth: np.ndarray
    soft: np.ndarray | None = None

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.train_truth.ndim == 2


def build_model(base: Base, labels: int, dropout: float, seed: int) -> Classifier:
    """A classifier with the base model's weights and a new head; the same seed gives the same head."""
    torch.manual_seed(seed)
    model = Classifier(architectures.shape(base), labels, dropout)
    model.load_base(architectures.weights(base))
    return model


def logits(model: Classifier, texts: Texts, bfloat16: bool = False) -> np.ndarray:
    """[texts, labels] f32 in the order of `texts`, without dropout."""
    rows = np.zeros((len(texts), model.classifier.out_features), np.float32)
    model.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for places in texts.by_length(SCORE_BATCH_ITEMS):
            rows[places] = model(*texts.batch(places)).float().numpy()
    return rows


class FineTuning:
    """The state of one training: model, moving average of its weights, optimisers, and the metrics so far."""

    def __init__(self, base: Base, task: Task, settings: EncoderSettings, seed: int, folder: Path):
        self.task, self.settings, self.seed, self.folder = task, settings, seed, folder
        self.bfloat16 = uses_bfloat16(settings.bfloat16)
        self.train = Texts(base.tokenizer(), task.train, settings.tokens_max)
        self.held_out = Texts(base.tokenizer(), task.held_out, settings.tokens_max)
        self.truth = torch.from_numpy(task.train_truth)
        self.soft = None if task.soft is None else torch.from_numpy(task.soft)
        self.label_loss = loss.LabelLoss.of(settings, task.train_truth, task.labels)
        self.model = build_model(base, task.labels, settings.dropout, seed)
        self.words = Words.of(self.model.state_dict()[WORD_TABLE], self.train, self.held_out)
        self.model.embeddings.word_embeddings = self.words.shrink(self.model.embeddings.word_embeddings)
        for texts in (self.train, self.held_out):
            self.words.renumber(texts)
        self.average = copy.deepcopy(self.model) if settings.average_decay else None
        self.stages = (
            self._optimiser(settings.contrastive_epochs, settings.contrastive_learning_rate),
            self._optimiser(settings.epochs, settings.learning_rate),
        )
        self.epoch = self.step = 0
        self.loss_sum = self.mean_loss = self.seconds = 0.0
        self.history: list[dict] = []

    @property
    def is_over(self) -> bool:
        """Whether the last epoch is done, or early stopping applies."""
        settings = self.settings
        waited = quality.epochs_without_gain(self.history, settings.patience_figure)
        early = settings.patience > 0 and waited >= settings.patience
        return early or self.epoch == settings.contrastive_epochs + settings.epochs

    def run(self, is_late: Callable[[], bool], report: Callable[[dict], None]) -> bool:
        """Trains to the end; saves and returns False if `is_late` is true before a step."""
        while not self.is_over:
            if not self._epoch(is_late):
                self.save()
                return False
            if self.epoch > self.settings.contrastive_epochs:
                report(self._measure())
            elif self.average is not None:
                self.average.load_state_dict(self.model.state_dict())
            self.save()
        return True

    def save(self) -> None:
        """Writes the checkpoint that `load` resumes from."""
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "history": self.history,
            "random": torch.get_rng_state(),
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "stages": [[part.state_dict() for part in stage] for stage in self.stages],
        }
        atomic_file.replace(self.folder / "checkpoint.pt", lambda path: torch.save(state, path))
        lines = "".join(json.dumps(row) + "\n" for row in self.history)
        atomic_file.write_text(self.folder / "history.jsonl", lines)

    def load(self) -> None:
        """Resumes from `checkpoint.pt`, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        self.loss_sum, self.seconds = state["loss_sum"], state["seconds"]
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        for stage, written in zip(self.stages, state["stages"], strict=True):
            for part, each in zip(stage, written, strict=True):
                part.load_state_dict(each)
        torch.set_rng_state(state["random"])

    def _optimiser(
        self, epochs: int, learning_rate: float
    ) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
        settings = self.settings
        rates = optimiser.Rates(
            learning_rate,
            settings.head_learning_rate,
            settings.layer_decay,
            settings.weight_decay,
            settings.warmup_share,
        )
        return optimiser.build(self.model, rates, max(1, epochs * -(-len(self.train) // settings.batch_items)))

    def _batches(self, is_contrastive: bool) -> list[list[int]]:
        dice = random.Random(f"{self.seed}:{self.epoch}")
        if is_contrastive:
            return self.train.grouped(self.task.train_truth, self.settings.batch_items, LIKES_ITEMS, dice)
        return self.train.bucketed(self.settings.batch_items, dice)

    def _epoch(self, is_late: Callable[[], bool]) -> bool:
        """Trains the rest of the epoch; False if stopped between two steps."""
        before = self.settings.contrastive_epochs
        is_contrastive = self.epoch < before
        batches = self._batches(is_contrastive)
        name = (
            f"contrastive epoch {self.epoch + 1}/{before}"
            if is_contrastive
            else (f"epoch {self.epoch - before + 1}/{self.settings.epochs}")
        )
        started, seconds = time.monotonic(), self.seconds
        self.model.train()
        with Progress(name, sum(len(places) for places in batches[self.step :]), "texts") as progress:
            for places in batches[self.step :]:
                if is_late():
                    return False
                self.loss_sum += self._step(places, is_contrastive)
                self.step += 1
                self.seconds = seconds + time.monotonic() - started
                progress.add(len(places), f"loss {self.loss_sum / self.step:.3f}")
        self.mean_loss = self.loss_sum / len(batches)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        return True

    def _step(self, places: list[int], is_contrastive: bool) -> float:
        inputs = self.train.batch(places)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            found = self._contrastive_loss(inputs, places) if is_contrastive else self._loss(inputs, places)
        value = found.item()
        if not math.isfinite(value):
            raise UserError(f"train: the loss is {value} in epoch {self.epoch + 1}; lower encoder.learning_rate")
        adam, schedule = self.stages[0 if is_contrastive else 1]
        found.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_norm_max)
        adam.step()
        schedule.step()
        adam.zero_grad()
        if self.average is not None:
            with torch.no_grad():
                pairs = list(self.average.parameters()), list(self.model.parameters())
                torch._foreach_lerp_(*pairs, 1.0 - self.settings.average_decay)
        return value

    def _loss(self, inputs: tuple[Tensor, ...], places: list[int]) -> Tensor:
        """The loss on labels and teachers, plus the R-Drop term of two dropout passes."""
        settings, passes = self.settings, 2 if self.settings.r_drop > 0 else 1
        scores = self.model(*(part.repeat(passes, 1) for part in inputs))
        with torch.autocast("cpu", enabled=False):
            each = scores.float().chunk(passes)
            total = sum(self.label_loss(part, self.truth[places]) for part in each) / passes
            if self.soft is not None:
                taught = (
                    sum(
                        loss.distillation(
                            part, self.soft[places], settings.distil_temperature, self.task.is_multi_label
                        )
                        for part in each
                    )
                    / passes
                )
                total = (1.0 - settings.distil_weight) * total + settings.distil_weight * taught
            if passes == 2:
                total = total + settings.r_drop * loss.divergence(*each, self.task.is_multi_label)
        return total

    def _contrastive_loss(self, inputs: tuple[Tensor, ...], places: list[int]) -> Tensor:
        states = self.model.pooled(*(part.repeat(2, 1) for part in inputs))
        with torch.autocast("cpu", enabled=False):
            truth = self.truth[places].repeat(2)
            return loss.contrastive(states.float(), truth, self.settings.contrastive_temperature)

    def _measure(self) -> dict:
        """Measures the epoch just finished; writes best.safetensors if it is the best so far."""
        epoch = self.epoch - self.settings.contrastive_epochs
        row = {"epoch": epoch, "loss": self.mean_loss, "seconds": self.seconds}
        models = {"plain": self.model} | ({} if self.average is None else {"average": self.average})
        for name, model in models.items():
            found = quality.figures(logits(model, self.held_out, self.bfloat16), self.task.held_out_truth)
            row |= {f"{name}_{figure}": value for figure, value in found.items()}
        self.history.append(row)
        self.seconds = 0.0
        chosen = quality.choose(self.history, len(self.held_out))
        if chosen["epoch"] == epoch:
            weights = self.words.whole(models[chosen["weights"]].state_dict())
            contiguous = {key: value.contiguous() for key, value in weights.items()}
            atomic_file.replace(self.folder / "best.safetensors", lambda path: save_file(contiguous, path))
        return row
