"""Moves the aliases `champion`, `challenger` and `previous` of a registered model: the champion serves.

A stream follows `models:/NAME@champion`, so moving that alias is the release, and moving it back is the rollback.
MLflow cannot move two aliases at once; the order here keeps `champion` right at any moment.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import Refused, UserError
from .contents import GATE_TAG
from .registry import connect, talking_to, version_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
REJECTED_TAG = "labelstream.rejected"
"""The time (ISO 8601) at which a version was rolled back: it is not promoted again by accident."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The versions after the command; `previous` is None if there was no champion before."""

    champion: int
    previous: int | None
    changed: bool


def promote(registry: str, model_name: str, allow_rejected: bool = False) -> Moved:
    """Makes the challenger's version the champion, and the old champion `previous`.

    Repeating it with the same challenger changes nothing. Raises `Refused` for a version without the tag that
    `register` sets for packages that passed their gate, and for one that was rolled back, unless `allow_rejected`.
    """
    client = connect(registry)
    with talking_to(registry, f"promote {model_name}"):
        challenger = version_of(client, model_name, CHALLENGER)
        if challenger is None:
            raise UserError(
                f"promote {model_name}: it has no version with the alias `{CHALLENGER}`; run `register` first"
            )
        if challenger.tags.get(GATE_TAG) != "passed":
            raise Refused(f"promote {model_name}: version {challenger.version} has not passed a gate")
        if rejected := challenger.tags.get(REJECTED_TAG):
            if not allow_rejected:
                raise Refused(
                    f"promote {model_name}: version {challenger.version} was rolled back at {rejected}; register "
                    "another package, or promote this one with --allow-rejected"
                )
            client.delete_model_version_tag(model_name, challenger.version, REJECTED_TAG)
        old = version_of(client, model_name, CHAMPION)
        new = int(challenger.version)
        if old is not None and int(old.version) == new:
            return Moved(new, _number(client, model_name, PREVIOUS), False)
        if old is not None:
            client.set_registered_model_alias(model_name, PREVIOUS, old.version)
        client.set_registered_model_alias(model_name, CHAMPION, str(new))
        return Moved(new, None if old is None else int(old.version), True)


def rollback(registry: str, model_name: str) -> Moved:
    """Makes the previous version the champion again; the champion becomes `previous`, marked as rejected.

    Raises `Refused` if the previous version was itself rejected, so a second call does not bring it back.
    """
    client = connect(registry)
    with talking_to(registry, f"roll back {model_name}"):
        champion, previous = (version_of(client, model_name, alias) for alias in (CHAMPION, PREVIOUS))
        if champion is None or previous is None:
            missing = CHAMPION if champion is None else PREVIOUS
            raise UserError(f"roll back {model_name}: it has no version with the alias `{missing}`")
        if champion.version == previous.version:
            raise UserError(
                f"roll back {model_name}: version {champion.version} is champion and previous, nothing to roll back to"
            )
        if rejected := previous.tags.get(REJECTED_TAG):
            raise Refused(
                f"roll back {model_name}: version {previous.version}, the previous one, was itself rolled back at "
                f"{rejected}; version {champion.version} stays. To serve it anyway, make it the challenger "
                "(`register`), then `promote --allow-rejected`"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        client.set_model_version_tag(
            model_name, champion.version, REJECTED_TAG, now
        )  # first, so that a kill in between leaves a right state
        client.set_registered_model_alias(model_name, CHAMPION, previous.version)
        client.set_registered_model_alias(model_name, PREVIOUS, champion.version)
        return Moved(int(previous.version), int(champion.version), True)


def _number(client: "MlflowClient", model_name: str, alias: str) -> int | None:
    version = version_of(client, model_name, alias)
    return None if version is None else int(version.version)
