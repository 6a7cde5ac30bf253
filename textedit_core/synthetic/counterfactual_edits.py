"""The exact answer to an edit: the same scene with one attribute changed, and the scenes that such edits start from.

An edit is a function of a scene; what it leaves open (which smile, which frame, which age) follows from the scene itself, so that an
edit has one answer per person. The names are those of the prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from textedit_core.errors import unknown_name
from textedit_core.synthetic.attributes import attributes
from textedit_core.synthetic.scene import EXPRESSIONS, GLASSES, HAIR_SHADES, SceneParameters

Edit = Callable[[SceneParameters], SceneParameters]

SOURCE_AGES = (18.0, 45.0)
CHILD_AGES = (6.0, 11.0)
AGED_AGES = (70.0, 80.0)
# Of a person in full: clear enough that everybody would name it.
_SMILES = (0.8, 1.0)
# Linear RGB: black, dark brown, steel, gold, dark red, navy.
_FRAMES = ((0.015, 0.015, 0.017), (0.07, 0.03, 0.015), (0.25, 0.26, 0.28), (0.35, 0.25, 0.11), (0.13, 0.015, 0.02), (0.02, 0.03, 0.10))


def _draws(scene: SceneParameters, name: str) -> np.random.Generator:
    """A random stream that belongs to this scene and this edit."""
    text = json.dumps([name, scene.to_dict()], sort_keys=True)
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return round(float(rng.uniform(*limits)), 2)


def smile(scene: SceneParameters) -> SceneParameters:
    """A clear smile, with closed lips or showing the teeth."""
    rng = _draws(scene, "smile")
    kind = "smile_toothy" if rng.random() < 0.5 else "smile_closed"
    return scene.with_expression({kind: _between(rng, _SMILES)})


def child(scene: SceneParameters) -> SceneParameters:
    """The same person as a child, 6 to 11 years old, who has no beard and wears no lipstick."""
    return replace(scene, age_years=_between(_draws(scene, "child"), CHILD_AGES), stubble=0.0, lipstick=0.0)


def aged(scene: SceneParameters) -> SceneParameters:
    """The same person 70 to 80 years old; the hair greys as everybody's does in this world."""
    return replace(scene, age_years=_between(_draws(scene, "aged"), AGED_AGES))


def sketch(scene: SceneParameters) -> SceneParameters:
    """The same picture as a pencil sketch."""
    return scene.with_style("sketch")


def cartoon(scene: SceneParameters) -> SceneParameters:
    """The same picture as a cartoon."""
    return scene.with_style("cartoon")


def glasses(scene: SceneParameters) -> SceneParameters:
    """The same person wearing glasses."""
    rng = _draws(scene, "glasses")
    return replace(scene, glasses=int(rng.integers(1, len(GLASSES))), glasses_color=_FRAMES[rng.integers(len(_FRAMES))])


def blond(scene: SceneParameters) -> SceneParameters:
    """The same person with blond hair."""
    return replace(scene, hair_color=HAIR_SHADES["blond"], hair_grey=0.0)


def grey(scene: SceneParameters) -> SceneParameters:
    """The same person with grey hair, no older."""
    return replace(scene, hair_grey=1.0)


def surprised(scene: SceneParameters) -> SceneParameters:
    """Raised brows and an open mouth."""
    return scene.with_expression({"brow_raise": 0.9, "mouth_open": 0.6})


def sad(scene: SceneParameters) -> SceneParameters:
    """The corners of the mouth down, the inner brows up."""
    return scene.with_expression({"sad": 0.8})


def angry(scene: SceneParameters) -> SceneParameters:
    """Lowered brows and pressed lips."""
    return scene.with_expression({"angry": 0.8})


def eyes_closed(scene: SceneParameters) -> SceneParameters:
    """Both eyes shut."""
    return scene.with_expression({"eyes_closed": 1.0})


EDITS: dict[str, Edit] = {
    "smile": smile,
    "child": child,
    "aged": aged,
    "sketch": sketch,
    "cartoon": cartoon,
    "glasses": glasses,
    "blond": blond,
    "grey": grey,
    "surprised": surprised,
    "sad": sad,
    "angry": angry,
    "eyes_closed": eyes_closed,
}
SHIPPED_EDITS: tuple[str, ...] = ("smile", "child", "aged", "sketch", "cartoon", "glasses", "blond")


def edit_named(name: str) -> Edit:
    """Returns an edit.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in EDITS:
        raise unknown_name("edit", name, list(EDITS), "the edits are")
    return EDITS[name]


def source_scene(view: SceneParameters, rng: np.random.Generator) -> SceneParameters | None:
    """Turns a random view into one that every edit changes: a photo of an adult at rest, 18 to 45 years old, without glasses.

    Returns:
        The scene, or None when the person is bald, blond or grey already.
    """
    rest = view.with_style("photo").with_expression(dict.fromkeys(EXPRESSIONS, 0.0))
    scene = replace(rest, glasses=0, hair_grey=0.0, age_years=_between(rng, SOURCE_AGES))
    return None if attributes(scene)["hair_color"] in ("bald", "blond", "grey") else scene
