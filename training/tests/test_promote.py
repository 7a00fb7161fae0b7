"""`promote` and `rollback` on a real MLflow server: which version serves."""

from pathlib import Path

import pytest

pytest.importorskip("mlflow", reason="the MLflow client is not installed: pip install mlflow-skinny")
from labelstream_train.errors import Refused, UserError
from labelstream_train.gate.stage import gate
from labelstream_train.register.promote import promote, rollback
from labelstream_train.register.registry import connect
from labelstream_train.register.stage import register

from . import gated_run
from .mlflow_server import MlflowServer


def test_promote_and_roll_back_move_the_champion(mlflow_server: MlflowServer, tmp_path: Path, name: str) -> None:
    client = connect(mlflow_server.uri)

    def aliases() -> dict[str, int]:
        return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}

    with pytest.raises(UserError, match="no version with the alias `challenger`; run `register` first"):
        promote(mlflow_server.uri, name)
    for number in (1, 2):
        run = gated_run.make_for_registry(tmp_path / str(number), mlflow_server.uri, name, weight=3.0 + number)
        gate(run)
        register(run)
        assert promote(mlflow_server.uri, name).changed
        assert aliases() == {"challenger": number, "champion": number} | ({"previous": 1} if number == 2 else {})
        if number == 1:
            with pytest.raises(UserError, match="no version with the alias `previous`"):
                rollback(mlflow_server.uri, name)
    before = mlflow_server.state()
    assert not promote(mlflow_server.uri, name).changed
    assert mlflow_server.state() == before
    assert rollback(mlflow_server.uri, name).champion == 1
    assert aliases() == {"challenger": 2, "champion": 1, "previous": 2}
    before = aliases()
    with pytest.raises(Refused, match=r"version 2, the previous one, was itself rolled back at 20.*version 1 stays"):
        rollback(mlflow_server.uri, name)
    with pytest.raises(Refused, match=r"promote .*: version 2 was rolled back at 20.*--allow-rejected"):
        promote(mlflow_server.uri, name)
    assert aliases() == before
    assert promote(mlflow_server.uri, name, allow_rejected=True).champion == 2
    assert aliases() == {"challenger": 2, "champion": 2, "previous": 1}
    assert rollback(mlflow_server.uri, name).champion == 1, "asked for, it serves, and may be rejected again"


def test_a_version_that_no_gate_passed_is_not_promoted(mlflow_server: MlflowServer, name: str) -> None:
    client = connect(mlflow_server.uri)
    client.create_registered_model(name)
    run = client.create_run(client.create_experiment(name))
    client.create_model_version(name, f"{run.info.artifact_uri}/package", run.info.run_id)
    client.set_registered_model_alias(name, "challenger", "1")
    before = mlflow_server.state()
    with pytest.raises(Refused, match="version 1 has not passed a gate"):
        promote(mlflow_server.uri, name)
    assert mlflow_server.state() == before
