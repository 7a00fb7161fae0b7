"""Maps the weights and sizes of base models to our network; refuses models that do not fit it.

BERT, DistilBERT, RoBERTa, XLM-RoBERTa and ELECTRA compute the same below their heads: embeddings with absolute
positions, post-norm layers, GELU. They differ in names; DistilBERT has no token types; RoBERTa counts positions from
after the padding id. So one network and one ONNX graph serve all of them.
"""

from dataclasses import fields

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..errors import UserError
from ..learning.base import Base
from ..learning.bert_names import BERT_NAMES
from .network import Shape

_DISTILBERT_NAMES = (
    ("transformer.layer.", "layers."),
    ("attention.q_lin.", "attention.query."),
    ("attention.k_lin.", "attention.key."),
    ("attention.v_lin.", "attention.value."),
    ("attention.out_lin.", "attention.output."),
    ("sa_layer_norm.", "attention.LayerNorm."),
    ("ffn.lin1.", "intermediate."),
    ("ffn.lin2.", "output."),
    ("output_layer_norm.", "LayerNorm."),
)

_KINDS = {
    "bert": ("bert.", BERT_NAMES),
    "distilbert": ("distilbert.", _DISTILBERT_NAMES),
    "electra": ("electra.", BERT_NAMES),
    "roberta": ("roberta.", BERT_NAMES),
    "xlm-roberta": ("roberta.", BERT_NAMES),
}
_FROM_PADDING = ("roberta", "xlm-roberta")
_DISTILBERT_SIZES = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
}
_OTHER_PARTS = ("pooler.", "cls.", "lm_head.", "classifier.", "vocab_", "qa_outputs.", "discriminator_predictions.")
"""Heads for pre-training and other tasks, which we drop."""


def shape(base: Base) -> Shape:
    """The encoder's sizes from the base model's config.json; an error says what does not fit."""
    config, name = base.config(), base.name
    kind = config.get("model_type")
    if kind not in _KINDS:
        raise UserError(f"use the base model {name}: model_type {kind!r} is none of {', '.join(_KINDS)}")
    activation = config.get("activation" if kind == "distilbert" else "hidden_act", "gelu")
    positions = config.get("position_embedding_type", "absolute")
    if activation != "gelu" or positions != "absolute":
        found = f"{activation}, {positions}"
        raise UserError(f"use the base model {name}: expected gelu and absolute positions, found {found}")
    if config.get("embedding_size", config.get("hidden_size")) != config.get("hidden_size"):
        raise UserError(f"use the base model {name}: expected embedding_size to equal hidden_size")
    sizes = {field.name: config.get(field.name) for field in fields(Shape)}
    if kind == "distilbert":
        sizes |= {ours: config.get(theirs) for ours, theirs in _DISTILBERT_SIZES.items()}
        sizes |= {"type_vocab_size": 1, "layer_norm_eps": 1e-12}
    if kind in _FROM_PADDING and sizes["max_position_embeddings"]:
        sizes["max_position_embeddings"] -= _first_position(config)
    missing = [size for size, value in sizes.items() if value is None]
    if missing:
        raise UserError(f"use the base model {name}: config.json lacks {', '.join(missing)}")
    return Shape(**sizes)


def weights(base: Base) -> dict[str, Tensor]:
    """The encoder's weights by the names of `network.Classifier`, in 32 bits, without heads."""
    config = base.config()
    kind = config["model_type"]
    prefix, names = _KINDS[kind]
    renamed = {}
    for key, value in base.weights(load_file).items():
        key = key.removeprefix(prefix)
        if key.startswith(_OTHER_PARTS) or key.endswith("position_ids"):
            continue
        key = key.replace(".gamma", ".weight").replace(".beta", ".bias")  # in files from before 2019
        for old, new in names:
            key = key.replace(old, new)
        renamed[key] = value.float()
    places = "embeddings.position_embeddings.weight"
    if kind == "distilbert" and "embeddings.word_embeddings.weight" in renamed:
        width = renamed["embeddings.word_embeddings.weight"].shape[1]
        renamed["embeddings.token_type_embeddings.weight"] = torch.zeros(1, width)
    if kind in _FROM_PADDING and places in renamed:
        renamed[places] = renamed[places][_first_position(config) :].clone()
    if not renamed:
        raise UserError(f"use the base model {base.name}: model.safetensors has no encoder weights")
    return renamed


def _first_position(config: dict) -> int:
    """RoBERTa's position of the first token: the padding id plus 1."""
    return int(config.get("pad_token_id", 1)) + 1
