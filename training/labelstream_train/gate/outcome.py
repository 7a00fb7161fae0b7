"""Turns a metric and a limit into an outcome, with a sentence that states both."""

from math import ceil

from ..package.verdict import Outcome
from .measurements import Measurement
from .rules import Ceiling, Floor, Milliseconds, Rule

Z_SQUARED = 1.959964**2

ENDS = {"value": "", "low": " for its lower end", "high": " for its upper end"}


def at_least(name: str, words: str, figure: Measurement, rule: Floor) -> Outcome:
    """Passes if the metric, or the end of its interval that the rule uses, is at least `min`."""
    passed = figure.end(rule.use) >= rule.min
    asked = f"the minimum is {number(rule.min)}{ENDS[rule.use]}"
    if not passed and figure.value >= rule.min and (needed := texts_needed(figure, rule.min)):
        asked += f"; {figure.n} texts are too few to show it, about {needed:,} would be enough"
    return Outcome(name, figure.value, figure.interval, rule.min, passed, f"{words} is {described(figure)}; {asked}")


def texts_needed(figure: Measurement, least: float) -> int | None:
    """How many texts would bring the interval of the same metric above `least`: it narrows with their square root."""
    if not figure.n or not figure.low < least < figure.value:
        return None
    if figure.value >= 1.0:  # Wilson's lower end of n out of n is n / (n + z squared)
        return ceil(least * Z_SQUARED / (1 - least))
    return ceil(figure.n * ((figure.value - figure.low) / (figure.value - least)) ** 2)


def at_most(name: str, words: str, figure: Measurement, rule: Ceiling | Milliseconds) -> Outcome:
    """Passes if the metric, or the end of its interval that the rule uses, is at most `max`."""
    passed = figure.end(rule.use) <= rule.max
    asked = f"the maximum is {number(rule.max)}{ENDS[rule.use]}"
    return Outcome(name, figure.value, figure.interval, rule.max, passed, f"{words} is {described(figure)}; {asked}")


def missing(name: str, rule: Rule, why: str) -> Outcome:
    """The metric was not measured: a failure, unless the rule is optional."""
    limit = next((float(getattr(rule, key)) for key in ("min", "max", "margin") if hasattr(rule, key)), None)
    if rule.optional:
        return Outcome(name, None, None, limit, True, f"skipped: {why}; the rule is optional", skipped=True)
    return Outcome(
        name, None, None, limit, False, f"not measured: {why}; to allow that, set `optional = true` for the rule"
    )


def described(figure: Measurement) -> str:
    """`0.941 (95 % interval 0.932 to 0.948)`, and what it is about."""
    text = number(figure.value)
    if figure.interval is not None:
        text += f" (95 % interval {number(figure.low)} to {number(figure.high)})"
    return f"{text} for {figure.what}" if figure.what else text


def number(value: float) -> str:
    """Four decimals for shares, thousands separators for integers."""
    if value == int(value) and abs(value) >= 1000:
        return f"{int(value):,}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
