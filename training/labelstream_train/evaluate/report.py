"""The content of evaluate/report.json: defines the keys, which the gate and the model card read.

An *estimate* is an object {"value", "low", "high", "n", "method"}: the 95 % interval, `n` the count,
`method` how the interval was computed. Shares are 0..=1. Absent measurements are null, never left out.

```
schema           1; changes if a key changes its meaning or is removed
package          {name, version, model_sha256, bytes, tokens_max, temperature, labels}; of a run also digest
data             {name, texts, fingerprint, evaluations, models}    fingerprint: sha256 of texts and labels in order
is_multi_label   bool
estimates        {NAME: estimate}
                 always  accuracy (multi-label: of the whole label set), macro_f1, micro_f1, weighted_f1, nll, brier,
                         calibration_error (15 bins), calibration_error_adaptive, calibration_error_untempered
                 single  top_3, top_5, top_10 (as far as there are more labels)
                 multi   sample_f1, mean_average_precision, macro_auroc, ranking_loss
classes          [{label, n, guessed, precision, recall, f1 : estimates;
                   multi-label also threshold, average_precision, auroc, calibration_error}]    by label
confusions       [{truth, guess, n, share: estimate of the texts of `truth`}]    largest first; single-label
confusion_matrix [[int]] rows truth, columns guess; null when multi-label
calibration      {by_chance} the calibration error that a perfect model has at this size; null when multi-label
reliability      [{low, high, n, confidence, accuracy: estimate}]
abstaining       {score: {area: estimate, points: [{threshold, coverage, accuracy : estimates}], target: null or a point
                 with wanted and chosen_on}, margin: same, shipped: null or the point of the package's own threshold};
                 null when multi-label
learning         [{epoch, train_loss, held_out_quality, held_out_log_loss, chosen}] of the training; quality: accuracy,
                 or mean average precision when multi-label; null where the package came without its run
baseline         {name, accuracy: estimate, difference: estimate (package minus it, paired), texts, curve: [{texts,
                 accuracy: estimate}] of it with fewer texts} of a simple model of the same train texts; null when left
                 out, without the train texts, or multi-label
mistakes         [{text, truth, guess, score, truth_score}] wrongly answered texts, the surest first, masked
slices           [{slice, value, n, figure, estimate, gap: estimate, p, p_adjusted, is_small}]
                 figure: accuracy, or sample_f1 when multi-label; gap: this slice minus all texts, negative is worse
robustness       [{name, example, n, accuracy, change, flips : estimates}]    change: after minus before, paired
bias             see `bias.measure`, with source (file name or "test texts") and unlike: estimate of the
                 share of its texts that score lower than 95 % of the test texts; null when left out
out_of_scope     see `out_of_scope.measure`; null when there are no such texts
speed            see `speed.measure`; null when left out
warnings         [sentence]
```
"""

import math
from pathlib import Path
from typing import Any

from .. import json_file
from ..errors import UserError
from ..statistics.intervals import Estimate

SCHEMA = 1


def plain(value: Any) -> Any:
    """`value` with estimates as objects, and NaN as null, which JSON lacks."""
    if isinstance(value, Estimate):
        return plain(value.as_dict())
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


def write(report: dict[str, Any], path: Path) -> None:
    """Writes report.json, whole or not at all."""
    json_file.write(path, plain(report), allow_nan=False)


def read(path: Path) -> dict[str, Any]:
    """A report as plain values; one of another schema is an error."""
    report = json_file.read_object(path, made_by="evaluate")
    if report.get("schema") != SCHEMA:
        raise UserError(f"read {path}: expected a report of schema {SCHEMA}; run `evaluate` again")
    return report
