"""The model card, README.md of a package: what it is, how good, how it was made, what it is for and its limits.

Every number comes from the report or the run, and every metric has its interval. Only the model's maker knows its
intended use: `evaluate.card` names a Markdown file about it; otherwise the text is general.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import json_file
from .. import settings as all_settings
from ..errors import UserError
from ..package import manifest as manifests
from ..recipe import recipe
from ..run import Run
from .bias_section import unlike
from .wording import area, figure, number, percent, points, rate

WORST = 5
"""How many labels, confusions, changes and terms the card lists."""


def of_run(run: Run, report: dict[str, Any]) -> str:
    """The whole card of a run's package, Markdown. `report` as `report.read` gives it."""
    manifest = manifests.read(run.package)
    parts = [
        _head(manifest, report),
        _figures(report),
        _weak(report),
        _bias(report),
        _outside(report),
        _speed(report),
        _made(run, manifest),
        _use(run.settings.evaluate.card, manifest, report),
        _licence(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(manifest: Mapping[str, Any], report: dict[str, Any]) -> str:
    labels = [row["label"] for row in report["classes"]]
    named = ", ".join(_code(label) for label in labels[:3])
    what = "any number of" if report["is_multi_label"] else "one of"
    return (
        f"# {manifest['name']} {manifest['version']}\n\n"
        f"Assigns a text {what} {len(labels)} labels ({named}{', ...' if len(labels) > 3 else ''}). "
        f"{report['package']['bytes'] / 1e6:.1f} MB, runs on a CPU with ONNX Runtime; it "
        f"reads the first {report['package']['tokens_max']} tokens of a text. `labelstream.json` has digests, golden "
        "scores and all metrics."
    )


def _figures(report: dict[str, Any]) -> str:
    rows = [figure(name, each, report["is_multi_label"]) for name, each in report["estimates"].items()]
    about = f"On {report['data']['texts']} test texts of {report['data']['name']}, with 95 % intervals:"
    lines = ["## Metrics", "", about, "", "| metric | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([*lines, "", _looked(report)])


def _code(label: str) -> str:
    """A label as Markdown code: on one line, without backticks."""
    return f"`{' '.join(label.replace('`', chr(39)).replace('|', '/').split())}`"


def _looked(report: dict[str, Any]) -> str:
    """How often the test texts were used, which affects how far to trust the metrics."""
    said = (
        "The intervals cover the choice of test texts, not of the seed. The test texts were not used for any choice: "
        "epoch, temperature and thresholds come from held-out texts."
    )
    times = report["data"]["evaluations"]
    if times == 1:
        return f"{said} They were scored once."
    return (
        said
        if times is None
        else (
            f"{said} They were scored {times} times in this run's folder, on {report['data']['models']} model(s): "
            "if a choice was based on the results, the metrics are too optimistic."
        )
    )


def _weak(report: dict[str, Any]) -> str:
    lines = ["## Weaknesses", ""]
    seen = [row for row in report["classes"] if row["n"] and row["f1"]["value"] is not None]
    worst = sorted(seen, key=lambda row: row["f1"]["value"])[:WORST]
    lines.append(
        "- Lowest F1: "
        + "; ".join(f"{_code(row['label'])} {percent(row['f1'])}, {row['n']} texts" for row in worst)
        + "."
    )
    if report["confusions"]:
        pairs = "; ".join(f"{_code(row['truth'])} as {_code(row['guess'])}, {percent(row['share'])} of its texts"
                          for row in report["confusions"][:WORST])  # fmt: skip
        lines.append(f"- Most frequent confusions: {pairs}.")
    bad = [
        row for row in report["slices"] if not row["is_small"] and row["p_adjusted"] < 0.05 and row["gap"]["value"] < 0
    ]
    if bad:
        named = "; ".join(f"{row['slice']} {row['value']} by {points(row['gap'])} points" for row in bad[:WORST])
        lines.append(f"- Significantly worse than all test texts: {named}.")
    elif report["slices"]:
        lines.append("- No slice that is large enough to test is significantly worse than all test texts.")
    changes = sorted(report["robustness"], key=lambda row: row["change"]["value"])[:WORST]
    if changes:
        named = "; ".join(f"{row['name']} {points(row['change'])}" for row in changes)
        lines.append(f"- Accuracy points lost when the same texts are written differently: {named}.")
    return "\n".join(lines)


def _bias(report: dict[str, Any]) -> str:
    found = report["bias"]
    lines = ["## Identity terms", ""]
    if found is None:
        return "\n".join([*lines, "Not measured."])
    lines.append(
        f"In {found['contexts']} sentences ({found['source']}) the identity term was swapped, {found['terms']} "
        "terms. Two terms of a sentence get different labels in "
        f"{percent(found['flip_rate'])} of the pairs."
    )
    lines += unlike(found)
    what = f"the probability of {found['target']}" if found["target"] else "the probability of a sentence's usual label"
    clear = [row for row in found["by_term"] if row["is_clear"]][:WORST]
    if clear:
        named = "; ".join(f"{row['term']} {points(row['shift'])}" for row in clear)
        lines.append(f"Terms that shift {what} most, in points: {named}.")
    if found["harm"] is not None:
        lines.append(f"AUROC of harm over all terms: {area(found['harm']['auroc'])}.")
    return "\n".join(lines)


def _outside(report: dict[str, Any]) -> str:
    found = report["out_of_scope"]
    if found is None:
        return ("## Out-of-scope texts\n\nNot measured. " + (
            "A text about something else may still get a label." if report["is_multi_label"] else
            "Any text gets one of the labels, even if it is about something else."))  # fmt: skip
    lines = ["## Out-of-scope texts", "", f"On {found['n_out']} texts that belong to no label:", "",
             "| by | AUROC | false accepts with 95 % of in-scope texts accepted |", "|---|---|---|"]  # fmt: skip
    lines += [f"| {row['name']} | {area(row['auroc'])} | {percent(row['fpr_at_95'])} |" for row in found["scores"]]
    first = found["scores"][0]
    lines += [
        "",
        f"Abstaining below a score of {first['threshold']:.3f} (chosen on the {first['chosen_on']} texts) rejects "
        f"{percent(first['rejected'])} of them and keeps {percent(first['kept'])} of the in-scope texts.",
    ]
    return "\n".join(lines)


def _speed(report: dict[str, Any]) -> str:
    found = report["speed"]
    if found is None:
        return ""
    one = [row for row in found["single"] if row["threads"] == 1]
    lines = ["## Speed", "", "One text on one thread, in Python with the tokenizer, ms:", "",
             "| tokens | p50 | p99 |", "|---|---|---|"]  # fmt: skip
    lines += [f"| {row['tokens']} | {number(row['p50_ms'])} | {number(row['p99_ms'])} |" for row in one]
    many = "; ".join(f"{rate(row['texts_per_second'])} on {row['threads']} thread(s)" for row in found["batch"])
    on = found["machine"]
    lines += ["", f"Texts per second, {found['batch'][0]['tokens']:.0f} tokens on average: {many}. Machine: "
              f"{on['processor'] or on['system']}, {on['cores']} cores, {', '.join(on['instructions'])}; load "
              f"{found['load_before']} when it began."]  # fmt: skip
    if found["load_before"] is not None and found["load_before"] > 0.5 * on["cores"]:
        lines.append("Other work ran beside it: expect faster when idle.")
    return "\n".join(lines)


def _made(run: Run, manifest: Mapping[str, Any]) -> str:
    parts = run.parts()
    files = "".join(f"\n- `{each['name']}` ({each['part']}, {each['rows']} rows), sha256 `{each['sha256']}`"
                    for each in parts.facts.get("files", []))  # fmt: skip
    counts = {name: len(getattr(parts, name)) for name in ("train", "held_out", "test", "out_of_scope")}
    dropped = ", ".join(
        f"{count} {reason.replace('_', ' ')}" for reason, count in parts.facts.get("dropped", {}).items() if count
    )
    data = "; ".join(f"{each['name']} ({_terms(each)})" for each in manifest.get("data", []))
    learned = json_file.read_or_empty(run.train / "train.json")
    base = learned.get("base")
    began = f"Base: {base['name']}, weights with sha256 `{base['sha256']}`. " if isinstance(base, dict) else ""
    return "\n".join([
        "## How it was made", "", f"Data: {data}. Files:{files}", "",
        f"{counts['train']} training texts, {counts['held_out']} held out, {counts['test']} test, "
        f"{counts['out_of_scope']} out of scope. Dropped: {dropped or 'nothing'}.", "",
        f"{began}Tier `{run.settings.run.tier}`, seed {run.settings.run.seed}. To reproduce it, use these lines "
        "as settings.toml (other settings have their defaults) and the files above:", "",
        "```toml", all_settings.to_toml(recipe(run.settings)).strip(), "```", "",
        "```", "labelstream-train run --settings settings.toml --out OUT", "```", "",
        "Another processor sums in another order, so the last digits will differ.",
    ])  # fmt: skip


def _use(file: Path | None, manifest: Mapping[str, Any], report: dict[str, Any]) -> str:
    if file is not None:
        try:
            words = file.read_text(encoding="utf-8").strip()
        except OSError as cause:
            raise UserError(f"read evaluate.card {file}: {cause}") from cause
    else:
        words = (
            f"- Meant for texts like those of {report['data']['name']}: their language, length and topics. How "
            "it does on others is unknown.\n"
            "- Labels are the annotators' choices, including their errors, which limit what any model can reach.\n"
            "- Do not use it for decisions about people without human review."
        )
    floor = manifest.get("thresholds", {}).get("abstain_below")
    if floor is None and not report["is_multi_label"]:
        words += "\n- It never abstains: `thresholds.abstain_below` is not set."
    return f"## Use and limits\n\n{words}"


def _licence(manifest: Mapping[str, Any]) -> str:
    terms = "; ".join(f"{each['name']} is under {_terms(each)}" for each in manifest.get("data", []))
    return (
        f"## Licence\n\nThe weights are under {manifest.get('licence') or 'no stated licence'}. Of the training "
        f"data, {terms}. Keep this attribution if you redistribute the model."
    )


def _terms(data: Mapping[str, Any]) -> str:
    """Licence and attribution of one data set, as far as they were stated."""
    licence, whose = data.get("licence") or "no stated licence", data.get("attribution")
    return f"{licence}: {whose}" if whose else licence
