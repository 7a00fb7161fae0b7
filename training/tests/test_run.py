"""A whole run with a tiny random base model: train, stop, resume, export, evaluate, golden scores."""

import contextlib
import importlib.util
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from labelstream_train.cli import STOPPED, main

TORCH = importlib.util.find_spec("torch") is not None
WORDS = ("card", "lost", "money", "sent", "late", "pin", "wrong", "help", "my", "is", "the", "now")
TOPICS = {"card": "lost card", "money": "money sent", "pin": "pin wrong"}
SIZES = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 48, "max_position_embeddings": 160, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}


def write_base(folder: Path) -> None:
    """A random `BertModel` in the Hugging Face layout."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SIZES | {"model_type": "bert", "pad_token_id": 0}))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(3)
    hidden, inner = SIZES["hidden_size"], SIZES["intermediate_size"]
    names = {"embeddings.word_embeddings.weight": (SIZES["vocab_size"], hidden),
             "embeddings.position_embeddings.weight": (SIZES["max_position_embeddings"], hidden),
             "embeddings.token_type_embeddings.weight": (2, hidden),
             "pooler.dense.weight": (hidden, hidden), "pooler.dense.bias": (hidden,)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(SIZES["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}"
        linear = [(f"{prefix}.attention.{part}", hidden, hidden) for part in ("self.query", "self.key", "self.value")]
        linear += [(f"{prefix}.attention.output.dense", hidden, hidden)]
        linear += [(f"{prefix}.intermediate.dense", inner, hidden), (f"{prefix}.output.dense", hidden, inner)]
        for name, rows, columns in linear:
            names |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    tensors = {name: torch.randn(size) * 0.3 for name, size in names.items()}
    for norm in norms:
        tensors |= {f"{norm}.weight": torch.rand(hidden) + 0.5, f"{norm}.bias": torch.randn(hidden) * 0.1}
    save_file(tensors, folder / "model.safetensors")


def write_data(folder: Path) -> None:
    """Three easy topics; each text is filled up with words that say nothing."""
    folder.mkdir()
    dice = np.random.default_rng(1)
    for name, count in (("train", 40), ("test", 10)):
        rows = []
        for label, words in TOPICS.items():
            for _ in range(count):
                filler = " ".join(dice.choice(["my", "is", "the", "now", "help"], size=dice.integers(3, 9)))
                rows.append(json.dumps({"text": f"{words} {filler}", "label": label}))
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


@unittest.skipUnless(TORCH, "torch is not installed")
class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = tempfile.TemporaryDirectory()
        cls.root = Path(cls.place.name)
        write_base(cls.root / "base")
        write_data(cls.root / "data")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.place.cleanup()

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of one command."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(each) for each in arguments])
        return code, out.getvalue(), err.getvalue()

    def weights(self, file: Path) -> dict[str, list]:
        """Every number of the weights in a file."""
        import torch
        from safetensors.torch import load_file

        state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)["model"]
        return {name: value.tolist() for name, value in state.items()}

    def places(self, name: str) -> list:
        return ["--data", self.root / "data", "--base", self.root / "base", "--out", self.root / name]

    def test_everything(self) -> None:
        named = ["--data-name", "toy", "--data-licence", "CC0-1.0", "--data-attribution", "nobody"]
        code, out, err = self.call("run", *self.places("whole"), "--epochs", 6, "--version", "2.0.0", *named)
        self.assertEqual(code, 0, err)
        package = self.root / "whole" / "package"
        manifest = json.loads((package / "labelstream.json").read_text())
        self.assertEqual(manifest["version"], "2.0.0")
        self.assertEqual(set(manifest["files"]), {"model.onnx", "tokenizer.json", "config.json"})
        self.assertFalse((package / "README.md").exists(), "the card is about Banking77 only")

        code, out, _ = self.call("evaluate", "--package", package, "--data", self.root / "data" / "test.jsonl")
        self.assertEqual(code, 0)
        self.assertAlmostEqual(json.loads(out)["accuracy"], manifest["metrics"]["test_accuracy"], places=4)
        golden = self.root / "golden.json"
        self.assertEqual(self.call("golden", "--package", package, "--out", golden)[0], 0)
        self.assertEqual(self.call("golden", "--package", package, "--out", golden, "--check")[1], "agrees\n")
        document = json.loads(golden.read_text())
        document["cases"][0]["top"][0][1] -= 0.1
        golden.write_text(json.dumps(document))
        self.assertEqual(self.call("golden", "--package", package, "--out", golden, "--check")[0], 1)

    def test_resumed_run_equals_an_uninterrupted_one(self) -> None:
        self.assertEqual(self.call("train", *self.places("straight"), "--epochs", 3)[0], 0)
        stopped = ["train", *self.places("stopped"), "--epochs", 3, "--minutes", 0, "--resume"]
        codes = [self.call(*stopped)[0] for _ in range(3)]
        self.assertEqual(codes, [STOPPED, STOPPED, 0])
        for file in ("best.safetensors", "checkpoint.pt"):
            straight, resumed = ((self.root / name / file) for name in ("straight", "stopped"))
            self.assertTrue(self.weights(straight) == self.weights(resumed), f"{file} differs")

    def test_mistakes_are_told_in_one_line(self) -> None:
        cases = [
            (["train", *self.places("a"), "--base", self.root / "none"], "is missing"),
            (["train", *self.places("b"), "--data", self.root / "none"], "find train.jsonl.gz"),
            (["run", *self.places("c")], "--data-name"),
            (["export", *self.places("d")], "run `train` first"),
            (["evaluate", "--package", self.root, "--data", self.root / "data" / "test.jsonl"], "labelstream.json"),
        ]
        for arguments, expected in cases:
            code, _, err = self.call(*arguments)
            self.assertEqual(code, 2)
            self.assertEqual(err.count("\n"), 1, err)
            self.assertIn(expected, err)
        self.assertEqual(self.call("train", *self.places("twice"), "--epochs", 1)[0], 0)
        self.assertIn("--resume", self.call("train", *self.places("twice"), "--epochs", 1)[2])
        self.assertIn("other data or settings", self.call("train", *self.places("twice"), "--seed", 9, "--resume")[2])
