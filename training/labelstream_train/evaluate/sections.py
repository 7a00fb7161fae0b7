"""The report as one HTML page: every table and figure of report.json, each number with its interval."""

from typing import Any

from ..package.verdict import Verdict
from ..page import Section, page
from . import answers_sections as answers
from . import conditions_sections as conditions
from .bias_section import bias
from .champion_section import champion
from .headline import headline
from .learning_section import learning


def html(report: dict[str, Any], verdict: Verdict | None = None, compared: dict[str, Any] | None = None) -> str:
    """The whole page of a report, as `report.read` gives it; the gate adds its verdict, and `compared`, the
    comparison with the package in use."""
    package, data = report["package"], report["data"]
    lead = (
        f"{package['name']} {package['version']}: {package['labels']} labels, {package['bytes'] / 1e6:.1f} MB, on "
        f"{data['texts']:,} test texts of {data['name']}. Intervals are 95 %; they cover the choice of test texts, not "
        "that of the training seed."
    )
    made = [
        headline(report, verdict),
        champion(compared, report["is_multi_label"]),
        answers.figures(report),
        answers.labels(report),
        answers.confusions(report),
        learning(report),
        answers.calibration(report),
        answers.abstaining(report),
        conditions.slices(report),
        conditions.robustness(report),
        bias(report),
        conditions.out_of_scope(report),
        conditions.speed(report),
        _method(report),
    ]
    return page(f"Evaluation of {package['name']}", [each for each in made if each is not None], lead)


def _method(report: dict[str, Any]) -> Section:
    data = report["data"]
    times = (
        ""
        if data["evaluations"] is None
        else f" This run folder has evaluated {data['evaluations']} time(s) on these texts."
    )
    return Section("Method", [
        f"Test fingerprint {data['fingerprint']}; model {report['package']['model_sha256']}.{times}",
        "Shares: Wilson's interval. Differences of shares: Newcombe's; in pairs: Bonett and Price's. AUROC: "
        "DeLong's or bootstrap. Others: stratified percentile bootstrap of the texts, bias-corrected for calibration "
        "errors. Multiple tests are corrected by the method of Benjamini and Hochberg.",
    ])  # fmt: skip
