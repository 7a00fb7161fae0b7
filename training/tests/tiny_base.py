"""A random `BertModel` with a vocabulary of a few words, and texts made of them: what encoder tests train on."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts

TOPICS = {"card": "lost card", "money": "money sent", "pin": "pin wrong"}
FILLERS = ("my", "is", "the", "now", "help", "late")
WORDS = ("card", "lost", "money", "sent", "pin", "wrong", *FILLERS, "never", "seen", "words")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = {
    "vocab_size": len(SPECIAL) + len(WORDS),
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}


def write_tokenizer(folder: Path) -> None:
    """A WordPiece tokenizer of whole words."""
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def write_base(folder: Path) -> Path:
    """The three files of a base model, as Transformers writes them."""
    import torch

    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(3)
    config = transformers.BertConfig(**SIZES, initializer_range=0.3)
    transformers.BertModel(config).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def parts(is_multi_label: bool = False, train: int = 30, held_out: int = 10) -> Parts:
    """Easy topics, filled up with words that say nothing; multi-label, a text has none, one or two of them."""
    dice = np.random.default_rng(1)

    def texts(count: int) -> tuple[Example, ...]:
        found = []
        for number in range(count * len(TOPICS)):
            label = list(TOPICS)[number % len(TOPICS)]
            chosen = (label,)
            if is_multi_label:
                chosen = tuple(sorted(dice.choice(list(TOPICS), size=dice.integers(0, 3), replace=False)))
            words = [TOPICS[name] for name in chosen] + list(dice.choice(FILLERS, size=dice.integers(2, 8)))
            found.append(Example(" ".join(words), chosen))
        return tuple(found)

    labels = tuple(sorted(TOPICS))
    return Parts(labels, is_multi_label, texts(train), texts(held_out), texts(held_out), (), {})


def write_settings(**values: object) -> dict:
    """Settings of a short training of the tiny base, as plain values; keys are those of `[encoder]`."""
    short = {"epochs": 3, "batch_items": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2, "bfloat16": "off"}
    return {"encoder": json.loads(json.dumps(short | values))}
