"""A parametric head: age, gender, ethnicity, shape and expression targets on the base mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textedit_core.errors import UserError
from textedit_core.synthetic.assets import Target, Wavefront
from textedit_core.synthetic.meshes import Points

ETHNICITIES = ("african", "asian", "caucasian")
# Ages at which the macro targets are modelled (years).
_AGE_KEYS = (("baby", 1.0), ("child", 10.0), ("young", 25.0), ("old", 90.0))


@dataclass(frozen=True)
class Build:
    """What selects the macro targets.

    Attributes:
        age_years: 1 to 90.
        gender: 0 female, 1 male.
        ethnicity: weights of african, asian, caucasian; they sum to 1.
        muscle: 0 to 1.
        weight: 0 to 1.
    """

    age_years: float
    gender: float
    ethnicity: tuple[float, float, float]
    muscle: float
    weight: float


def age_weights(age_years: float) -> dict[str, float]:
    """Splits an age between its two neighbouring modelled ages, linearly.

    Raises:
        ValueError: the age is outside 1 to 90 years.
    """
    if not 1.0 <= age_years <= 90.0:
        raise ValueError(f"age {age_years} is outside 1 to 90 years")
    for (younger, low), (older, high) in zip(_AGE_KEYS, _AGE_KEYS[1:], strict=False):
        if age_years <= high:
            share = (age_years - low) / (high - low)
            return {younger: 1.0 - share, older: share}
    return {"old": 1.0}


def _three_levels(value: float, noun: str) -> dict[str, float]:
    return {
        f"min{noun}": max(0.0, 1.0 - 2.0 * value),
        f"average{noun}": 1.0 - abs(2.0 * value - 1.0),
        f"max{noun}": max(0.0, 2.0 * value - 1.0),
    }


def macro_weights(build: Build) -> dict[str, float]:
    """Returns target name -> weight for a build; the weights of each family sum to 1."""
    weights: dict[str, float] = {}
    genders = {"female": 1.0 - build.gender, "male": build.gender}
    muscles = _three_levels(build.muscle, "muscle")
    masses = _three_levels(build.weight, "weight")
    for gender, gender_weight in genders.items():
        for age, age_weight in age_weights(build.age_years).items():
            part = gender_weight * age_weight
            for ethnicity, share in zip(ETHNICITIES, build.ethnicity, strict=True):
                weights[f"macrodetails/{ethnicity}-{gender}-{age}"] = part * share
            for muscle, muscle_weight in muscles.items():
                for mass, mass_weight in masses.items():
                    name = f"macrodetails/universal-{gender}-{age}-{muscle}-{mass}"
                    weights[name] = part * muscle_weight * mass_weight
    return weights


@dataclass(frozen=True)
class ShapeModifier:
    """One symmetric shape axis: targets for negative and positive values, and its standard deviation."""

    name: str
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    sigma: float


def _axis(folder: str, stem: str, low: str, high: str, sigma: float) -> ShapeModifier:
    sides = ("l-", "r-") if folder in ("eyes", "cheek") else ("",)
    negative = tuple(f"{folder}/{side}{stem}-{low}" for side in sides)
    positive = tuple(f"{folder}/{side}{stem}-{high}" for side in sides)
    return ShapeModifier(stem, negative, positive, sigma)


def _axes(folder: str, low: str, high: str, entries: Sequence[tuple[str, float]]) -> tuple[ShapeModifier, ...]:
    return tuple(_axis(folder, stem, low, high, sigma) for stem, sigma in entries)


# Amplitudes: head proportions look grotesque above 0.2, nose, mouth and eyes bear about 0.35.
SHAPE_MODIFIERS: tuple[ShapeModifier, ...] = (
    *_axes("head", "decr", "incr", [
        ("head-scale-horiz", 0.2), ("head-scale-vert", 0.15), ("head-fat", 0.22), ("head-scale-depth", 0.15)]),
    ShapeModifier("head-oval-square", ("head/head-square",), ("head/head-oval",), 0.25),
    ShapeModifier("head-round-rectangular", ("head/head-rectangular",), ("head/head-round",), 0.2),
    ShapeModifier("head-triangular", ("head/head-invertedtriangular",), ("head/head-triangular",), 0.2),
    *_axes("nose", "decr", "incr", [
        ("nose-scale-vert", 0.33), ("nose-scale-horiz", 0.35), ("nose-scale-depth", 0.35), ("nose-volume", 0.25),
        ("nose-width1", 0.3), ("nose-width2", 0.3), ("nose-width3", 0.35), ("nose-flaring", 0.3),
        ("nose-hump", 0.3), ("nose-point-width", 0.3)]),
    *_axes("nose", "down", "up", [("nose-point", 0.3), ("nose-base", 0.3), ("nose-trans", 0.25)]),
    *_axes("mouth", "decr", "incr", [
        ("mouth-scale-horiz", 0.32), ("mouth-upperlip-height", 0.32), ("mouth-lowerlip-height", 0.32),
        ("mouth-upperlip-volume", 0.3), ("mouth-lowerlip-volume", 0.3), ("mouth-cupidsbow", 0.3)]),
    *_axes("mouth", "down", "up", [("mouth-trans", 0.25), ("mouth-angles", 0.2)]),
    *_axes("eyes", "decr", "incr", [("eye-scale", 0.25), ("eye-height2", 0.3), ("eye-bag", 0.2)]),
    *_axes("eyes", "in", "out", [("eye-trans", 0.22)]),
    *_axes("eyes", "down", "up", [
        ("eye-trans", 0.2), ("eye-corner1", 0.25), ("eye-corner2", 0.3), ("eye-eyefold", 0.3)]),
    *_axes("eyebrows", "down", "up", [("eyebrows-trans", 0.3), ("eyebrows-angle", 0.2)]),
    *_axes("cheek", "decr", "incr", [("cheek-volume", 0.25), ("cheek-bones", 0.3)]),
    *_axes("chin", "decr", "incr", [
        ("chin-height", 0.25), ("chin-width", 0.3), ("chin-prominent", 0.28), ("chin-jaw-drop", 0.25),
        ("chin-bones", 0.3)]),
    *_axes("forehead", "decr", "incr", [("forehead-scale-vert", 0.18)]),
)
SHAPE_NAMES: tuple[str, ...] = tuple(
    f"{axis.name}-{'vertical' if axis.positive[0].endswith('-up') else 'size'}" for axis in SHAPE_MODIFIERS
)


def shape_weights(shape: Sequence[float]) -> dict[str, float]:
    """Returns target weights for one value per entry of `SHAPE_MODIFIERS`.

    Raises:
        ValueError: the number of values is wrong.
    """
    if len(shape) != len(SHAPE_MODIFIERS):
        raise ValueError(f"a shape has {len(SHAPE_MODIFIERS)} values, not {len(shape)}")
    weights: dict[str, float] = {}
    for axis, value in zip(SHAPE_MODIFIERS, shape, strict=True):
        for name in axis.positive if value > 0 else axis.negative:
            weights[name] = weights.get(name, 0.0) + abs(value)
    return weights


def expression_weights(units: Mapping[str, float], ethnicity: Sequence[float]) -> dict[str, float]:
    """Spreads expression units over the three ethnic variants of their targets."""
    return {
        f"expression/{name}/{unit}": value * share
        for unit, value in units.items()
        for name, share in zip(ETHNICITIES, ethnicity, strict=True)
    }


def apply_targets(base: NDArray[np.floating], targets: Mapping[str, Target], weights: Mapping[str, float]) -> Points:
    """Adds weighted targets to base positions [V, 3]; returns float32 [V, 3].

    Raises:
        UserError: a target is missing.
    """
    points = base.astype(np.float32)
    for name, weight in weights.items():
        if abs(weight) < 1e-4:
            continue
        if name not in targets:
            raise UserError(f"the asset tree has no target {name}; clone makehuman completely")
        target = targets[name]
        points[target.index] += np.float32(weight) * target.delta
    return points


class LandmarkFinder:
    """Locates five face landmarks, the chin and the neck on the base mesh topology."""

    def __init__(self, base: Wavefront, targets: Mapping[str, Target]) -> None:
        """Finds the vertices once, from joint groups and from what the targets move."""
        groups = np.array(base.groups)
        self._eyes = [np.unique(base.faces[groups == f"joint-{side}-eye"]) for side in ("r", "l")]
        self._neck = np.unique(base.faces[groups == "joint-neck"])
        body = np.unique(base.faces[groups == "body"])
        self._corners = [self._mouth_corner(base, targets, body, sign) for sign in (-1.0, 1.0)]
        front = body[(np.abs(base.vertices[body, 0]) < 0.02) & (base.vertices[body, 1] > 6.0)]
        self._nose = int(front[np.argmax(base.vertices[front, 2])])
        self._chin = self._lowest_front(base, targets, body)

    @staticmethod
    def _mouth_corner(
        base: Wavefront, targets: Mapping[str, Target], body: NDArray[np.int64], sign: float
    ) -> int:
        target = targets["mouth/mouth-scale-horiz-incr"]
        ours = np.isin(target.index, body)
        index, delta = target.index[ours], target.delta[ours]
        return int(index[np.argmax(sign * delta[:, 0])])

    @staticmethod
    def _lowest_front(base: Wavefront, targets: Mapping[str, Target], body: NDArray[np.int64]) -> int:
        target = targets["chin/chin-height-incr"]
        middle = target.index[np.isin(target.index, body) & (np.abs(base.vertices[target.index, 0]) < 0.05)]
        front = middle[base.vertices[middle, 2] > base.vertices[middle, 2].max() - 0.4]
        return int(front[np.argmin(base.vertices[front, 1])])

    def landmarks(self, points: Points) -> Points:
        """Returns [5, 3]: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner."""
        pupil = np.array([0.0, 0.0, 0.12], np.float32)
        eyes = [points[index].mean(axis=0) + pupil for index in self._eyes]
        return np.stack([*eyes, points[self._nose], *(points[index] for index in self._corners)])

    def chin(self, points: Points) -> Points:
        """Returns the lowest front point of the chin [3]."""
        return points[self._chin]

    def neck(self, points: Points) -> Points:
        """Returns the neck joint [3]."""
        return points[self._neck].mean(axis=0)
