"""The metrics of a report as flat numbers: `metrics` of labelstream.json.

Timings are left out: they belong to a machine, not to the package, and would change its digest at every measurement.
"""

from typing import Any


def flat(report: dict[str, Any]) -> dict[str, float]:
    """NAME, NAME_low and NAME_high of each estimate, shares 0..=1.

    Names start with `test_`, `out_of_scope_` or `bias_`.
    """
    found: dict[str, float] = {"n_test": report["data"]["texts"]}
    for name, estimate in report["estimates"].items():
        _add(found, f"test_{name}", estimate)
    outside = report["out_of_scope"]
    if outside is not None:
        found["n_out_of_scope"] = outside["n_out"]
        for row in outside["scores"]:
            _add(found, f"out_of_scope_auroc_{row['name']}", row["auroc"])
    if report["bias"] is not None:
        _add(found, "bias_flip_rate", report["bias"]["flip_rate"])
    return found


def _add(found: dict[str, float], name: str, estimate: dict[str, Any]) -> None:
    if estimate["value"] is not None:
        found |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
