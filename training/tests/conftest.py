"""Fixtures and markers that more than one test file uses."""

import importlib.util
from collections.abc import Iterator

import pytest

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
