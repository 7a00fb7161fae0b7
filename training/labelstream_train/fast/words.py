"""The fast tier's words: a tokenizer that costs little, from a base model or learnt from train.

With a base model the vocabulary is the base's. The text is lower-cased and loses its accents where the base does so;
the rest of what BERT's normaliser does is left out, which saves a fifth of the time that a text takes. Words learnt
from train keep their accents: in some scripts they are vowels.
"""

import json
from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from ..errors import UserError
from ..learning.base import Base

FIRST, LAST, UNKNOWN, PADDING = "[CLS]", "[SEP]", "[UNK]", "[PAD]"
INSIDE = "##"
"""Before a piece that does not begin a word."""
PART_LETTERS = range(2, 7)
"""Lengths of the beginnings and ends of words that become pieces, for words that are not known whole."""


def of_base(base: Base) -> Tokenizer:
    """The base's vocabulary behind a light normaliser; only WordPiece vocabularies of BERT's kind."""
    written = json.loads((base.folder / "tokenizer.json").read_text(encoding="utf-8"))
    if written.get("model", {}).get("type") != "WordPiece":
        raise UserError(f"use the words of {base.folder}: its tokenizer is not WordPiece (or set fast.base to none)")
    normalizer = written.get("normalizer") or {}
    steps: list[normalizers.Normalizer] = []
    lowercase, strip = normalizer.get("lowercase", False), normalizer.get("strip_accents")
    if lowercase if strip is None else strip:  # BERT's rule where the file does not say
        steps += [normalizers.NFD(), normalizers.StripAccents()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    return _framed(models.WordPiece(written["model"]["vocab"], unk_token=UNKNOWN), steps)


def learnt(texts: Sequence[str], words_max: int) -> Tokenizer:
    """Up to `words_max` pieces from these texts, lower-cased: letters, the commonest words, and beginnings and ends.

    Not by the library's trainer: with equal texts it gives another vocabulary each time (tokenizers 0.23).
    """
    normal, cut = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in texts for word, _ in cut.pre_tokenize_str(normal.normalize_str(text)))
    parts: Counter[str] = Counter()
    for word in words:
        for length in PART_LETTERS:
            if length < len(word):
                parts.update((word[:length], INSIDE + word[-length:]))
    letters = sorted({letter for word in words for letter in word})
    pieces = [PADDING, UNKNOWN, FIRST, LAST, *letters, *(INSIDE + letter for letter in letters)]
    room = max(0, words_max - len(pieces))
    pieces += _commonest(words, room - room // 4)
    pieces += _commonest(parts, room // 4)
    places = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    return _framed(models.WordPiece(places, unk_token=UNKNOWN), [normal])


def _commonest(counts: Counter[str], most: int) -> list[str]:
    """By count, at a tie in the order of the alphabet; what occurs once is left out."""
    several = [(count, piece) for piece, count in counts.items() if count > 1]
    return [piece for _, piece in sorted(several, key=lambda each: (-each[0], each[1]))[:most]]


def _framed(model: models.WordPiece, steps: Sequence[normalizers.Normalizer]) -> Tokenizer:
    """White space and punctuation cut words; every text stands between [CLS] and [SEP]."""
    tokenizer = Tokenizer(model)
    if steps:
        tokenizer.normalizer = normalizers.Sequence(list(steps))
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
