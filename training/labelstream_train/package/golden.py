"""Golden scores: the answers of a package, with which another implementation can prove that it agrees.

`python -m labelstream_train golden --package DIR --out FILE` computes, for texts written for this
purpose (none is from a data set), the token ids and the most likely labels' probabilities with
onnxruntime and tokenizers. A long text is kept as a piece and a count: `text` = piece * repeat.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.personal import mask
from ..digests import sha256
from .scorer import Scorer

TOP = 5
TOLERANCE = 1e-3
"""Accepted change of a probability; other CPUs sum in another order, which changes about 1e-6."""

PACKAGE_TEXTS = (
    "My new card was posted two weeks ago and still has not turned up.",
    "Someone stole my wallet on the train, please block my card right away!",
    "Why did you charge me a fee when I took cash out abroad?",
    "I typed the wrong PIN three times and now it is locked.",
    "how do i change my home address in the app",
    "The exchange rate you used on my holiday purchase looks wrong to me.",
    "Can I have a second card for my daughter?",
    "I sent money to the wrong person, can the transfer be stopped?",
    "The machine swallowed my card and showed an error.",
    "There is a payment on my statement that I never made.",
    "What do I need to show to prove who I am?",
    "I'd like to close my account, I am not happy with your service.",
)
"""Golden texts of the default package, in labelstream.json; a loader scores them before it uses the package."""

_EDGES_OF_EVERY_PACKAGE = (
    "emoji between words",
    "accents",
    "chinese",
    "arabic",
    "url",
    "word of 101 letters, unknown",
    "long, question at the end is cut",
)
"""Golden texts of every package, beside its own: together they exercise every step of a tokenizer."""

CHARACTERS_MAX = 500
"""Longest text of the data that becomes a golden text, as people read labelstream.json, too."""

SURE = 0.02
"""Least distance of a golden text's best score from the second best and from thresholds: other CPUs change scores by
1e-6, which must not change the label."""

_EDGES: tuple[tuple[str, str, int], ...] = (
    ("empty", "", 1),
    ("one space", " ", 1),
    ("one letter", "a", 1),
    ("one digit", "7", 1),
    ("one full stop", ".", 1),
    ("one emoji", "💳", 1),
    ("upper case", "WHERE IS MY CARD? I NEED IT NOW!!!", 1),
    ("mixed case", "wHeRe Is My CaRd", 1),
    ("accents", "Ma carte a été refusée au café à Zürich, señor", 1),
    ("accents, decomposed", "Ma carte a e\u0301te\u0301 refuse\u0301e au cafe\u0301", 1),
    ("german", "Meine Überweisung ist nicht angekommen, was nun? Straße größer", 1),
    ("turkish", "KARTIM NEREDE? İstanbul'dayım, ığdır", 1),
    ("polish", "Zażółć gęślą jaźń: gdzie jest moja karta?", 1),
    ("cyrillic", "Где моя карта? Я жду уже две недели.", 1),
    ("greek", "Πού είναι η κάρτα μου;", 1),
    ("chinese", "我的银行卡在哪里?已经两个星期了。", 1),
    ("japanese", "カードがまだ届きません。どうすればいいですか", 1),
    ("korean", "제 카드가 아직 도착하지 않았어요", 1),
    ("arabic", "أين بطاقتي؟ لقد انتظرت أسبوعين", 1),
    ("hebrew", "איפה הכרטיס שלי?", 1),
    ("hindi", "मेरा कार्ड कहाँ है?", 1),
    ("thai", "บัตรของฉันอยู่ที่ไหน", 1),
    ("emoji between words", "My card 💳 is lost 😭😭 please help 🙏🏽", 1),
    ("emoji joined", "family card 👨‍👩‍👧‍👦 flag 🇬🇧 ok", 1),
    ("repeated spaces", "why    is   my     top  up      pending", 1),
    ("tabs and newlines", "\n\twhy is\r\nmy top-up\t\tpending?\n\n", 1),
    ("no-break and wide spaces", "why\u00a0is\u2003my\u3000card\u202fdeclined", 1),
    ("zero-width marks", "ca\u200brd dec\u00adlined \ufeffnow", 1),
    ("control characters", "card\u0000 not\u0001 work\u0007ing\u001b[31m\u007f", 1),
    ("replacement character", "my \ufffd card \ufffd\ufffd", 1),
    ("private use", "card \ue000\uf8ff here", 1),
    ("astral letters", "𝓦𝓱𝓮𝓻𝓮 𝖎𝖘 𝚖𝚢 card", 1),
    ("full-width letters", "\uff37\uff28\uff25\uff32\uff25 is my \uff43\uff41\uff52\uff44", 1),
    ("ligatures", "ofﬁce ﬂoor card ㎏ №5", 1),
    ("digits", "1234 5678 9012 3456", 1),
    ("amounts", "I was charged £1,234.56 (≈ €1.400,00) instead of $5!", 1),
    ("date and time", "on 2024-02-29 at 23:59:60 UTC+02:00", 1),
    ("url", "https://example.com/cards/activate?id=42&lang=en#top does not open", 1),
    ("e-mail", "write to first.last+card@example.co.uk please", 1),
    ("punctuation only", "?!?!... -- ;;; ((( )))", 1),
    ("hyphens and apostrophes", "I can't top-up; it's e-mail-verified, isn't it? ‘quoted’ “text” – dash", 1),
    ("special tokens as text", "[CLS] where is [MASK] my [SEP] card [PAD] [UNK]", 1),
    ("markup", "<b>My card</b> &amp; <script>alert('x')</script>", 1),
    ("json", '{"text": "my card", "n": [1, 2, null]}', 1),
    ("unknown pieces", "ꙮ ⸎ ᚠᛇᚻ 𒀀𒁀 card", 1),
    ("word of 100 letters", "x", 100),
    ("word of 101 letters, unknown", "x", 101),
    ("long word", "antidisestablishmentarianism", 40),
    ("no letters in common", "zzzz qqqq xxxx jjjj", 1),
    ("just below the cut", "card ", 125),
    ("just at the cut", "card ", 126),
    ("just above the cut", "card ", 127),
    ("long, 20 kB", "My card was declined and I do not know why. ", 466),
    ("long, question at the end is cut", "Hello there, I hope you are well. ", 40),
    ("long, chinese", "我的卡丢了。", 300),
    ("long, no spaces", "0123456789", 2000),
    ("spaces, 5 kB", " ", 5000),
)
"""(name, piece, repeat)."""


def package_scores(scorer: Scorer, texts: Sequence[str]) -> list[dict]:
    """The entries of `golden` in labelstream.json: text, label (null if the package abstains), score. Each is scored
    alone."""
    found = []
    for text in texts:
        row = scorer.probabilities([text])
        label, score = scorer.answers(row)[0]
        found.append({"text": text, "label": label, "score": round(score, 6)})
    return found


def choose(scorer: Scorer, texts: Sequence[str], count: int) -> list[str]:
    """`count` texts of different labels and lengths, then edge cases: emoji, scripts, a long word, truncation.

    Picks texts at even steps of length, each of the least used label so far. Skips texts near a decision boundary, and
    texts that may contain personal data, as packages are passed on.
    """
    short = sorted({text for text in texts if _may_be_shown(text)}, key=lambda text: (len(text), text))
    rows = scorer.probabilities(short) if short else np.zeros((0, len(scorer.labels)))
    sure = np.flatnonzero(is_sure(scorer, rows))
    labels = rows.argmax(axis=1)
    uses: Counter[int] = Counter()
    chosen = []
    for part in np.array_split(sure, min(count, len(sure)) or 1):
        if len(part):
            place = min(part, key=lambda each: (uses[int(labels[each])], each))
            uses[int(labels[place])] += 1
            chosen.append(short[place])
    edges = [piece * repeat for name, piece, repeat in _EDGES if name in _EDGES_OF_EVERY_PACKAGE]
    return chosen[:count] + [edge for edge in edges if is_sure(scorer, scorer.probabilities([edge]))[0]]


def _may_be_shown(text: str) -> bool:
    return bool(text.strip()) and len(text) <= CHARACTERS_MAX and mask(text) == text


def is_sure(scorer: Scorer, probabilities: np.ndarray) -> np.ndarray:
    """[texts] bool: whether every machine gives the same label."""
    near_floor = np.abs(probabilities - scorer.floors) < SURE
    ranked = np.sort(probabilities, axis=1)
    tied = ranked[:, -1] - ranked[:, -2] < SURE if ranked.shape[1] > 1 else np.zeros(len(ranked), bool)
    if scorer.is_multi_label:
        return ~near_floor.any(axis=1) & ~(tied & (ranked[:, -1] > SURE))
    best = probabilities.argmax(axis=1)
    return ~near_floor[np.arange(len(best)), best] & ~tied


def document(package: Path) -> dict:
    """The whole golden file of a package, each text scored alone."""
    scorer = Scorer(package, threads=1)
    cases = [("support", text, 1) for text in PACKAGE_TEXTS] + list(_EDGES)
    return {
        "package": scorer.manifest["name"],
        "version": scorer.manifest["version"],
        "model_sha256": sha256(package / "model.onnx"),
        "tokens_max": scorer.tokens_max,
        "temperature": scorer.temperature,
        "tolerance": TOLERANCE,
        "cases": [_case(scorer, name, piece, repeat) for name, piece, repeat in cases],
    }


def text_of(case: dict) -> str:
    """The text of a case in the golden file."""
    return case["piece"] * case["repeat"]


def differences(package: Path, expected: dict) -> list[str]:
    """Where the answers of a package differ from a golden file; empty if they agree.

    All cases go through one padded batch run, so this also shows that padding changes nothing.
    """
    scorer = Scorer(package, threads=1)
    cases = expected["cases"]
    texts = [text_of(case) for case in cases]
    found, scores = scorer.ids(texts), scorer.probabilities(texts)
    wrong = []
    for case, ids, row in zip(cases, found, scores, strict=True):
        if ids != case["ids"]:
            wrong.append(f"{case['name']}: token ids differ")
        for label, score in case["top"]:
            change = abs(float(row[scorer.labels.index(label)]) - score)
            if change > expected["tolerance"]:
                wrong.append(f"{case['name']}: {label} is off by {change:.2g}")
    return wrong


def write(package: Path, file: Path) -> None:
    """Writes the golden file, one case per line, for readable diffs."""
    whole = document(package)
    cases = whole.pop("cases")
    head = json.dumps(whole, ensure_ascii=True)[:-1]
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


def _case(scorer: Scorer, name: str, piece: str, repeat: int) -> dict:
    row = scorer.probabilities([piece * repeat])[0]
    top = np.argsort(-row, kind="stable")[:TOP]
    return {
        "name": name,
        "piece": piece,
        "repeat": repeat,
        "ids": scorer.ids([piece * repeat])[0],
        "top": [[scorer.labels[int(index)], round(float(row[index]), 6)] for index in top],
    }
