"""The losses against other ways to the same number, and what chooses an epoch."""

import math

import numpy as np
import pytest

from labelstream_train.encoder.settings import EncoderSettings
from labelstream_train.learning import quality


def history(accuracies: list[float]) -> list[dict]:
    return [
        {"epoch": place, "plain_accuracy": value, "plain_nll": 1.0 - value}
        for place, value in enumerate(accuracies, start=1)
    ]


def test_figures_of_one_label_a_text() -> None:
    found = quality.figures(np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])) + 7.0, np.array([0, 1]))
    assert found["accuracy"] == 0.5
    assert found["nll"] == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)


def test_average_precision_equals_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    dice = np.random.default_rng(0)
    scores, truth = dice.normal(size=(200, 4)), (dice.random((200, 4)) < [0.5, 0.1, 0.02, 0.0]).astype(np.float32)
    truth[3, 2] = 1.0
    expected = [metrics.average_precision_score(truth[:, label], scores[:, label]) for label in range(3)]
    found = quality.figures(scores, truth)
    assert found["mean_average_precision"] == pytest.approx(np.mean(expected))
    shares = 1.0 / (1.0 + np.exp(-scores))
    assert found["nll"] == pytest.approx(metrics.log_loss(truth.ravel(), shares.ravel()))


def test_the_latest_epoch_that_cannot_be_told_from_the_best_is_chosen() -> None:
    for texts, expected in ((100, 3), (10_000, 2)):  # sqrt(0.9 * 0.1 / 100) = 0.03
        assert quality.choose(history([0.8, 0.9, 0.88, 0.86]), texts)["epoch"] == expected


def test_the_more_accurate_weights_of_an_epoch_are_chosen_and_at_a_tie_the_surer() -> None:
    row = {"epoch": 1, "plain_accuracy": 0.9, "plain_nll": 0.3, "average_accuracy": 0.9, "average_nll": 0.2}
    assert quality.choose([row], 100)["weights"] == "average"
    assert quality.choose([row | {"plain_accuracy": 0.91}], 100)["weights"] == "plain"


def test_mean_average_precision_takes_the_best_epoch() -> None:
    rows = [
        {"epoch": place, "plain_mean_average_precision": value, "plain_nll": 0.1}
        for place, value in enumerate([0.3, 0.52, 0.519], start=1)
    ]
    assert quality.choose(rows, 500)["epoch"] == 2


def test_epochs_without_gain() -> None:
    assert quality.epochs_without_gain([], "quality") == 0
    assert quality.epochs_without_gain(history([0.5, 0.9, 0.9, 0.8]), "quality") == 2
    assert quality.epochs_without_gain(history([0.5, 0.9, 0.95]), "nll") == 0


@pytest.mark.torch
class TestLosses:
    """Each needs torch."""

    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        self.torch = pytest.importorskip("torch", reason="torch is not installed")
        from labelstream_train.encoder import loss

        self.loss = loss
        self.torch.manual_seed(0)

    def test_label_weights(self) -> None:
        counts = np.array([900, 90, 10])
        assert self.loss.label_weights(counts, EncoderSettings()) is None
        balanced = self.loss.label_weights(counts, EncoderSettings(class_weights="balanced"))
        np.testing.assert_allclose(balanced, [1000 / 2700, 1000 / 270, self.loss.WEIGHT_MAX])
        effective = self.loss.label_weights(counts, EncoderSettings(class_weights="effective", effective_beta=0.99))
        number = (1 - 0.99**counts) / 0.01
        np.testing.assert_allclose(effective / effective[0], number[0] / number, rtol=1e-12)
        assert (effective * counts).sum() == pytest.approx(1000)

    def test_smoothing_of_several_labels_keeps_the_mean_answer(self) -> None:
        truth = np.zeros((1000, 2), np.float32)
        truth[:20, 0] = truth[:500, 1] = 1.0
        label_loss = self.loss.LabelLoss.of(EncoderSettings(label_smoothing=0.1), truth, 2)
        logit = self.torch.zeros(2, requires_grad=True)
        adam = self.torch.optim.Adam([logit], lr=0.05)
        for _ in range(500):  # an answer that does not see the text can only learn the labels' shares
            adam.zero_grad()
            label_loss(logit.expand(1000, 2), self.torch.from_numpy(truth)).backward()
            adam.step()
        np.testing.assert_allclose(logit.sigmoid().detach().numpy(), [0.02, 0.5], atol=1e-3)

    def test_divergence_equals_both_kullback_leibler_sums(self) -> None:
        first, second = self.torch.randn(2, 5, 4, dtype=self.torch.float64)
        kl = self.torch.nn.functional.kl_div
        logs = first.log_softmax(1), second.log_softmax(1)
        both = [kl(one, other, log_target=True, reduction="batchmean") for one, other in (logs, logs[::-1])]
        assert self.loss.divergence(first, second, False).item() == pytest.approx(sum(both).item() / 2)
        bernoulli = self.torch.distributions.Bernoulli
        one, other = bernoulli(logits=first), bernoulli(logits=second)
        pair = self.torch.distributions.kl_divergence
        expected = (pair(one, other) + pair(other, one)).mean() / 2
        assert self.loss.divergence(first, second, True).item() == pytest.approx(expected.item())

    @pytest.mark.parametrize("is_multi_label", [False, True])
    def test_distillation_is_smallest_at_the_teachers_answer(self, is_multi_label: bool) -> None:
        from labelstream_train.learning.teacher import soft_labels

        known = self.torch.randn(6, 4, dtype=self.torch.float64)
        wanted = self.torch.from_numpy(soft_labels(known[None].numpy(), 2.0, is_multi_label)).double()
        at_teacher = known.clone().requires_grad_()
        self.loss.distillation(at_teacher, wanted, 2.0, is_multi_label).backward()
        assert at_teacher.grad.abs().max() < 1e-6
        elsewhere = known + 0.3 * self.torch.randn_like(known)
        assert self.loss.distillation(elsewhere, wanted, 2.0, is_multi_label) > self.loss.distillation(
            known, wanted, 2.0, is_multi_label
        )

    def test_contrastive_equals_the_papers_sum(self) -> None:
        states, truth = self.torch.randn(6, 3, dtype=self.torch.float64), self.torch.tensor([0, 1, 0, 1, 1, 0])
        unit = states / states.norm(dim=1, keepdim=True)
        expected = 0.0
        for anchor in range(6):
            others = [place for place in range(6) if place != anchor]
            total = sum(math.exp(float(unit[anchor] @ unit[place]) / 0.2) for place in others)
            likes = [place for place in others if truth[place] == truth[anchor]]
            logs = [math.log(math.exp(float(unit[anchor] @ unit[place]) / 0.2) / total) for place in likes]
            expected -= sum(logs) / len(likes) / 6
        assert self.loss.contrastive(states, truth, 0.2).item() == pytest.approx(expected)
