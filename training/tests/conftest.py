"""Fixtures and markers that more than one test file uses."""

import importlib.util
from collections.abc import Iterator

import pytest

from labelstream_train import tiers

from .mlflow_server import MlflowServer, started


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that `make test` leaves to `make test-pipelines`."""
    config.addinivalue_line("markers", "pipelines: runs whole pipelines by DVC or Kubeflow, for minutes")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """One server for all tests; skipped, saying so, where only MLflow's client is installed."""
    if any(importlib.util.find_spec(name) is None for name in ("mlflow", "uvicorn", "flask", "sqlalchemy")):
        pytest.skip("the MLflow server is not installed: pip install mlflow")
    with started(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(autouse=True)
def no_server_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address or credentials of a server that the user works with may reach a test."""
    for name in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A model name that no other test uses."""
    yield request.node.name.replace("[", "-").replace("]", "")


@pytest.fixture
def stubbed_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stub_tier` in place of the fast tier: it trains in no time."""
    monkeypatch.setitem(tiers.MODULES, "fast", "tests.stub_tier")
