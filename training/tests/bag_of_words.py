"""A tiny model package for tests: counts of words times weights, as ONNX, with a word tokenizer. No torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers


def write(
    folder: Path,
    labels: Sequence[str],
    words: Mapping[str, Sequence[float]],
    is_multi_label: bool = False,
    temperature: float = 1.0,
) -> None:
    """`words` maps a word to its weight for each label; any other word weighs nothing."""
    folder.mkdir(parents=True)
    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {word: place for place, word in enumerate(words, start=2)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    kind = "multi" if is_multi_label else "single"
    config = {
        "model_type": "bert",
        "id2label": {str(place): label for place, label in enumerate(labels)},
        "pad_token_id": 0,
        "label2id": {label: place for place, label in enumerate(labels)},
        "max_position_embeddings": 64,
        "problem_type": f"{kind}_label_classification",
    }
    (folder / "config.json").write_text(json.dumps(config))
    manifest = {
        "name": "tiny",
        "version": "1.0.0",
        "files": {},
        "tokens_max": 64,
        "temperature": temperature,
        "licence": "CC0-1.0",
        "thresholds": {"abstain_below": None, "per_label": {}},
        "golden": [],
        "metrics": {},
        "data": [{"name": "toy", "licence": "CC0-1.0", "attribution": "nobody", "sha256": "0" * 64}],
    }
    (folder / "labelstream.json").write_text(json.dumps(manifest))
    table = np.zeros((len(vocabulary), len(labels)), np.float32)
    for word, weights in words.items():
        table[vocabulary[word]] = weights
    _save(table, folder / "model.onnx")


def _save(table: np.ndarray, path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked_up"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide_mask"]),
        helper.make_node("Mul", ["looked_up", "wide_mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["logits"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
              for name in ("input_ids", "attention_mask")]  # fmt: skip
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", table.shape[1]])]
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "last"),
                 numpy_helper.from_array(np.array([1]), "second")]  # fmt: skip
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
