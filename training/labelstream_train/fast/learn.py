"""Gradient descent for the fast tier: numpy and sparse matrices, no framework.

Adam with warm-up and cosine decay; a step updates only the vectors of its own texts. The randomness of an epoch comes
from the seed and the epoch number, so a resumed run gives the same bits as an uninterrupted one. The loss is the
cross-entropy with the labels (multi-label: of each label); with a teacher, also the divergence from its prediction,
both at the teacher's temperature (Hinton et al. 2015, section 2).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from ..learning import quality
from .network import Network, features, pooled, read_arrays, write_arrays
from .settings import FastSettings

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.99, 1e-8
"""Of Adam. Squares decay faster than the usual 0.999, because most vectors are updated rarely."""
WARMUP_SHARE = 0.06
SAVE_EVERY_S = 20.0
"""Seconds of work that a kill can lose."""


@dataclass(frozen=True, slots=True)
class Task:
    """The texts and targets to learn. The first `len(truth)` texts have labels."""

    ids: list[list[int]]
    """Token ids of all texts: train, then those without labels."""
    truth: np.ndarray
    """[train] label ids, or [train, labels] of 0 and 1 when multi-label."""
    soft: np.ndarray | None
    """[texts, labels] teacher probabilities at `teacher_temperature`."""
    held_out_ids: list[list[int]]
    held_out_truth: np.ndarray
    labels: int

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.truth.ndim == 2

    def targets(self, smoothing: float) -> np.ndarray:
        """[train, labels] f32: the truth, with label smoothing."""
        if self.is_multi_label:
            return (self.truth * (1 - smoothing) + 0.5 * smoothing).astype(np.float32)
        spread = np.full((len(self.truth), self.labels), smoothing / self.labels, np.float32)
        spread[np.arange(len(self.truth)), self.truth] += 1 - smoothing
        return spread

    def weights(self, kind: str) -> np.ndarray:
        """[train, labels] f32 weights of the loss; `balanced`: texts / (labels * texts of the label)."""
        if kind == "none":
            return np.ones((1, 1), np.float32).repeat(len(self.truth), axis=0)
        positive = self.truth if self.is_multi_label else np.eye(self.labels, dtype=np.float32)[self.truth]
        counts = np.maximum(positive.sum(axis=0), 1)
        of_label = len(self.truth) / (self.labels * counts)
        if self.is_multi_label:
            return np.where(positive > 0, np.maximum(of_label, 1.0), 1.0).astype(np.float32)
        return of_label[self.truth][:, None].astype(np.float32)


class Learner:
    """The state of one training. `state` holds parameters and Adam's moments, by name."""

    def __init__(self, start: Network, task: Task, settings: FastSettings, seed: int, folder: Path):
        self.rows, self.task, self.settings, self.seed, self.folder = start.rows, task, settings, seed, folder
        self.known = features(start.rows, task.ids)
        self.held_out = features(start.rows, task.held_out_ids)
        self.targets = task.targets(settings.label_smoothing)
        self.class_weights = task.weights(settings.class_weights)
        self.state = {name: np.array(getattr(start, name)) for name in ("vectors", "head", "bias")}
        for name in ("vectors", "head", "bias"):
            self.state |= {
                f"{name}_mean": np.zeros_like(self.state[name]),
                f"{name}_square": np.zeros_like(self.state[name]),
            }
        self.history: list[dict] = []
        self.saved = time.monotonic()

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches; the last one may be smaller."""
        return -(-self.known.shape[0] // self.settings.batch_items)

    @property
    def epochs(self) -> int:
        """As set, or more if few texts give too few steps."""
        return max(self.settings.epochs, -(-self.settings.steps_min // self.steps_per_epoch))

    def load(self) -> None:
        """Resumes from the last checkpoint, if there is one."""
        path = self.folder / "checkpoint.npz"
        if path.is_file():
            arrays = read_arrays(path)
            self.history = json.loads(str(arrays.pop("history")))
            self.state = arrays

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        write_arrays(self.folder / "checkpoint.npz", self.state | {"history": np.array(json.dumps(self.history))})
        self.saved = time.monotonic()

    def run(self, is_over: Callable[[], bool], report: Callable[[dict], None]) -> bool:
        """Trains to the end; saves and returns False if `is_over` is true after an epoch. Always trains at least one
        epoch, so that short time limits still make progress."""
        while not self.is_finished():
            self.epoch()
            report(self.history[-1])
            over = is_over() and not self.is_finished()
            if over or self.is_finished() or time.monotonic() - self.saved > SAVE_EVERY_S:
                self.save()
            if over:
                return False
        return True

    def is_finished(self) -> bool:
        """Whether all epochs are done, or `patience` epochs brought no better held-out quality."""
        patience = self.settings.patience
        stale = patience and quality.epochs_without_gain(self.history, "quality") >= patience
        return len(self.history) >= self.epochs or bool(stale)

    def network(self) -> Network:
        """The network with the current weights."""
        return Network(self.rows, self.state["vectors"], self.state["head"], self.state["bias"])

    def epoch(self) -> None:
        """One pass over all texts; then measures on held-out texts, and writes best.npz if this epoch is the best."""
        started, number = time.perf_counter(), len(self.history)
        dice = np.random.default_rng([self.seed, number])
        order, size = dice.permutation(self.known.shape[0]), self.settings.batch_items
        loss = 0.0
        for step, start in enumerate(range(0, len(order), size)):
            loss += self._step(order[start : start + size], number * self.steps_per_epoch + step, dice)
        logits = pooled(self.held_out, self.state["vectors"]) @ self.state["head"] + self.state["bias"]
        figures = quality.figures(logits, self.task.held_out_truth)
        row = {"epoch": number + 1, "loss": loss / len(order)} | {
            f"plain_{name}": value for name, value in figures.items()
        }
        self.history.append(row | {"seconds": round(time.perf_counter() - started, 2)})
        if quality.choose(self.history, len(self.task.held_out_ids))["epoch"] == number + 1:
            self.network().save(self.folder / "best.npz")

    def _step(self, places: np.ndarray, step: int, dice: np.random.Generator) -> float:
        """One update; returns the summed loss of its labelled texts."""
        state, settings = self.state, self.settings
        part = self.known[places]
        kept = dice.random(part.nnz, dtype=np.float32) >= settings.word_dropout
        columns, inside = np.unique(part.indices, return_inverse=True)
        values = part.data * kept / (1 - settings.word_dropout)
        found = sparse.csr_matrix((values, inside, part.indptr), shape=(len(places), len(columns)))
        sums = np.asarray(found @ state["vectors"][columns])
        gate = (dice.random(sums.shape, dtype=np.float32) >= settings.dropout) / np.float32(1 - settings.dropout)
        dropped = sums * gate
        logits = dropped @ state["head"] + state["bias"]
        slope, loss = self._slope(places, logits)
        slope /= len(places)
        back = (slope @ state["head"].T) * gate
        rate = self._rate(step)
        self._adam("head", dropped.T @ slope, rate * settings.learning_rate, step, settings.weight_decay)
        self._adam("bias", slope.sum(axis=0), rate * settings.learning_rate, step)
        self._adam("vectors", np.asarray(found.T @ back), rate * settings.vector_learning_rate, step, columns=columns)
        return loss

    def _slope(self, places: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, float]:
        """(d loss / d logits [texts, labels], summed loss of the labels)."""
        task, settings = self.task, self.settings
        slope = np.zeros_like(logits)
        labelled = places < len(task.truth)
        rows = places[labelled]
        own = answers(logits[labelled], task.is_multi_label)
        weight = self.class_weights[rows] * (1.0 if task.soft is None else 1 - settings.teacher_share)
        slope[labelled] = weight * (own - self.targets[rows])
        loss = -(self.targets[rows] * np.log(np.maximum(own, 1e-12))).sum()
        if task.is_multi_label:
            loss -= ((1 - self.targets[rows]) * np.log(np.maximum(1 - own, 1e-12))).sum()
        if task.soft is not None:
            heat = np.float32(settings.teacher_temperature)
            slope += settings.teacher_share * heat * (answers(logits / heat, task.is_multi_label) - task.soft[places])
        return slope, float(loss)

    def _rate(self, step: int) -> float:
        """Share of the peak learning rate, 0..=1: linear warm-up, then a cosine down to 0."""
        done = (step + 1) / (self.epochs * self.steps_per_epoch)
        return min(1.0, done / WARMUP_SHARE) * 0.5 * (1 + np.cos(np.pi * min(1.0, done)))

    def _adam(
        self,
        name: str,
        slope: np.ndarray,
        rate: float,
        step: int,
        decay: float = 0.0,
        columns: np.ndarray | None = None,
    ) -> None:
        """Kingma and Ba 2015, algorithm 1, with decoupled weight decay; `columns` limits the update."""
        where: np.ndarray | slice = slice(None) if columns is None else columns
        mean, square = self.state[f"{name}_mean"][where], self.state[f"{name}_square"][where]
        mean = mean + (1 - MEAN_DECAY) * (slope - mean)
        square = square + (1 - SQUARE_DECAY) * (slope * slope - square)
        self.state[f"{name}_mean"][where], self.state[f"{name}_square"][where] = mean, square
        corrected = np.sqrt(square / (1 - SQUARE_DECAY ** (step + 1))) + EPSILON
        change = mean / (1 - MEAN_DECAY ** (step + 1)) / corrected
        self.state[name][where] -= np.float32(rate) * (change + decay * self.state[name][where])


def answers(logits: np.ndarray, is_multi_label: bool) -> np.ndarray:
    """Probabilities [texts, labels] f32: sigmoid of each logit, or softmax of each row."""
    if is_multi_label:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
