"""How an edit is trained: the general recipe, and that of each reference prompt."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EditorTraining:
    """How an edit is trained: the forms and weights of its loss, and what it looks at.

    loss = loss1 + latent_weight * loss2 + identity_weight * loss3 + picture_weight * loss_pic + directional * loss_dir
           + contrastive * loss_con

    loss1 is the text match (`text_match`), loss2 the latent change (`latent_norm`), loss3 the identity distance (`identity_form`) to the
    photo or its reconstruction (`identity_target`), loss_pic the change of the picture. loss_dir follows the text direction whatever its
    length; loss_con asks the edited image to be nearer to its target than to its neutral text and to the reference prompts' texts.

    `anchor="text"`: loss1 matches the text embedding. `"source"`: it matches source + (text - neutral), that is the unedited image moved
    along the text direction, which asks for the change alone and for all of it. `groups` are the level groups that may move; the others
    keep an editor that returns zero.

    `faces` of the training photos, spread evenly over the people, are encoded once and kept beside the run. The perception networks
    see each face in `views` ways (the first is the picture itself, the others are jittered), the unedited and the edited face in the same
    way, so that an editor cannot please them by a pattern that a shift destroys. After training the editor is scaled so that strength 1
    reaches the share `completion` of the most that it reaches up to strength 2 (0: no calibration).
    """

    faces: int = 1500
    views: int = 3
    groups: tuple[str, ...] = ("coarse", "medium", "fine")
    text_match: str = "cosine"
    anchor: Literal["text", "source"] = "source"
    directional: float = 0.5
    contrastive: float = 0.0
    latent_norm: str = "mahalanobis"
    latent_weight: float = 3.0
    identity_form: str = "cosine"
    identity_target: Literal["photo", "reconstruction"] = "reconstruction"
    identity_weight: float = 0.2
    picture_weight: float = 1.0
    completion: float = 0.9


# What a prompt changes decides what may change and how much: a smile and a child are other shapes, a sketch is another medium. Coarse
# levels turn and move the head, which no expression needs; fine levels hold colour and contrast, by which a shape can please the
# text-image model without becoming one. The smaller the part of the picture that the text speaks of, the dearer is the rest of it.
_EXPRESSION = EditorTraining(groups=("medium",), identity_weight=0.5, picture_weight=3.0)
_FAINT_EXPRESSION = EditorTraining(groups=("medium",), latent_weight=0.3)
_COLOUR = EditorTraining(groups=("medium", "fine"))
EDITOR_RECIPES: dict[str, EditorTraining] = {
    "smile": dataclasses.replace(_EXPRESSION, picture_weight=4.0),
    "laughing": _EXPRESSION,
    "surprised": _EXPRESSION,
    "sad": dataclasses.replace(_FAINT_EXPRESSION, picture_weight=2.0),
    "angry": dataclasses.replace(_FAINT_EXPRESSION, picture_weight=3.0),
    "eyes_closed": _FAINT_EXPRESSION,
    "child": EditorTraining(groups=("coarse", "medium"), identity_weight=0.3, picture_weight=0.2),
    "aged": EditorTraining(identity_weight=0.05, picture_weight=0.3),
    "glasses": EditorTraining(identity_weight=0.1, picture_weight=2.0),
    "sketch": EditorTraining(identity_weight=0.05, picture_weight=0.0),
    "cartoon": EditorTraining(identity_weight=0.05, picture_weight=0.5),
    "blond": _COLOUR,
    "black_hair": _COLOUR,
    "red_hair": _COLOUR,
    "grey": _COLOUR,
}
