"""A fast tokenizer for the fast tier, from a base model or learnt from the training texts.

With a base model, the vocabulary is the base's. Texts are lower-cased and lose their accents if the base does so; the
other steps of BERT's normaliser are left out, which saves a fifth of the time per text. A learnt vocabulary keeps
accents, which are vowels in some scripts.
"""

from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from .. import json_file
from ..errors import UserError
from ..learning.base import Base

FIRST, LAST, UNKNOWN, PADDING = "[CLS]", "[SEP]", "[UNK]", "[PAD]"
INSIDE = "##"
"""Prefix of a piece that does not start a word."""
PART_LETTERS = range(2, 7)
"""Lengths of prefixes and suffixes in the vocabulary, for unknown words."""


def of_base(base: Base) -> Tokenizer:
    """A tokenizer with the base's vocabulary and a lighter normaliser; WordPiece only, as BERT has it."""
    written = json_file.read_object(base.folder / "tokenizer.json")
    if written.get("model", {}).get("type") != "WordPiece":
        raise UserError(
            f"use the words of {base.folder}: its tokenizer is not WordPiece; set fast.base to another base or to none"
        )
    normalizer = written.get("normalizer") or {}
    steps: list[normalizers.Normalizer] = []
    lowercase, strip = normalizer.get("lowercase", False), normalizer.get("strip_accents")
    if lowercase if strip is None else strip:  # BERT's default
        steps += [normalizers.NFD(), normalizers.StripAccents()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    return _framed(models.WordPiece(written["model"]["vocab"], unk_token=UNKNOWN), steps)


def learnt(texts: Sequence[str], words_max: int) -> Tokenizer:
    """A vocabulary of up to `words_max` lower-cased pieces: letters, frequent words, and frequent prefixes and
    suffixes.

    Not the library's trainer, which gives another vocabulary at each run on equal texts (tokenizers 0.23).
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
    """By count, then alphabetically; drops what occurs once."""
    several = [(count, piece) for piece, count in counts.items() if count > 1]
    return [piece for _, piece in sorted(several, key=lambda each: (-each[0], each[1]))[:most]]


def _framed(model: models.WordPiece, steps: Sequence[normalizers.Normalizer]) -> Tokenizer:
    """Splits at white space and punctuation, and adds [CLS] and [SEP]."""
    tokenizer = Tokenizer(model)
    if steps:
        tokenizer.normalizer = normalizers.Sequence(list(steps))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    places = {token: tokenizer.token_to_id(token) for token in (PADDING, UNKNOWN, FIRST, LAST)}
    missing = [token for token, place in places.items() if place is None]
    if missing:
        raise UserError(f"use the vocabulary of the base model: it lacks {', '.join(missing)}")
    frame = [(FIRST, places[FIRST]), (LAST, places[LAST])]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{FIRST} $A {LAST}", special_tokens=frame)
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], tokens_max: int) -> list[list[int]]:
    """At most `tokens_max` token ids of each text, [CLS] and [SEP] included."""
    tokenizer.enable_truncation(tokens_max)
    ids = [coded.ids for coded in tokenizer.encode_batch_fast(list(texts))]
    tokenizer.no_truncation()
    return ids
