"""How accurate the judges are on people whom they never saw; the result is the card that stands beside their verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from textedit_core.judges.attribute_table import ATTRIBUTES, Attribute, seen, targets_of
from textedit_core.judges.augmentation import blurred
from textedit_core.judges.intervals import mean_figure
from textedit_core.judges.stages import Faces
from textedit_core.judges.store import Judges
from textedit_core.judges.verification import verification

# A share counts as shown from here on: the smile of the captions, a probability's middle. A hint lies below and above zero.
SHOWN_FROM = 0.5
# Decisions about age that evaluations take, in years.
CHILD_BELOW, OLD_FROM = 13.0, 60.0
# A compact decoder's pictures are about this soft: the standard deviation of a blur, as a fraction of the side.
SOFTNESS = 1.2 / 128
_BATCH = 64


def measure_judges(judges: Judges, data: Faces) -> dict[str, Any]:
    """Measures both judges on a dataset's split that they were not trained on.

    Returns:
        The card. Every figure is {value, low, high, n}: a 95% bootstrap interval over people, n pictures or pairs.

        attributes[NAME]: shares have accuracy (at 0.5), accuracy_clear (without hints, 0 < truth < 0.5), true_positive_rate,
        true_negative_rate and mean_absolute_error; quantities mean_absolute_error and, for age_years, accuracy_child (below 13 years)
        and accuracy_old (from 60); choices accuracy. attributes_softened: the same on blurred pictures.
        identity, identity_softened: see `verification.verification`.
        images, people: how many there are.
    """
    labels = [label["attributes"] for label in data.labels]
    people = data.identities.numpy()
    card: dict[str, Any] = {"images": len(data), "people": int(data.num_identities)}
    for suffix, sigma in (("", 0.0), ("_softened", SOFTNESS)):
        values, embeddings = _verdicts(judges, data, sigma)
        card[f"attributes{suffix}"] = _attribute_figures(values, labels, people)
        card[f"identity{suffix}"] = verification(embeddings.numpy(), people, labels)
    return card


def _verdicts(judges: Judges, data: Faces, softness: float) -> tuple[dict[str, Tensor], Tensor]:
    values: list[dict[str, Tensor]] = []
    embeddings: list[Tensor] = []
    console = Console(stderr=True)
    for rows in track(torch.arange(len(data)).split(_BATCH), f"judging {len(data)} pictures", console=console):
        images = data.images(rows)
        if softness:
            images = blurred(images, torch.full((len(images),), softness * images.shape[-1]))
        values.append(judges.attributes(images))
        embeddings.append(judges.identity(images))
    return {name: torch.cat([value[name] for value in values]) for name in values[0]}, torch.cat(embeddings)


def _attribute_figures(values: dict[str, Tensor], labels: list[dict[str, Any]], people: NDArray[np.int64]) -> dict[str, Any]:
    targets = targets_of(labels)
    figures = {}
    for attribute in ATTRIBUTES:
        shown = seen(attribute, labels).numpy()
        value, target = values[attribute.name].numpy()[shown], targets[attribute.name].numpy()[shown]
        figures[attribute.name] = _FIGURES[attribute.kind](attribute, value, target, people[shown])
    return figures


def _share(attribute: Attribute, value: NDArray[Any], target: NDArray[Any], people: NDArray[np.int64]) -> dict[str, Any]:
    right = ((value >= SHOWN_FROM) == (target >= SHOWN_FROM)).astype(float)
    positive, absent = target >= SHOWN_FROM, target == 0.0
    clear = positive | absent
    if attribute.name == "melanin":
        return {"mean_absolute_error": mean_figure(np.abs(value - target), people)}
    return {
        "accuracy": mean_figure(right, people),
        "accuracy_clear": mean_figure(right[clear], people[clear]),
        "true_positive_rate": mean_figure(right[positive], people[positive]),
        "true_negative_rate": mean_figure(right[absent], people[absent]),
        "mean_absolute_error": mean_figure(np.abs(value - target), people),
    }


def _quantity(attribute: Attribute, value: NDArray[Any], target: NDArray[Any], people: NDArray[np.int64]) -> dict[str, Any]:
    figures = {"mean_absolute_error": mean_figure(np.abs(value - target), people)}
    if attribute.name == "age_years":
        for name, years in (("accuracy_child", CHILD_BELOW), ("accuracy_old", OLD_FROM)):
            figures[name] = mean_figure(((value < years) == (target < years)).astype(float), people)
    return figures


def _choice(attribute: Attribute, value: NDArray[Any], target: NDArray[Any], people: NDArray[np.int64]) -> dict[str, Any]:
    right = (value.argmax(axis=1) == target).astype(float)
    figures: dict[str, Any] = {"accuracy": mean_figure(right, people)}
    for index, name in enumerate(attribute.choices):
        figures[f"true_positive_rate_{name}"] = mean_figure(right[target == index], people[target == index])
    return figures


_FIGURES = {"share": _share, "quantity": _quantity, "choice": _choice}
