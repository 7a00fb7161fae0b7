"""The search space: keys of the tier's section, checked before the first trial, and drawing from their ranges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import settings
from ..errors import UserError
from ..settings import Settings
from .settings import DEFAULT_SPACE, Range

if TYPE_CHECKING:
    from optuna import Trial


def of(given: Settings) -> dict[str, Range]:
    """Key -> range, from the settings or built in. A key or bound that the tier refuses is an error."""
    tier = given.run.tier
    space = dict(given.tune.space) or DEFAULT_SPACE[tier]
    known = given.dump()[tier]
    for key, each in space.items():
        if key not in known:
            raise UserError(f"use tune.space.{key}: [{tier}] has no such key; it has {', '.join(known)}")
        for value in each.choices or (each.low, each.high):
            try:
                changed(given, {key: value})
            except UserError as cause:
                raise UserError(f"use tune.space.{key}: {cause}") from cause
    return space


def changed(given: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings of a trial: with `values` in the tier's section, and without a search."""
    return settings.check(settings.merge(given.dump(), {given.run.tier: dict(values), "tune": {"trials": 0}}))


def draw(trial: "Trial", space: Mapping[str, Range]) -> dict[str, Any]:
    """Draws one value for each key."""
    found: dict[str, Any] = {}
    for key, each in space.items():
        if each.choices:
            found[key] = trial.suggest_categorical(key, each.choices)
        elif each.is_whole:
            found[key] = trial.suggest_int(key, each.low, each.high, log=each.log)
        else:
            found[key] = trial.suggest_float(key, each.low, each.high, log=each.log)
    return found
