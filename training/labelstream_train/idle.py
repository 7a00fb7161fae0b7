"""Finds settings that differ from their defaults but have no effect, and what overrides each: notes at a run's start.

They are not errors: one settings file may serve several tiers and data sets. Where only the data decides (`fast.epochs`
against `fast.steps_min`), the stage itself prints the note.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .data import files
from .errors import UserError
from .gate.rules import Rules
from .settings import Settings
from .tune.settings import DEFAULT_SPACE


@dataclass(frozen=True, slots=True)
class Known:
    """What a rule can look at: the settings, the gate's rules, and whether the data has a file for a part."""

    settings: Settings
    rules: Rules
    has: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Idle:
    """`keys` have no effect if `is_so` holds; `because` says why."""

    keys: tuple[str, ...]
    is_so: Callable[[Known], bool]
    because: str


def _keys(section: str, names: str) -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for name in names.split())


IDLE = (
    Idle(_keys("fast", "teacher_share teacher_temperature invented"), lambda k: k.settings.fast.teacher is None,
         "fast.teacher names no package to learn from"),
    Idle(("fast.words_max",), lambda k: k.settings.fast.base != "none", "fast.base gives the vocabulary"),
    Idle(_keys("fast", "row_count_min rows_max"), lambda k: k.settings.fast.row_words_max == 1,
         "fast.row_words_max = 1 allows no n-grams"),
    Idle(_keys("encoder", "distil_temperature distil_weight"), lambda k: not k.settings.encoder.teachers,
         "encoder.teachers names no package to learn from"),
    Idle(("encoder.effective_beta",), lambda k: k.settings.encoder.class_weights != "effective",
         'encoder.class_weights is not "effective"'),
    Idle(("encoder.patience_figure",), lambda k: k.settings.encoder.patience == 0, "encoder.patience = 0 never stops"),
    Idle(_keys("encoder", "contrastive_temperature contrastive_learning_rate"),
         lambda k: k.settings.encoder.contrastive_epochs == 0, "encoder.contrastive_epochs = 0"),
    Idle(_keys("tune", "figure pruner startup_trials folds jobs space"), lambda k: k.settings.tune.trials == 0,
         "tune.trials = 0, so there is no search (--trials)"),
    Idle(_keys("register", "model_name alias experiment timeout_s retries_max"),
         lambda k: k.settings.register.registry is None, "no registry is set (--registry)"),
    Idle(("run.experiment",), lambda k: k.settings.run.tracking is None, "run.tracking names no server"),
    Idle(("data.label_separator",), lambda k: not k.settings.data.multi_label, "a text has one label (--multi-label)"),
    Idle(_keys("export", "label_texts_min threshold_weight"), lambda k: not k.settings.data.multi_label,
         "a text has one label (--multi-label)"),
    Idle(_keys("export", "abstain_precision abstain_coverage"), lambda k: k.settings.data.multi_label,
         "a text may have no label, so nothing abstains"),
    Idle(("gate.champion",), lambda k: k.rules.champion is None, "the rules do not include `champion`"),
    Idle(("evaluate.bias_harmful_truth",), lambda k: not k.settings.evaluate.bias_harmful,
         "evaluate.bias_harmful names no label"),
    Idle(_keys("evaluate", "bias_text bias_label bias_identity"), lambda k: k.settings.evaluate.bias_data is None,
         "evaluate.bias_data names no file"),
    Idle(_keys("evaluate", "bias_data bias_harmful"), lambda k: k.settings.evaluate.bias_texts_max == 0,
         "evaluate.bias_texts_max = 0 disables the bias report"),
    Idle(("evaluate.speed_minutes_max",), lambda k: k.settings.evaluate.speed_repeats == 0,
         "evaluate.speed_repeats = 0 disables timing"),
    Idle(_keys("validate", "near_similarity near_texts_max near_characters_max near_leakage_share_max"),
         lambda k: not k.settings.validate.near, "validate.near = false disables that search"),
    Idle(("validate.tokens_max",), lambda k: k.settings.validate.tokenizer is None, "validate.tokenizer is not set"),
    Idle(("split.test_share",), lambda k: k.has["test"], "the data has a test file"),
    Idle(("split.held_out_share",), lambda k: k.has["validation"] and k.settings.split.validation == "held_out",
         "the validation file is the held-out part"),
    Idle(("split.validation",), lambda k: not k.has["validation"], "the data has no validation file"),
    Idle(_keys("split", "by seed"), lambda k: _is_cut(k), "the data has files for all parts"),
    Idle(("data.delimiter",), lambda k: not k.has["csv"], "no file is CSV or TSV"),
    Idle(("data.encoding",), lambda k: not k.has["text"], "no file is CSV, TSV or JSON"),
)  # fmt: skip
"""In the order of a run, without the keys of the other tier, which `found` adds."""


def found(settings: Settings, rules: Rules) -> Iterator[str]:
    """One sentence per reason."""
    known, changed = Known(settings, rules, _has(settings)), _changed(settings)
    other = "encoder" if settings.run.tier == "fast" else "fast"
    yield from _sentence([key for key in changed if key.startswith(f"{other}.")], f"the tier is {settings.run.tier}")
    for each in IDLE:
        if each.keys[0].partition(".")[0] != other and each.is_so(known):
            yield from _sentence([key for key in each.keys if key in changed], each.because)
    if settings.tune.trials:
        tier = settings.run.tier
        space = settings.tune.space or DEFAULT_SPACE[tier]
        searched = [f"{tier}.{key}" for key in space if f"{tier}.{key}" in changed]
        yield from _sentence(searched, "the search chooses it; trial 0 uses this value", "may be replaced")


def _sentence(keys: list[str], because: str, what: str = "") -> Iterator[str]:
    if keys:
        what = what or f"ha{'s' if len(keys) == 1 else 've'} no effect"
        yield f"{', '.join(keys)} {what}: {because}"


def _changed(settings: Settings) -> list[str]:
    plain, own = Settings().dump(), settings.dump()
    return [f"{section}.{key}" for section, keys in own.items() for key in keys if keys[key] != plain[section][key]]


def _is_cut(known: Known) -> bool:
    """Groups still keep a text out of one side, so a split by group always has an effect."""
    settings = known.settings
    is_held_out = known.has["validation"] and settings.split.validation == "held_out"
    return known.has["test"] and is_held_out and settings.split.by != "group" and settings.data.group is None


def _has(settings: Settings) -> dict[str, bool]:
    """Looks at file names only; the stage reports data that cannot be found."""
    data = settings.data
    try:
        place = files.find(Path(data.path)) if data.path else files.Found(())
    except UserError:
        place = files.Found(())
    paths = [*place.train, *place.validation, *place.test, *(Path(each) for each in (data.test, data.validation,
             data.out_of_scope) if each)]  # fmt: skip
    formats = {files.kind(path) for path in paths}
    return {
        "test": bool(place.test or data.test),
        "validation": bool(place.validation or data.validation),
        "csv": bool(formats & {".csv", ".tsv"}) or not paths,
        "text": bool(formats - {".parquet", ".arrow"}) or not paths,
    }
