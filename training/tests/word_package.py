"""A package of a few kilobytes that classifies by words: real tokenizer, real ONNX, made in milliseconds.

Each label has words of its own; the logit of a label is `weight` times how many of its words a text has. With
`is_bad` every word counts for the next label instead, so that the package is wrong about everything.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.package import manifest
from labelstream_train.package.scorer import Scorer

WORDS = {"card": ("card", "chip"), "cash": ("cash", "coins"), "fee": ("fee", "charge")}
PAD, UNKNOWN = "[PAD]", "[UNK]"


def write(
    folder: Path,
    words: Mapping[str, Sequence[str]] = WORDS,
    is_bad: bool = False,
    weight: float = 4.0,
    version: str = "1.0.0",
) -> Path:
    """Writes the package and returns its folder."""
    folder.mkdir(parents=True)
    labels = sorted(words)
    vocabulary = {
        token: place for place, token in enumerate([PAD, UNKNOWN, *(each for label in labels for each in words[label])])
    }
    table = np.zeros((len(vocabulary), len(labels)), np.float32)
    for place, label in enumerate(labels):
        for word in words[label]:
            table[vocabulary[word], (place + is_bad) % len(labels)] = weight
    onnx.save(_model(table), folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "problem_type": "single_label_classification",
        "id2label": {str(place): label for place, label in enumerate(labels)},
        "label2id": {label: place for place, label in enumerate(labels)},
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 64,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    about = {
        "name": "tiny",
        "version": version,
        "files": {name: manifest.file_digest(folder / name) for name in manifest.MODEL_FILES},
        "temperature": 1.0,
        "golden": [],
        "golden_tolerance": 1e-3,
        "licence": "Apache-2.0",
        "data": [{"name": "words", "licence": "CC0-1.0", "attribution": "made up", "sha256": "0" * 64}],
        "metrics": {"test_accuracy": 1.0},
    }
    manifest.write(folder, about)
    text = f"my {words[labels[0]][0]}"
    score = float(Scorer(folder, about, threads=1).probabilities([text])[0].max())
    label = labels[is_bad % len(labels)]
    manifest.write(folder, about | {"golden": [{"text": text, "label": label, "score": round(score, 6)}]})
    return folder


def parts(texts_each: int = 40, words: Mapping[str, Sequence[str]] = WORDS) -> Parts:
    """Texts of each label that `write`'s package gets right, in test and in the other parts alike."""
    examples = tuple(
        Example(f"{words[label][number % len(words[label])]} number {number}", (label,))
        for label in sorted(words)
        for number in range(texts_each)
    )
    facts = {"files": [], "fingerprint": "f" * 64, "dropped": {}, "data": {"name": "words", "licence": "CC0-1.0"}}
    return Parts(tuple(sorted(words)), False, examples, examples[:10], examples, (), facts)


def _model(table: np.ndarray) -> onnx.ModelProto:
    """logits = sum over tokens of table[input_ids]; padding is row 0, which is all zeros."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["logits"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", table.shape[1]])]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "tokens"),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
