"""Registering against a real MLflow server: the good path, what is refused, and which version serves."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the MLflow client is not installed: pip install mlflow-skinny")

from labelstream_train import settings
from labelstream_train.errors import Refused, UserError
from labelstream_train.gate.stage import gate
from labelstream_train.package import manifest
from labelstream_train.package.verdict import Verdict
from labelstream_train.register.promote import promote, rollback
from labelstream_train.register.registry import connect, download, version_of
from labelstream_train.register.stage import register
from labelstream_train.run import Run

from . import gated_run
from .mlflow_server import MlflowServer


def test_a_package_that_passed_is_registered_with_all_that_made_it(
    mlflow_server: MlflowServer, tmp_path: Path, name: str
) -> None:
    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    gate(run)
    register(run)
    written = json.loads((run.register / "registered.json").read_text(encoding="utf-8"))
    assert (written["model_name"], written["version"], written["alias"], written["is_new"]) == (
        name,
        1,
        "challenger",
        True,
    )

    client = connect(mlflow_server.uri)
    version = version_of(client, name, "challenger")
    assert version is not None and version.version == "1" and version.status == "READY"
    assert version.source.startswith("mlflow-artifacts:/") and version.source.endswith("/artifacts/package")
    assert version.tags["labelstream.digest"] == manifest.package_digest(run.package) == written["package_digest"]
    assert version.tags["labelstream.data_fingerprint"] == "f" * 64
    assert version.tags["labelstream.licence"] == "Apache-2.0" and version.tags["labelstream.gate"] == "passed"
    assert "accuracy on test: 1.0000 (95 % interval" in version.description and "rules passed" in version.description

    logged = client.get_run(version.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.params["run.tier"] == "encoder" and logged.data.params["split.seed"] == "0"
    assert not [key for key in logged.data.params if key.startswith("register.")]
    assert logged.data.metrics["accuracy"] == 1.0 and 0.9 < logged.data.metrics["accuracy.low"] < 1.0
    assert logged.data.tags["labelstream.digest"] == version.tags["labelstream.digest"]
    files = {
        entry.path
        for folder in ("reports/gate", "reports/evaluate", "run")
        for entry in client.list_artifacts(version.run_id, folder)
    }
    assert files >= {
        "reports/gate/verdict.json",
        "reports/evaluate/report.json",
        "run/settings.toml",
        "run/train.json",
        "run/parts.json",
    }

    fetched = download(client, version, tmp_path / "fetched")
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {
        path.name: path.read_bytes() for path in run.package.iterdir()
    }


def test_a_bad_package_leaves_the_registry_untouched(mlflow_server: MlflowServer, tmp_path: Path, name: str) -> None:
    good = gated_run.make_for_registry(tmp_path / "good", mlflow_server.uri, name)
    gate(good)
    register(good)
    before = mlflow_server.state()
    assert any("labelstream.digest" in row for row in before["model_version_tags"])  # the state holds what it should
    bad = gated_run.make_for_registry(tmp_path / "bad", mlflow_server.uri, name, is_bad=True)
    with pytest.raises(Refused, match="rules failed: accuracy, macro_f1, class_recall"):
        gate(bad)
    with pytest.raises(Refused, match=r"it failed its gate .*accuracy, macro_f1"):
        register(bad)
    assert mlflow_server.state() == before
    assert not bad.register.exists()


def test_the_state_that_is_compared_shows_every_change(mlflow_server: MlflowServer, tmp_path: Path, name: str) -> None:
    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    gate(run)
    empty = mlflow_server.state()
    register(run)
    registered = mlflow_server.state()
    changed = {key for key in registered if registered.get(key) != empty.get(key)}
    assert {
        "runs",
        "params",
        "metrics",
        "tags",
        "registered_models",
        "model_versions",
        "registered_model_aliases",
    } <= changed
    assert any(key.endswith("package/model.onnx") for key in changed)
    connect(mlflow_server.uri).delete_registered_model_alias(name, "challenger")
    assert mlflow_server.state() != registered


@pytest.mark.parametrize("file", ["model.onnx", "labelstream.json", "README.md", "verdict"])
def test_a_stale_gate_is_refused_and_leaves_the_registry_untouched(
    mlflow_server: MlflowServer, tmp_path: Path, name: str, file: str
) -> None:
    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    before = mlflow_server.state()
    with pytest.raises(UserError, match="run `gate` first"):
        register(run)
    gate(run)
    if file == "verdict":  # of another package, which passed
        other = gated_run.make_for_registry(tmp_path / "other", mlflow_server.uri, name, weight=5.0)
        gate(other)
        Verdict.read(other.gate / "verdict.json").write(run.gate / "verdict.json")
    else:
        with (run.package / file).open("ab") as opened:
            opened.write(b" ")
    with pytest.raises(Refused, match="changed after the gate; run `gate` again"):
        register(run)
    assert mlflow_server.state() == before


def test_the_same_digest_keeps_its_version_and_only_gets_the_alias(
    mlflow_server: MlflowServer, tmp_path: Path, name: str
) -> None:
    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    gate(run)
    register(run)
    before = mlflow_server.state()
    register(run)
    same = mlflow_server.state()
    changed = {key for key in same if same[key] != before.get(key)}
    assert changed <= {"registered_models", "registered_model_aliases"}, changed  # its time of change
    assert same["registered_model_aliases"] == before["registered_model_aliases"]

    register(Run(settings.check({"register": {**run.settings.register.model_dump(), "alias": "candidate"}}), run.out))
    version = version_of(connect(mlflow_server.uri), name, "candidate")
    assert version is not None and version.version == "1"
    written = json.loads((run.register / "registered.json").read_text(encoding="utf-8"))
    assert (written["version"], written["alias"], written["is_new"]) == (1, "candidate", False)


def test_a_server_that_is_down_is_one_clear_line_and_soon(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = gated_run.make_for_registry(tmp_path / "out", "http://127.0.0.1:9", name)
    gate(run)
    with pytest.raises(UserError) as error:
        register(run)
    said = str(error.value)
    assert f"register {name} at the registry http://127.0.0.1:9: it does not answer" in said
    assert "Connection refused" in said and "\n" not in said
    for command in (promote, rollback):
        with pytest.raises(UserError, match=r"at the registry http://127\.0\.0\.1:9: it does not answer"):
            command("http://127.0.0.1:9", name)
    assert not run.register.exists()


@contextmanager
def server_with_a_password(asked: list[str | None]) -> Iterator[str]:
    """Answers everything with 401, and notes what it was shown as credentials."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization"))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_credentials_come_from_the_environment_and_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    with server_with_a_password(asked) as uri:
        with pytest.raises(UserError, match="it refuses these credentials; set MLFLOW_TRACKING_USERNAME"):
            promote(uri, "intents")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "enchantress")
        with pytest.raises(UserError) as error:
            promote(uri, "intents")
        monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
        monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "number")
        with pytest.raises(UserError):
            promote(uri, "intents")
    assert asked == [None, "Basic " + b64encode(b"ada:enchantress").decode(), "Bearer number"]
    assert "enchantress" not in str(error.value)
    for wrong in ("http://ada:enchantress@127.0.0.1:5000", "file:///tmp/mlruns", "mlruns"):
        with pytest.raises(UserError, match="expected http://HOST:PORT") as error:
            promote(wrong, "intents")
        assert "enchantress" not in str(error.value)


def test_without_a_registry_or_with_a_wrong_name_nothing_happens(tmp_path: Path) -> None:
    run = gated_run.make(tmp_path / "out")
    with pytest.raises(UserError, match="no registry is set"):
        register(run)
    for wrong in ({"registry": "mlruns"}, {"model_name": "a/b"}, {"alias": ""}):
        with pytest.raises(UserError, match=f"register.{next(iter(wrong))}"):
            settings.check({"register": wrong})


def test_a_registration_that_was_cut_short_is_closed_with_the_word_for_it(
    mlflow_server: MlflowServer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILED by an error, KILLED by a person; and by the next command where even that could not be said."""
    from labelstream_train.register import stage

    client = connect(mlflow_server.uri)
    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    gate(run)

    def statuses() -> list[str]:
        place = client.get_experiment_by_name(name)
        return sorted(each.info.status for each in client.search_runs([place.experiment_id]))

    for error in (KeyboardInterrupt(), UserError("x")):
        with monkeypatch.context() as patched:
            patched.setattr(stage, "_check_upload", lambda *_, error=error: (_ for _ in ()).throw(error))
            with pytest.raises(type(error)):
                register(run)
    assert statuses() == ["FAILED", "KILLED"]
    with monkeypatch.context() as patched:  # as after kill -9: nothing was said to the server
        patched.setattr(stage, "_check_upload", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        patched.setattr(stage, "_close", lambda *_: False)
        with pytest.raises(KeyboardInterrupt):
            register(run)
    assert statuses() == ["FAILED", "KILLED", "RUNNING"]
    register(run)
    assert statuses() == ["FAILED", "FINISHED", "KILLED", "KILLED"]


def test_the_champion_of_the_registry_is_what_a_new_package_is_compared_with(
    mlflow_server: MlflowServer, tmp_path: Path, name: str
) -> None:
    path = gated_run.rules(tmp_path, "[champion]\nmargin = 0.05\noptional = true\n")

    def gated(folder: str, **package: Any) -> Verdict:
        sections = {"gate": {"rules": str(path), "champion": f"models:/{name}@champion"}}
        registry = {"registry": mlflow_server.uri, "model_name": name, "experiment": name}
        run = gated_run.make(tmp_path / folder, sections | {"register": registry}, **package)
        try:
            gate(run)
            register(run)
        except Refused as refused:
            assert "champion" in str(refused)
        assert not (run.gate / "champion").exists()
        return Verdict.read(run.gate / "verdict.json")

    first = gated("first")
    assert first.passed and first.rules[0].skipped and "does not exist yet" in first.rules[0].sentence
    promote(mlflow_server.uri, name)
    second = gated("second", weight=5.0)
    assert second.passed and not second.rules[0].skipped
    assert second.champion is not None and second.champion["digest"] == first.package_digest
    assert not gated("third", is_bad=True).passed
