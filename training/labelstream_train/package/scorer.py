"""Runs a model package as the classifier does: tokenizer, ONNX Runtime, temperature, thresholds. No torch.

Texts are truncated at the end to `tokens_max` tokens, special tokens included; batches are padded to their longest
text; and the session entry `session.disable_quant_qdq=1` makes weights stored as int8 compute in fp32.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from ..errors import UserError
from ..json_file import read_object
from ..statistics import metrics
from .calibration import sigmoid

BATCH_TOKENS_MAX = 1024
"""Padded tokens per batch. More takes memory and gains no speed on a CPU."""

CHARACTERS_PER_TOKEN = 64
"""Characters read per token that the model may see, as in the classifier (engine/src/tokens.rs): this bounds the work,
and truncates a text that starts with thousands of spaces at the same place."""

DYNAMIC = b"DynamicQuantizeLinear"
"""An operator that makes scores depend on the other texts of a batch; such a model gets one text at a time."""

MULTI_LABEL = "multi_label_classification"
SIGMOID_THRESHOLD = 0.5
"""Threshold of a multi-label package's labels without one of their own."""


class Scorer:
    """One model in memory. `manifest` is labelstream.json, or a part of it during the export."""

    def __init__(self, folder: Path, manifest: dict | None = None, threads: int = 0):
        self.folder = folder
        self.manifest = manifest if manifest is not None else read_object(folder / "labelstream.json")
        config = read_object(folder / "config.json")
        self.labels = [config["id2label"][str(index)] for index in range(len(config["id2label"]))]
        self.is_multi_label = config.get("problem_type") == MULTI_LABEL
        self.tokens_max = int(self.manifest.get("tokens_max") or config["max_position_embeddings"])
        self.temperature = float(self.manifest.get("temperature", 1.0))
        self.floors = _floors(self.manifest.get("thresholds", {}), self.labels, self.is_multi_label)
        self.pad_id = int(config.get("pad_token_id", 0))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.special_tokens = self.tokenizer.num_special_tokens_to_add(is_pair=False)
        self.unknown_id = _unknown_id(self.tokenizer)
        self.tokenizer.enable_truncation(self.tokens_max)
        self.session = open_session(folder / "model.onnx", threads)
        self.is_dynamic = DYNAMIC in (folder / "model.onnx").read_bytes()
        self.inputs = {each.name for each in self.session.get_inputs()}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """At most `tokens_max` token ids of each text, special tokens included."""
        read = self.tokens_max * CHARACTERS_PER_TOKEN
        return [coded.ids for coded in self.tokenizer.encode_batch([text[:read] for text in texts])]

    def tokens_uncut(self, text: str) -> list[int]:
        """The ids of all of the text's own tokens, without special ones."""
        self.tokenizer.no_truncation()
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        self.tokenizer.enable_truncation(self.tokens_max)
        return ids

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """[texts, labels] f32 in the order of `texts`; computed in batches of similar length, or one by one."""
        ids = self.ids(texts)
        rows = np.zeros((len(ids), len(self.labels)), np.float32)
        alone = [[place] for place in range(len(ids))]
        for places in alone if self.is_dynamic else _batches([len(each) for each in ids]):
            rows[places] = self.logits_of_ids([ids[place] for place in places])
        return rows

    def logits_of_ids(self, ids: list[list[int]]) -> np.ndarray:
        """One batch, padded to its longest text: [texts, labels] f32."""
        padded = np.full((len(ids), max(map(len, ids))), self.pad_id, np.int64)
        mask = np.zeros_like(padded)
        for row, each in enumerate(ids):
            padded[row, : len(each)] = each
            mask[row, : len(each)] = 1
        feed = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
        feed = {name: value for name, value in feed.items() if name in self.inputs}
        return self.session.run(["logits"], feed)[0]

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """[texts, labels] after temperature; rows sum to 1 unless the package is multi-label."""
        return self.probabilities_of(self.logits(texts))

    def probabilities_of(self, logits: np.ndarray) -> np.ndarray:
        """[texts, labels] f64 from logits: softmax, or a sigmoid per label if multi-label."""
        return (sigmoid if self.is_multi_label else metrics.softmax)(logits, self.temperature)

    def given(self, probabilities: np.ndarray) -> np.ndarray:
        """[texts, labels] bool: the labels that the classifier assigns; none if it abstains.

        Compares in 32 bits, as the classifier does. Single-label: at most one per text, the best (of equals the first).
        """
        scores = np.asarray(probabilities, dtype=np.float32)
        reached = scores >= self.floors
        if self.is_multi_label:
            return reached
        best = np.zeros_like(reached)
        best[np.arange(len(scores)), scores.argmax(axis=1)] = True
        return best & reached

    def answers(self, probabilities: np.ndarray) -> list[tuple[str | None, float]]:
        """Each text's label and its score; None and the best score if it abstains."""
        found: list[tuple[str | None, float]] = []
        for row, given in zip(probabilities, self.given(probabilities), strict=True):
            place = int(np.where(given, row, -1.0).argmax()) if given.any() else int(row.argmax())
            found.append((self.labels[place] if given.any() else None, float(row[place])))
        return found


def open_session(model: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """A CPU session with the classifier's options; `threads` 0: all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime's errors have no common type
        raise UserError(f"load {model}: {cause}") from cause


def _floors(thresholds: dict, labels: Sequence[str], is_multi_label: bool) -> np.ndarray:
    """The threshold of each label, [labels] f32."""
    usual = SIGMOID_THRESHOLD if is_multi_label else 0.0
    own = [thresholds.get("per_label", {}).get(label, usual) for label in labels]
    return np.maximum(np.array(own, np.float32), np.float32(thresholds.get("abstain_below") or 0.0))


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of the token for unknown words, if the tokenizer has one."""
    model = json.loads(tokenizer.to_str())["model"]
    piece = model.get("unk_token")
    return tokenizer.token_to_id(piece) if piece else model.get("unk_id")


def _batches(lengths: list[int]) -> list[list[int]]:
    """Indices sorted by length, in batches whose longest x count stays within `BATCH_TOKENS_MAX`."""
    batches, open_batch = [], []
    for place in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if open_batch and lengths[place] * (len(open_batch) + 1) > BATCH_TOKENS_MAX:
            batches.append(open_batch)
            open_batch = []
        open_batch.append(place)
    return [*batches, open_batch] if open_batch else batches
