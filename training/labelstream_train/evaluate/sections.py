"""The report as one HTML page: every table and figure of report.json, each number with its interval."""

from typing import Any

from ..gate.verdict import Verdict
from ..page import Badge, Headline, Section, Table, Tone, page
from . import plots
from .bias_section import bias
from .wording import area, chance, figure, number, percent, points, rate

SLICES_DRAWN = 25
"""Bars that can be read; the table has all."""


def html(report: dict[str, Any], verdict: Verdict | None = None) -> str:
    """The whole page of a report, as `report.read` gives it; the gate adds its verdict when it has judged."""
    package, data = report["package"], report["data"]
    lead = (
        f"{package['name']} {package['version']}: {package['labels']} labels, {package['bytes'] / 1e6:.1f} MB, on "
        f"{data['texts']:,} test texts of {data['name']}. In brackets: the 95 % interval, which covers the choice of "
        "test texts, not that of the seed that the model was trained with."
    )
    made = [
        _headline(report, verdict),
        _summary(report),
        _classes(report),
        _confusions(report),
        _calibration(report),
        _abstaining(report),
        _slices(report),
        _robustness(report),
        bias(report),
        _out_of_scope(report),
        _speed(report),
        _method(report),
    ]
    return page(f"How good {package['name']} is", [each for each in made if each is not None], lead)


def _headline(report: dict[str, Any], verdict: Verdict | None) -> Section:
    """What somebody wants to know who reads no further."""
    estimates, is_multi = report["estimates"], report["is_multi_label"]
    main, words = ("macro_f1", "macro-F1: the mean of the labels' F1") if is_multi else ("accuracy", "accuracy on test")
    figures: list[tuple[str, str, str, Tone]] = [_large(estimates[main], words, "quiet")]
    floor = report.get("baseline")
    if floor is not None:
        gap = floor["difference"]
        tone: Tone = "good" if gap["low"] > 0 else "bad" if gap["high"] < 0 else "warn"
        figures.append(_large(floor["accuracy"], f"the floor: {floor['name']}", "quiet"))
        figures.append((f"{100 * gap['value']:+.1f}", "points above the floor",
                        f"95 % interval {100 * gap['low']:+.1f} to {100 * gap['high']:+.1f}", tone))  # fmt: skip
    elif not is_multi:
        figures.append(_large(estimates["macro_f1"], "macro-F1: the mean of the labels' F1", "quiet"))
    parts: list[Any] = []
    if verdict is not None:
        failed = [each for each in verdict.rules if not each.passed]
        skipped = sum(each.skipped for each in verdict.rules)
        below = f"{len(verdict.rules) - skipped - len(failed)} rules passed, {len(failed)} failed, {skipped} skipped"
        figures.append(("failed" if failed else "passed", "the gate", below, "bad" if failed else "good"))
    parts.append(Headline(figures))
    if verdict is not None:
        words_of = {True: Badge("passed", "good"), False: Badge("failed", "bad")}
        ordered = sorted(verdict.rules, key=lambda each: (each.passed, each.skipped))
        rows = [[Badge("skipped", "quiet") if each.skipped else words_of[each.passed], each.name.replace("_", " "),
                 each.sentence] for each in ordered]  # fmt: skip
        parts.append(Table(["", "rule", "why"], rows, "The gate's rules", folded=not failed))
        champion = next((each for each in verdict.rules if each.name == "champion" and not each.skipped), None)
        if champion is not None:
            parts.append(f"Against the package in use: {champion.sentence}.")
    return Section("", parts)


def _large(estimate: dict[str, Any], words: str, tone: Tone) -> tuple[str, str, str, Tone]:
    if estimate["value"] is None:
        return ("\u2013", words, "not measured", tone)
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return (f"{100 * estimate['value']:.1f} %", words, f"95 % interval {low:.1f} to {high:.1f} %", tone)


def _mistakes(report: dict[str, Any]) -> list[Table]:
    found = report.get("mistakes")
    if not found:
        return []
    rows = [[each["text"], each["truth"], each["guess"], f"{100 * each['score']:.1f} %",
             f"{100 * each['truth_score']:.1f} %"] for each in found]  # fmt: skip
    columns = ["text", "true label", "answered", "score of the answer", "score of the truth"]
    caption = (
        "Wrongly answered texts, the surest answer first: labels that are wrong in the data often stand at the top"
    )
    return [Table(columns, rows, caption)]


def _summary(report: dict[str, Any]) -> Section:
    rows = [
        [*figure(name, each, report["is_multi_label"]), each["method"]] for name, each in report["estimates"].items()
    ]
    warned = [f"Note: {sentence}" for sentence in report["warnings"]]
    return Section("Figures", [*warned, Table(["figure", "value", "interval by"], rows)])


def _classes(report: dict[str, Any]) -> Section:
    rows = sorted(report["classes"], key=lambda row: 2.0 if row["f1"]["value"] is None else row["f1"]["value"])
    columns = ["label", "texts", "answered", "precision", "recall", "F1"]
    cells = [[row["label"], row["n"], row["guessed"], *(percent(row[key]) for key in ("precision", "recall", "f1"))]
             for row in rows]  # fmt: skip
    if report["is_multi_label"]:
        columns += ["threshold", "average precision", "AUROC", "calibration error"]
        extra = [[f"{row['threshold']:.3f}", percent(row["average_precision"]), area(row["auroc"]),
                  percent(row["calibration_error"])] for row in rows]  # fmt: skip
        cells = [first + second for first, second in zip(cells, extra, strict=True)]
    table = Table(columns, cells, "Every label, the worst F1 first", folded=len(cells) > 30)
    return Section("Labels", [plots.labels(report["classes"]), table])


def _confusions(report: dict[str, Any]) -> Section | None:
    if report["confusion_matrix"] is None:
        return None
    texts: dict[tuple[str, str], list[str]] = {}
    for each in report.get("mistakes") or []:
        texts.setdefault((each["truth"], each["guess"]), []).append(each["text"])
    rows = [[row["truth"], row["guess"], row["n"], percent(row["share"]),
             *([" / ".join(texts.get((row["truth"], row["guess"]), [])[:2]) or None] if texts else [])]
            for row in report["confusions"]]  # fmt: skip
    columns = ["true label", "answered", "texts", "of this label's texts", *(["for example"] if texts else [])]
    table = Table(columns, rows, "The largest confusions")
    labels = [row["label"] for row in report["classes"]]
    sentence = [
        f"Most often, {each['truth']} is taken for {each['guess']}: {each['n']} texts, {percent(each['share'])} of its."
        for each in report["confusions"][:1]
    ]
    matrix = plots.confusion(report["confusion_matrix"], labels)
    tables = [table] if rows else ["No text of test is taken for another label."]
    return Section("Confusions", [*sentence, *tables, matrix, *_mistakes(report)])


def _calibration(report: dict[str, Any]) -> Section:
    found = report["estimates"]["calibration_error"]
    said = f"The scores are off by {percent(found, 2)} on average: that is the calibration error."
    if report["calibration"] is not None:
        said += f" A perfectly calibrated model would show {100 * report['calibration']['by_chance']:.2f} % by chance."
    rows = [[f"{row['low']:.2f} to {row['high']:.2f}", row["n"], f"{row['confidence']:.3f}", area(row["accuracy"])]
            for row in report["reliability"]]  # fmt: skip
    table = Table(["scores", "number", "mean score", "share right"], rows, "The bins", folded=True)
    return Section("Calibration", [said, plots.reliability(report["reliability"], report["is_multi_label"]), table])


def _abstaining(report: dict[str, Any]) -> Section | None:
    found = report["abstaining"]
    if found is None:
        return None
    parts: list[Any] = [plots.abstaining(found)]
    for name in ("score", "margin"):
        target = found[name]["target"]
        if target is not None:
            parts.append(
                f"For {100 * target['wanted']:g} % accuracy by {name}: threshold {target['threshold']:.3f} (chosen on "
                f"{target['chosen_on']}) answers {percent(target['coverage'])} of the test texts, of these "
                f"{percent(target['accuracy'])} right."
            )
        rows = [[f"{each['threshold']:.4f}", percent(each["coverage"]), percent(each["accuracy"], 2)]
                for each in found[name]["points"]]  # fmt: skip
        caption = f"By {name}; area under error over coverage {percent(found[name]['area'], 2)}"
        parts.append(Table(["threshold", "answered", "accuracy of these"], rows, caption, folded=True))
    if found["shipped"] is not None:
        shipped = found["shipped"]
        said = (
            f"The package itself abstains below a score of {shipped['threshold']:.3f}: it answers "
            f"{percent(shipped['coverage'])} of the texts, of these {percent(shipped['accuracy'], 2)} right."
        )
        parts.insert(0, said)
    return Section("Abstaining", parts)


def _slices(report: dict[str, Any]) -> Section | None:
    if not report["slices"]:
        return None

    def verdict(row: dict[str, Any]) -> Badge:
        if row["is_small"]:
            return Badge("too small", "quiet")
        if row["p_adjusted"] >= 0.05:
            return Badge("as the whole", "quiet")
        return Badge("worse", "bad") if row["gap"]["value"] < 0 else Badge("better", "good")

    rows = [
        [
            row["slice"],
            row["value"],
            row["n"],
            percent(row["estimate"]),
            points(row["gap"]),
            chance(row["p_adjusted"]),
            verdict(row),
        ]
        for row in report["slices"]
    ]
    drawn = [(f"{row['slice']}: {row['value']}", row["gap"]) for row in report["slices"] if not row["is_small"]]
    parts: list[Any] = [
        "Differences of parts of the test texts to all of them, in "
        f"{report['slices'][0]['figure'].replace('_', ' ')}. The "
        "p values are corrected for looking at all slices at once; a slice that is too small may hide anything."
    ]
    if drawn:
        worst = sorted(drawn, key=lambda each: each[1]["value"])[:SLICES_DRAWN]
        caption = "Gap of each slice to the whole: green is better, red worse, grey not told apart."
        parts.append(plots.bars(worst, caption, "Bars of differences with intervals.", "percentage points"))
    parts.append(
        Table(["slice", "value", "texts", "figure", "gap in points", "p, corrected", ""], rows, folded=len(rows) > 40)
    )
    return Section("Slices", parts)


def _robustness(report: dict[str, Any]) -> Section | None:
    if not report["robustness"]:
        return None
    ordered = sorted(report["robustness"], key=lambda row: row["change"]["value"])
    rows = [
        [
            row["name"],
            row["example"],
            row["n"],
            *(percent(row["accuracy"]), points(row["change"]), percent(row["flips"])),
        ]
        for row in ordered
    ]
    caption = "Change when the same texts are written differently: red is a significant loss."
    changes = [(row["name"], row["change"]) for row in ordered]
    drawn = plots.bars(changes, caption, "Bars of changes with intervals.", "percentage points")
    columns = ["change", "example", "texts", "figure after", "change in points", "answer is another"]
    return Section("Robustness", [drawn, Table(columns, rows, "Only texts that the change does change; in pairs")])


def _out_of_scope(report: dict[str, Any]) -> Section | None:
    found = report["out_of_scope"]
    if found is None:
        return None
    rows = [
        [row["name"], area(row["auroc"]), area(row["aupr_in"]), area(row["aupr_out"]), percent(row["fpr_at_95"])]
        for row in found["scores"]
    ]
    columns = ["by", "AUROC", "AUPR of texts in scope", "AUPR of texts out of scope", "wrongly accepted at 95 %"]
    floors = [
        [row["name"], f"{row['threshold']:.4g}", *(percent(row[key]) for key in ("kept", "rejected", "accuracy_kept"))]
        for row in found["scores"]
    ]
    effects = ["by", "threshold", "in scope kept", "out of scope refused", "accuracy of kept"]
    said = (
        f"{found['n_out']:,} texts that belong to no label against {found['n_in']:,} that do: how well a low "
        "score gives the "
        f"former away. Best by AUROC: {found['best']}. The threshold keeps 95 % of the in-scope texts it was chosen on "
        f"({found['scores'][0]['chosen_on']})."
    )
    tables = [Table(columns, rows), Table(effects, floors, "What a threshold on each score does")]
    return Section("Out of scope", [said, *tables])


def _speed(report: dict[str, Any]) -> Section | None:
    found = report["speed"]
    if found is None:
        return None
    on = found["machine"]
    steal = "unknown" if found["steal"] is None else f"{100 * found['steal']:.1f} %"
    said = (
        f"{on['processor'] or on['system']}, {on['cores']} cores, "
        f"{', '.join(on['instructions']) or 'instruction sets unknown'}; "
        f"load {found['load_before']} before and {found['load_after']} after, {steal} of the time taken by the "
        "host. Measured "
        "in Python with the tokenizer; `make bench` measures the classifier itself."
    )
    single = [[row["tokens"], row["threads"], number(row["p50_ms"]), number(row["p99_ms"])] for row in found["single"]]
    batch = [
        [row["threads"], row["texts"], f"{row['tokens']:.1f}", rate(row["texts_per_second"])] for row in found["batch"]
    ]
    return Section("Speed", [
        said, Table(["tokens", "threads", "p50, ms", "p99, ms"], single, "One text at a time"),
        Table(["threads", "texts at once", "mean tokens", "texts a second"], batch, "Many texts at once"),
    ])  # fmt: skip


def _method(report: dict[str, Any]) -> Section:
    data = report["data"]
    times = (
        ""
        if data["evaluations"] is None
        else f" This run folder saw {data['evaluations']} evaluation(s) on these texts."
    )
    return Section("Method", [
        f"Test fingerprint {data['fingerprint']}; model {report['package']['model_sha256']}.{times}",
        "Shares: Wilson's interval. Differences of shares: Newcombe's; in pairs: Bonett and Price's. AUROC: "
        "DeLong's or "
        "bootstrap. All else: stratified bootstrap of the texts, percentiles; of calibration errors with the "
        "bootstrap's own "
        "bias taken off. Many tests at once are corrected by Benjamini and Hochberg's method.",
    ])  # fmt: skip
