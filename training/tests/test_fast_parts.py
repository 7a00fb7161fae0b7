"""The pieces of the fast tier: finding rows of words, storing vectors, the graph, invented texts, words of a base."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

from labelstream_train.errors import UserError
from labelstream_train.fast import graph, rows, start, storage, words
from labelstream_train.fast.invent import invent
from labelstream_train.fast.network import Network, features
from labelstream_train.learning import base as bases

from . import tiny_base

WORDS = 40


def texts(count: int = 60, seed: int = 0) -> list[list[int]]:
    """Token ids of texts of 2 to 30 tokens; few words, so that rows of them repeat."""
    dice = np.random.default_rng(seed)
    return [dice.integers(0, WORDS, dice.integers(2, 31)).tolist() for _ in range(count)]


def network(longest: int, labels: int = 5, dimensions: int = 12) -> Network:
    """Random weights; vectors of very different lengths."""
    dice = np.random.default_rng(longest)
    known = rows.learn(rows.Flat.of(texts()), WORDS, longest, 2, 10_000)
    size = (WORDS + known.count + 1, dimensions)
    vectors = (dice.standard_normal(size) * np.exp(dice.normal(0, 1.5, (size[0], 1)))).astype(np.float32)
    vectors[WORDS] = 0
    head = dice.standard_normal((dimensions, labels)).astype(np.float32)
    return Network(known, vectors, head, np.arange(labels, dtype=np.float32))


@pytest.mark.parametrize("count", [0, 1, 2, 50, 3000])
def test_every_row_is_found_and_no_other(count: int) -> None:
    dice = np.random.default_rng(count)
    known = np.unique(dice.integers(0, 30_000**3, count))
    table = rows.build(known, 30_000, 3)
    assert table.find(known).tolist() == list(range(1, len(known) + 1))
    others = np.setdiff1d(np.concatenate([dice.integers(0, 30_000**3, 20_000), known + 1, [0]]), known)
    assert not table.find(others).any()


def test_rows_are_those_that_enough_texts_have() -> None:
    flat = rows.Flat.of([[1, 2, 3], [1, 2, 1, 2], [], [2, 3], [4]])
    found = rows.learn(flat, 10, 2, 2, 100)
    assert found.keys.tolist() == [-1, 12, 23]
    assert rows.learn(flat, 10, 2, 1, 1).keys.tolist() == [-1, 12], "the commonest, at a tie the first"
    assert rows.learn(flat, 10, 3, 2, 100).keys.tolist() == [-1, 12, 23], "no row of three is in two texts"
    # (a + 1) * 100 + b * 10 + c for rows of three
    assert rows.learn(flat, 10, 3, 1, 100).keys.tolist() == [-1, 12, 21, 23, 221, 223, 312]


def test_features_weigh_tokens_and_known_rows_alike() -> None:
    table = rows.build(np.array([12]), 10, 2)
    found = features(table, [[1, 2, 3], [3], []]).toarray()
    expected = np.zeros((3, 12), np.float32)
    expected[0, [1, 2, 3, 11]] = 0.5
    expected[1, 3] = 1.0
    np.testing.assert_array_equal(found, expected)


def test_sums_of_stored_vectors_do_not_depend_on_order() -> None:
    vectors = network(2).vectors
    stored = storage.Stored.of(vectors)
    steps = stored.values * stored.factors[:, None].astype(np.float32)
    dice = np.random.default_rng(1)
    many = dice.integers(0, len(vectors), storage.SUMMANDS_MAX)
    exact = steps[many].astype(np.int64).sum(axis=0)
    for _ in range(5):
        total = np.zeros(vectors.shape[1], np.float32)
        for place in dice.permutation(many):
            total += steps[place]
        np.testing.assert_array_equal(total, exact.astype(np.float32))
    worst = np.abs(stored.vectors() - vectors).max(axis=0)
    assert (worst <= np.abs(vectors).max(axis=0) / 127 * 0.5001).all(), "half a step of the longest rows"
    assert not stored.vectors()[WORDS].any()


def run(model: bytes, ids: list[list[int]], columns: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    padded, mask = np.full((len(ids), columns), 7, np.int64), np.zeros((len(ids), columns), np.int64)
    for row, each in enumerate(ids):
        padded[row, : len(each)], mask[row, : len(each)] = each, 1
    return session.run(["logits"], {"input_ids": padded, "attention_mask": mask})[0]


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_graph_computes_what_numpy_does(longest: int) -> None:
    ours, ids = network(longest), texts(seed=4)
    assert (ours.rows.count > 0) == (longest > 1)
    model = graph.build(ours, int8=False).SerializeToString()
    np.testing.assert_allclose(run(model, ids, 32), ours.logits(ids), atol=1e-4, rtol=1e-5)
    rounded = Network(ours.rows, storage.Stored.of(ours.vectors).vectors(), ours.head, ours.bias)
    model = graph.build(ours, int8=True).SerializeToString()
    np.testing.assert_allclose(run(model, ids, 32), rounded.logits(ids), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_a_text_has_the_same_bits_alone_and_in_any_batch(longest: int) -> None:
    model, ids = graph.build(network(longest), int8=True).SerializeToString(), texts(seed=5)
    together = run(model, ids, 300)
    for place, each in enumerate(ids):
        for columns in (len(each), len(each) + 3):
            np.testing.assert_array_equal(run(model, [each], columns)[0], together[place])
    np.testing.assert_array_equal(run(model, ids[10:17], 31), together[10:17])


def test_network_survives_its_file(tmp_path: Path) -> None:
    ours = network(3)
    ours.save(tmp_path / "best.npz")
    np.testing.assert_array_equal(Network.load(tmp_path / "best.npz").logits(texts()), ours.logits(texts()))


def test_invented_texts_are_new_and_repeatable() -> None:
    given = [f"the {word} of number {number} is here now" for number in range(20) for word in ("card", "pin")]
    made = invent(given, ["card", "pin"] * 20, 5, seed=3)
    assert made == invent(given, ["card", "pin"] * 20, 5, seed=3) != invent(given, ["card", "pin"] * 20, 5, seed=4)
    assert len(made) == 5 * len(given) and all(made)
    assert len(set(made) - set(given)) > 2 * len(given)
    assert invent(["one", ""], ["a", "a"], 5, 0)[0::2].count("") < 5, "a text of one word gives texts, too"


def write_base(folder: Path) -> bases.Base:
    """A random BERT by Hugging Face's names, made without torch."""
    dice, sizes = np.random.default_rng(0), tiny_base.SIZES
    hidden, inner = sizes["hidden_size"], sizes["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (sizes["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (sizes["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (sizes["type_vocab_size"], hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
        "pooler.dense.weight": (hidden, hidden),
    }
    for layer in range(sizes["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        linear = {f"attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")}
        linear |= {
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (inner, hidden),
            "output.dense": (hidden, inner),
        }
        for part, shape in linear.items():
            shapes |= {f"{name}{part}.weight": shape, f"{name}{part}.bias": shape[:1]}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{name}{part}.weight": (hidden,), f"{name}{part}.bias": (hidden,)}
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: dice.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(arrays, folder / "model.safetensors")
    config = sizes | {"model_type": "bert", "cls_token_id": 2, "sep_token_id": 3}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tiny_base.write_tokenizer(folder)
    return bases.find(str(folder))


def test_words_of_a_base_begin_with_its_answers(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    tokenizer = words.of_base(base)
    ids = words.token_ids(tokenizer, ["The CARD, lost!", "card " * 50, "", "Übersehen"], 8)
    text = [tokenizer.id_to_token(token) for token in ids[0]]
    assert text == ["[CLS]", "the", "card", "[UNK]", "lost", "[UNK]", "[SEP]"]
    assert [len(each) for each in ids] == [7, 8, 2, 3] and ids[1][-1] == 3
    (accents,) = words.token_ids(tokenizer, ["Thé cärd"], 8)
    assert [tokenizer.id_to_token(token) for token in accents] == ["[CLS]", "the", "card", "[SEP]"]
    counts = np.bincount([5, 5, 5, 6, 6, 7, 8, 9], minlength=tiny_base.SIZES["vocab_size"])
    made = start.of_base(base, counts, 10, 4, tmp_path / "cache", threads=1)
    assert made.shape == (tiny_base.SIZES["vocab_size"], 4) and made[counts > 0].std() == pytest.approx(1, abs=1e-5)
    (cached,) = (tmp_path / "cache").glob("*.npz")
    before = cached.stat().st_mtime_ns
    np.testing.assert_array_equal(start.of_base(base, counts, 10, 4, tmp_path / "cache", threads=1), made)
    assert cached.stat().st_mtime_ns == before, "the encoder ran once"


def test_words_learnt_are_always_the_same_and_take_words_apart() -> None:
    given = [f"paying for card number{number} and pin" for number in range(30)] + ["walking", "talking", "Ärger"]
    tokenizer = words.learnt(given, 200)
    assert tokenizer.to_str() == words.learnt(given, 200).to_str()
    assert tokenizer.get_vocab_size() <= 200
    (ids,) = words.token_ids(tokenizer, ["PAYING baking é"], 20)
    assert [tokenizer.id_to_token(token) for token in ids][:2] == ["[CLS]", "paying"]
    assert [tokenizer.id_to_token(token) for token in ids][2:] == ["b", "##a", "##king", "[UNK]", "[SEP]"]


@pytest.mark.parametrize("missing", ["no-such-package", "not a name", ""])
def test_a_base_that_is_not_there_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="find the base"):
        bases.find(missing)


def test_a_base_with_other_pieces_is_refused(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE"}}), encoding="utf-8")
    with pytest.raises(UserError, match="not WordPiece"):
        words.of_base(base)
