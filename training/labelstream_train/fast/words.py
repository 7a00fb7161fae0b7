"""The fast tier's words: a tokenizer that costs little, from a base model or learnt from train.

With a base model the vocabulary is the base's, but the text is only lower-cased before it is cut (where the base
does so), which halves the time that a text takes: accents stay, and are unknown to most English vocabularies.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from ..errors import UserError

FIRST, LAST, UNKNOWN, PADDING = "[CLS]", "[SEP]", "[UNK]", "[PAD]"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """A base model's folder: config.json, model.safetensors, tokenizer.json."""

    folder: Path

    @classmethod
    def find(cls, base: str) -> "BaseFiles":
        """By the name of an installed Python package, or a folder."""
        folder = Path(base)
        if not folder.is_dir():
            module = importlib.util.find_spec(base.replace("-", "_")) if base.replace("-", "_").isidentifier() else None
            if module is None or module.origin is None:
                raise UserError(
                    f"find the base {base}: it is neither a folder nor an installed package (or set fast.base to none)"
                )
            folder = Path(module.origin).parent / "model"
        for file in FILES:
            if not (folder / file).is_file():
                raise UserError(f"find the base {base}: {folder / file} is missing")
        return cls(folder)

    def config(self) -> dict:
        """config.json."""
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))


def of_base(base: BaseFiles) -> Tokenizer:
    """The base's vocabulary behind a light normaliser; only WordPiece vocabularies of BERT's kind."""
    written = json.loads((base.folder / "tokenizer.json").read_text(encoding="utf-8"))
    if written.get("model", {}).get("type") != "WordPiece":
        raise UserError(f"use the words of {base.folder}: its tokenizer is not WordPiece (or set fast.base to none)")
    lowercase = (written.get("normalizer") or {}).get("lowercase", False)
    return _framed(models.WordPiece(written["model"]["vocab"], unk_token=UNKNOWN), lowercase)


def learnt(texts: Sequence[str], words_max: int) -> Tokenizer:
    """Up to `words_max` pieces of words from these texts, lower-cased."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [PADDING, UNKNOWN, FIRST, LAST]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=words_max, special_tokens=special, show_progress=False)
    )
    return _framed(models.WordPiece(tokenizer.get_vocab(), unk_token=UNKNOWN), lowercase=True)


def _framed(model: models.WordPiece, lowercase: bool) -> Tokenizer:
    """White space and punctuation cut words; every text stands between [CLS] and [SEP]."""
    tokenizer = Tokenizer(model)
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    places = {token: tokenizer.token_to_id(token) for token in (PADDING, UNKNOWN, FIRST, LAST)}
    missing = [token for token, place in places.items() if place is None]
    if missing:
        raise UserError(f"use the vocabulary: it lacks {', '.join(missing)}")
    frame = [(FIRST, places[FIRST]), (LAST, places[LAST])]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{FIRST} $A {LAST}", special_tokens=frame)
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], tokens_max: int) -> list[list[int]]:
    """Token ids of each text with its frame, at most `tokens_max`."""
    tokenizer.enable_truncation(tokens_max)
    ids = [coded.ids for coded in tokenizer.encode_batch_fast(list(texts))]
    tokenizer.no_truncation()
    return ids
