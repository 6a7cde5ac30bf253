"""How far each judge can be trusted: the figures of its card, measured on people that it was not trained on, next to what it says."""

from __future__ import annotations

from typing import Any

from textedit_core.errors import UserError

IDENTITY = "identity"
# The figure of an attribute that fits how the evaluation reads it; the first that the card has is taken.
_PREFERRED = ("accuracy", "mean_absolute_error")
_WORDS = {
    "accuracy": "accuracy",
    "accuracy_child": "accuracy below 13 years",
    "accuracy_old": "accuracy from 60 years",
    "mean_absolute_error": "mean absolute error",
}
# Age is read as a decision by these prompts.
_BY_PROMPT = {"child": "accuracy_child", "aged": "accuracy_old"}


def judge_figure(card: dict[str, Any], name: str, prompt: str | None = None) -> dict[str, Any]:
    """Returns the held-out figure that stands beside a verdict.

    Args:
        card: of the judges.
        name: an attribute, or IDENTITY for telling people apart.
        prompt: the prompt whose verdict reads it, since a decision about age is surer than the age.

    Returns:
        name, metric (in words), value, low, high, n, and softened: the same figure on blurred pictures, which are closer to what a compact
        decoder draws; None where the card has none.

    Raises:
        UserError: the card lacks the attribute.
    """
    group, key = ("identity", "all") if name == IDENTITY else ("attributes", name)
    try:
        figures = card[group][key]
        preferred = ([_BY_PROMPT[prompt]] if prompt in _BY_PROMPT else []) + list(_PREFERRED)
        metric = next(metric for metric in preferred if metric in figures)
    except (KeyError, TypeError, StopIteration):
        raise UserError(f"the judges' card has no figure for {name!r}; measure the judges again") from None
    softened = ((card.get(f"{group}_softened") or {}).get(key) or {}).get(metric)
    return {"name": name, "metric": _WORDS[metric], **figures[metric], "softened": softened["value"] if softened else None}


def in_words(figure: dict[str, Any]) -> str:
    """A figure of `judge_figure` as `smile: accuracy 98.1% (n 1200; 97.0% on blurred pictures)`."""
    value = _number(figure["metric"], figure["value"])
    softened = f"; {_number(figure['metric'], figure['softened'])} on blurred pictures" if figure["softened"] is not None else ""
    return f"{figure['name']}: {figure['metric']} {value} (n {figure['n']}{softened})"


def _number(metric: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3g}" if metric == _WORDS["mean_absolute_error"] else f"{100 * value:.1f}%"
