"""The report of the search: report.json for programs, report.html for people."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import json_file
from ..page import COLOURS, Badge, Figure, Headline, Section, Table, Terms, Tone, page, plain, plot
from ..run import Run
from .study import ERROR, Study, state

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = {"quality": "quality", "nll": "log loss"}
MEANINGS = {
    "quality": "accuracy; mean average precision if a text can have several labels. Higher is better.",
    "log loss": "the mean negative log probability of the true labels, in nats. Lower is better.",
    "held out": "texts that training does not see; trials are scored on them.",
    "pruned": "stopped early, because it was worse than the other trials after as many epochs.",
}
BAR_INCHES = 0.4
"""Height of a bar in the importance plot, inches."""


def write(run: Run, study: Study, against: dict[str, Any] | None, is_kept: bool) -> dict[str, Any]:
    """Writes both files to OUT/tune; returns their content."""
    found = document(run, study) | {"against_default": against, "is_default_kept": is_kept}
    json_file.write(run.tune / "report.json", found)
    (run.tune / "report.html").write_text(html(found), encoding="utf-8")
    return found


def sentence(found: dict[str, Any]) -> str:
    """The search's result in one sentence, with the interval of the gain."""
    best, against = found["best"], found["against_default"]
    kept = "the default settings are kept"
    if found["is_default_kept"] and against is None:
        return f"no trial beats the default settings (trial {best['trial']}): they are kept"
    if against is None:
        return f"trial {best['trial']} is the best; its gain over the default settings could not be tested"
    loss = against["log_loss"]
    said = [f"log loss {loss['value']:+.4f} (95 % interval {loss['low']:+.4f} to {loss['high']:+.4f})"]
    if (gain := against["accuracy"]) is not None:
        points = [100 * gain[key] for key in ("value", "low", "high")]
        said.insert(0, "accuracy {:+.1f} points (95 % interval {:+.1f} to {:+.1f})".format(*points))
    compared = f"trial {best['trial']} against the default settings, on {against['texts']} texts: {', '.join(said)}"
    compared += f"; intervals corrected for {against['comparisons']} comparisons"
    return compared + (f". No significant gain: {kept}" if found["is_default_kept"] else ". Its settings are used")


def document(run: Run, study: Study) -> dict[str, Any]:
    """Trials in their order, the best one, and how much each key mattered."""
    best = study.best()
    trials = [
        {"trial": trial.number, "state": state(trial), "figure": _figure(trial),
         "steps": len(trial.intermediate_values), "values": trial.params, "error": trial.user_attrs.get(ERROR),
         "seconds": round(trial.duration.total_seconds(), 2) if trial.duration else None}
        for trial in study.ended()
    ]  # fmt: skip
    return {
        "tier": run.settings.run.tier, "figure": run.settings.tune.figure,
        "best": None if best is None else {"trial": best.number, "figure": best.value, "values": best.params},
        "importances": study.importances(), "trials": trials,
    }  # fmt: skip


def html(found: dict[str, Any]) -> str:
    """The page: history, importances, all trials."""
    said = sentence(found)
    lead = (
        f"{len(found['trials'])} trials of the {found['tier']} tier. {said[0].upper()}{said[1:]}. The best of many "
        f"owes some of its score to luck: only the test texts, which no trial has seen, show how good it is."
    )
    sections = [_headline(found), Section("History", [_history(found)])]
    if found["importances"]:
        sections.append(Section("Importance of each key", [_importances(found["importances"])]))
    return page("Hyperparameter search", [*sections, _settings(found), _trials(found)], lead)


def _headline(found: dict[str, Any]) -> Section:
    """The best score, that of the default settings, and which settings are used."""
    best, first, of = found["best"], found["trials"][0], WORDS[found["figure"]]
    figures: list[tuple[str, str, str, Tone]] = [
        (f"{best['figure']:.4f}", f"best {of}, held out", f"trial {best['trial']}", "quiet")
    ]
    if first["trial"] == 0 and first["figure"] is not None:
        figures.append((f"{first['figure']:.4f}", "the default settings", "trial 0", "quiet"))
    kept = found["is_default_kept"]
    figures.append(("kept" if kept else "replaced", "default settings",
                    "no significant gain" if kept else "significant gain", "warn" if kept else "good"))  # fmt: skip
    return Section("", [Headline(figures), Terms(list(MEANINGS.items()))])


def _settings(found: dict[str, Any]) -> Section:
    """The settings in which the best trial differs from the default."""
    first = found["trials"][0]
    default = first["values"] if first["trial"] == 0 else {}
    rows = [[key, default.get(key), value] for key, value in found["best"]["values"].items()]
    return Section("Settings of the best trial", [Table(["key", "default", "best trial"], rows)])


def _trials(found: dict[str, Any]) -> Section:
    keys = sorted({key for trial in found["trials"] for key in trial["values"]})
    tones: dict[str, Tone] = {"completed": "good", "given up": "bad"}
    rows = [
        [trial["trial"], Badge(trial["state"], tones.get(trial["state"], "quiet")), trial["figure"], trial["steps"],
         trial["seconds"], *(trial["values"].get(key) for key in keys)]
        for trial in found["trials"]
    ]  # fmt: skip
    columns = ["trial", "", f"{WORDS[found['figure']]}, held out", "epochs", "seconds", *keys]
    return Section("Trials", [Table(columns, rows, "All trials, in order")])


def _figure(trial: Any) -> float | None:
    """The score of a trial; of a pruned one, the last it reported."""
    if trial.value is not None:
        return trial.value
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else None


def _history(found: dict[str, Any]) -> Figure:
    def paint(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        for name, colour, marker in (("completed", COLOURS[0], "o"), ("pruned", COLOURS[5], "x")):
            these = [each for each in found["trials"] if each["state"] == name and each["figure"] is not None]
            axes.scatter(
                [each["trial"] for each in these],
                [each["figure"] for each in these],
                color=colour,
                marker=marker,
                label=name,
            )
        done = [each for each in found["trials"] if each["state"] == "completed"]
        running = np.maximum.accumulate if found["figure"] == "quality" else np.minimum.accumulate
        axes.step(
            [each["trial"] for each in done],
            running([each["figure"] for each in done]),
            where="post",
            color=COLOURS[1],
            label="best so far",
        )
        axes.set_xlabel("trial")
        axes.set_ylabel(f"{WORDS[found['figure']]} on held-out texts")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend()

    return plot(paint, "Score of each trial; of a pruned trial, the last before it stopped.", "Score of each trial")


def _importances(shares: dict[str, float]) -> Figure:
    def paint(axes: "Axes") -> None:
        keys = sorted(shares, key=lambda key: shares[key])
        axes.barh([plain(key) for key in keys], [100 * shares[key] for key in keys])
        axes.set_xlabel("share of the variance between completed trials, %")

    caption = (
        "Importance of each key by functional analysis of variance (Hutter et al. 2014) over the completed trials; "
        "few trials give a rough estimate only."
    )
    return plot(paint, caption, "Importance of each key", height=1.0 + BAR_INCHES * len(shares), has_names=True)
