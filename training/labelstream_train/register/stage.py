"""The stage `register`: adds a package that passed its gate to a registry, as a version with an alias.

It first checks that the verdict is about exactly these files. It sets the alias last, so that nobody who follows it
ever sees half a package. An interrupted run stays in the experiment, marked as FAILED or KILLED, at the latest by the
next command on the same folder.
"""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .. import json_file
from ..errors import Refused, UserError
from ..package import manifest
from ..package.verdict import Verdict, file_digests
from ..run import Run
from . import contents, flavour
from .registry import connect, status_of, talking_to

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PACKAGE = "package"
"""The artifact folder of the package's files, which `models:/NAME@ALIAS` loads."""


def register(run: Run) -> None:
    """Registers OUT/package and writes OUT/register/registered.json.

    If the package is already registered (same digest), only sets the alias.
    """
    wanted = run.settings.register
    if wanted.registry is None:
        raise UserError("register: no registry is set; use --registry http://HOST:PORT, or `registry` under [register]")
    verdict = passed(run)
    about = manifest.read(run.package)
    name = wanted.model_name or str(about.get("name") or run.out.name)
    if any(each in name for each in "/:@"):
        raise UserError(f"register {name!r}: a model name must not contain / : or @; choose another with --model-name")
    client = connect(wanted.registry, wanted.timeout_s, wanted.retries_max)
    with talking_to(wanted.registry, f"register {name}"):
        _close_unfinished(client, run)
        version = _registered(client, name, verdict.package_digest)
        is_new = version is None
        if version is None:
            version = _new(client, run, name, verdict)
        client.set_registered_model_alias(name, wanted.alias, version.version)
    registered = {
        "registry": wanted.registry,
        "model_name": name,
        "version": int(version.version),
        "alias": wanted.alias,
        "run_id": version.run_id,
        "source": version.source,
        "package_digest": verdict.package_digest,
        "is_new": is_new,
    }
    json_file.write(run.register / "registered.json", registered)
    found = "registered as" if is_new else "was already registered as"
    uri = f"models:/{name}@{wanted.alias}"
    print(f"{about.get('name')} {found} {name} version {version.version}: {uri}", file=sys.stderr)


def passed(run: Run) -> Verdict:
    """The verdict on OUT/package; raises `Refused` if it failed, or if the files have changed since."""
    path = run.gate / "verdict.json"
    verdict = Verdict.read(path)
    if not verdict.passed:
        failed = ", ".join(each.name for each in verdict.rules if not each.passed)
        raise Refused(f"register {run.package}: it failed its gate ({failed}); see {path}")
    files = file_digests(run.package)
    if verdict.files != files or verdict.package_digest != manifest.package_digest(run.package):
        changed = sorted(
            name for name in verdict.files.keys() | files.keys() if verdict.files.get(name) != files.get(name)
        )
        raise Refused(f"register {run.package}: {', '.join(changed) or 'it'} changed after the gate; run `gate` again")
    return verdict


def _registered(client: "MlflowClient", name: str, digest: str) -> "ModelVersion | None":
    """The newest ready version with this digest."""
    quoted = name.replace("'", "\\'")
    found = client.search_model_versions(f"name='{quoted}' and tags.`{contents.DIGEST_TAG}`='{digest}'")
    ready = [version for version in found if version.status == "READY"]
    return max(ready, key=lambda version: int(version.version), default=None)


def _new(client: "MlflowClient", run: Run, name: str, verdict: Verdict) -> "ModelVersion":
    """Logs a run with everything, then creates a version that points to its package."""
    wanted = run.settings.register
    experiment = client.get_experiment_by_name(wanted.experiment)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(wanted.experiment)
    tags = contents.tags(run, verdict)
    logged = client.create_run(experiment_id, tags=tags | contents.run_tags(run), run_name=run.out.resolve().name)
    run_id = logged.info.run_id
    _note_unfinished(run, run_id)
    try:
        contents.log(client, run_id, run)
        client.log_inputs(run_id, datasets=contents.inputs(run))
        client.log_artifacts(run_id, str(run.package), PACKAGE)
        if wanted.flavour == "pyfunc":
            with tempfile.TemporaryDirectory() as scratch:
                flavour.write(run.package, Path(scratch))
                client.log_artifacts(run_id, scratch, PACKAGE)
        _check_upload(client, run_id, run)
        _ensure_model(client, name)
        source = f"{logged.info.artifact_uri}/{PACKAGE}"
        description = contents.description(run, verdict)
        version = client.create_model_version(name, source, run_id, tags=tags, description=description)
    except BaseException as error:
        if _close(client, run_id, status_of(error)):
            _unfinished(run).unlink(missing_ok=True)
        raise
    client.set_terminated(run_id, "FINISHED")
    _unfinished(run).unlink(missing_ok=True)
    return version


def _unfinished(run: Run) -> Path:
    """The file that names the server's open run, so that the next command can close it after a kill."""
    return run.out / "tracking" / "register.json"


def _note_unfinished(run: Run, run_id: str) -> None:
    json_file.write(_unfinished(run), {"registry": run.settings.register.registry, "run_id": run_id})


def _close_unfinished(client: "MlflowClient", run: Run) -> None:
    """Closes a run that was left open by a kill or an outage of the server."""
    path = _unfinished(run)
    if not path.is_file():
        return
    found = json_file.read_object(path)
    if found.get("registry") != run.settings.register.registry or _close(client, str(found.get("run_id")), "KILLED"):
        path.unlink()


def _check_upload(client: "MlflowClient", run_id: str, run: Run) -> None:
    """Checks that the registry lists every file of the package with its size."""
    listed, folders = {}, [PACKAGE]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop()):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                listed[entry.path.removeprefix(f"{PACKAGE}/")] = entry.file_size
    for path in (path for path in sorted(run.package.rglob("*")) if path.is_file()):
        name, size = path.relative_to(run.package).as_posix(), path.stat().st_size
        if listed.get(name) != size:
            raise UserError(f"register {run.package}: {name} has {size} bytes, the registry lists {listed.get(name)}")


def _ensure_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as cause:
        if cause.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _close(client: "MlflowClient", run_id: str, status: str) -> bool:
    """Ends the run if the server answers; the error that led here is the one to report."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_terminated(run_id, status)
    except MlflowException as cause:
        print(f"register: could not mark run {run_id} as {status.lower()}: {cause}", file=sys.stderr)
        return False
    return True
