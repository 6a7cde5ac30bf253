"""Truthful English captions of scenes."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

import numpy as np

from textedit_core.synthetic.attributes import hair_color_word
from textedit_core.synthetic.scene import EYES, HAIRS, SceneParameters

CHILD_BELOW_YEARS = 13.0
OLD_FROM_YEARS = 62.0
SMILE_FROM = 0.5
# Below this an expression is there, but no word fits.
_NAMEABLE = 0.4
_BEARD_FROM, _FRECKLES_FROM, _LIPSTICK_FROM = 0.45, 0.3, 0.3

# "cartoon sketch" is a name of the pencil sketch; a cartoon in colours has the other names.
_STYLES = {
    "photo": ("photo", "a photo", "portrait", "studio photo", "a studio photo"),
    "sketch": ("pencil sketch", "cartoon sketch", "pencil drawing", "line drawing", "sketch", "a pencil drawing"),
    "cartoon": ("cartoon", "a cartoon", "cartoon drawing", "a cartoon drawing", "a comic drawing"),
}
_NOUNS = {
    "girl": ("girl", "female child", "little girl"),
    "boy": ("boy", "male child", "little boy"),
    "child": ("child", "kid"),
    "woman": ("woman", "female adult", "lady"),
    "young woman": ("woman", "girl", "female adult", "young woman"),
    "old woman": ("old woman", "elderly woman", "woman", "female adult", "elderly lady"),
    "man": ("man", "male adult"),
    "young man": ("man", "young man", "male adult"),
    "old man": ("old man", "elderly man", "man", "male adult"),
    "adult": ("adult", "person"),
    "old adult": ("adult", "person", "old person", "elderly person"),
}
_MOODS: dict[str, tuple[str, ...]] = {
    "smiling": ("smiling", "with a smile", "with smile face", "happy", "with a happy face", "with a smiling face"),
    "laughing": ("laughing", "with a big smile", "with a toothy smile"),
    "neutral": ("with neutral face", "with a neutral face", "with a neutral expression", "serious", "not smiling"),
    "sad": ("sad", "with a sad face", "with a sad expression", "unhappy", "not smiling"),
    "angry": ("angry", "with an angry face", "with an angry expression", "frowning", "not smiling"),
    "surprised": ("surprised", "with a surprised face", "with a surprised expression", "astonished"),
    "open mouth": ("with open mouth", "with an open mouth"),
    "raised brows": ("with raised eyebrows", "with raised brows"),
}
_EYES_CLOSED = ("with closed eyes", "with eyes closed")
_GLASSES = ("with glasses", "wearing glasses", "in glasses", "with eyeglasses", "with spectacles")
_NO_GLASSES = ("without glasses", "with no glasses")
_FRECKLES = ("with freckles", "freckled")
_BEARD = ("with a beard", "with stubble", "unshaven", "bearded")
_STUBBLE = ("with stubble", "unshaven")
_LIPSTICK = ("with lipstick", "wearing lipstick", "with red lips")
_BALD = ("bald", "with a bald head", "with no hair")
# Of a ponytail hardly more than its beginning is seen from the front; a bob is neither short nor long.
_LENGTHS = {"long01": "long", "ponytail01": "", "bob": ""}
_BACKGROUND_WORDS = (
    "white", "grey", "dark grey", "blue", "light blue", "dark blue", "red", "pink", "green", "teal", "beige", "brown",
    "yellow", "purple",
)
_SKIN_WORDS = ("light", "medium", "dark")
_HAIR_WORDS = {"black": ("black",), "brown": ("brown",), "blond": ("blond", "blonde", "fair"), "red": ("red",),
               "grey": ("grey", "gray", "white")}
_PLAIN_SMILES = ("a smiling face", "smile face", "a smile", "a happy face")
_PLAIN_NEUTRAL = ("a neutral face", "neutral face", "a neutral expression")
_CONNECTIVES = (
    "a", "an", "of", "with", "and", "hair", "eyes", "skin", "background", "face", "in", "is", "the", "long", "short",
    "front", "tied", "back", "bob", ",",
)
_LONG_FORMS = (
    "{style} of {noun} {mood}", "{noun} {mood}", "{noun} with {hair} {mood}", "{style} of {noun} with {hair}",
    "{noun} with {eyes} {mood}", "{noun} with {skin} {mood}", "{style} of {noun} {mood} in front of a {background}",
    "{noun} with {hair} and {eyes}", "{style} of {noun} with {skin}", "{noun} {mood} , {style}",
    "{noun} with {hair} , {background}", "{noun}", "{style} of {noun}", "{noun} {mood}", "{noun} {wears}",
    "{noun} {wears} {mood}", "{style} of {noun} {wears}", "{noun} with {hair} , {wears}", "{noun} {mood} , {wears}",
    "{style} of {noun} with {hair} {wears}", "{noun} {detail}", "{style} of {noun} {detail}", "{noun} {detail} {mood}",
    "{noun} {detail} , {wears}", "{noun} with {hair} , {detail}", "{noun} {closed}", "{style} of {noun} {closed}",
    "{noun} {wears} , {style}", "{noun} with {skin} and {hair}", "{style} , {noun} {mood}",
)
_SLOT = re.compile(r"\{(\w+)\}")
# What may not hang in the air when the words after it are left out.
_DANGLING = re.compile(r"\s+(?:with|and|,)(?=\s*(?:$|,|and\b))")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def noun_kinds(scene: SceneParameters) -> tuple[str, str]:
    """Returns the keys of true nouns: by sex and age, and the sexless one."""
    male = scene.gender >= 0.5
    if scene.age_years < CHILD_BELOW_YEARS:
        return ("boy" if male else "girl", "child")
    sex, old = "man" if male else "woman", scene.age_years >= OLD_FROM_YEARS
    prefix = "young " if scene.age_years < 40.0 else "old " if old else ""
    return (prefix + sex, "old adult" if old else "adult")


def _noun(rng: np.random.Generator, scene: SceneParameters) -> str:
    specific, general = noun_kinds(scene)
    words = _NOUNS[specific if rng.random() < 0.85 else general]
    return _article(str(rng.choice(words)))


def mood_kinds(scene: SceneParameters) -> tuple[str, ...]:
    """Returns the keys of true moods; empty where an expression is too faint for a word."""
    if scene.smile >= SMILE_FROM:
        laughing = scene.smile_toothy >= 0.7 and scene.mouth_open > 0.2
        return ("smiling", "laughing") if laughing else ("smiling",)
    if max(scene.sad, scene.angry) >= _NAMEABLE:
        return ("sad",) if scene.sad > scene.angry else ("angry",)
    if scene.brow_raise >= 0.5 and scene.mouth_open >= 0.4:
        return ("surprised",)
    if scene.mouth_open >= _NAMEABLE:
        return ("open mouth",)
    if scene.brow_raise >= 0.6:
        return ("raised brows",)
    active = (scene.smile, scene.sad, scene.angry, scene.brow_raise, scene.mouth_open, scene.eyes_closed)
    return ("neutral",) if max(active) == 0.0 else ()


def mood_phrases(scene: SceneParameters) -> tuple[str, ...]:
    """Returns true mood phrases; empty where no word fits."""
    return tuple(phrase for kind in mood_kinds(scene) for phrase in _MOODS[kind])


def _mood(rng: np.random.Generator, scene: SceneParameters) -> str:
    phrases = mood_phrases(scene)
    if not phrases or rng.random() < 0.12:
        return ""
    # The plain wordings are the ones that people type; keep them frequent.
    favourite = {"smiling": "with smile face", "neutral": "with neutral face"}.get(mood_kinds(scene)[0])
    return favourite if favourite and rng.random() < 0.3 else str(rng.choice(phrases))


def _hair(rng: np.random.Generator, scene: SceneParameters) -> str:
    color = hair_color_word(scene)
    if color == "bald":
        return "a bald head"
    length = _LENGTHS.get(HAIRS[scene.hair], "short")
    shade = "" if scene.style == "sketch" else str(rng.choice(_HAIR_WORDS[color]))
    worn = str(rng.choice([f"{length} {shade}", length or shade, shade or length])).strip()
    tied = HAIRS[scene.hair] == "ponytail01" and (not worn or rng.random() < 0.3)
    return f"{worn} hair {'tied back' if tied else ''}".strip() if worn or tied else "a bob"


def background_word(scene: SceneParameters) -> str:
    """Returns the colour word of the backdrop."""
    # The square root is near to what the eye calls lightness.
    hue, saturation, value = colorsys.rgb_to_hsv(*np.sqrt(scene.background))
    if saturation < 0.08:
        return "white" if value > 0.81 else "grey" if value > 0.53 else "dark grey"
    if hue < 0.11 or hue > 0.92:
        if saturation < 0.26:
            return "beige" if 0.04 < hue < 0.5 else "pink"
        return "brown" if 0.045 < hue < 0.5 else "red"
    if hue < 0.20:
        return "beige" if saturation < 0.30 else "yellow"
    words = ((0.46, "green"), (0.53, "teal"), (0.70, "blue"), (0.92, "purple"))
    word = next(word for end, word in words if hue < end)
    if word == "blue":
        return "light blue" if value > 0.68 else "dark blue" if value < 0.52 else word
    return word


def _skin(scene: SceneParameters) -> str:
    return f"{_SKIN_WORDS[int(np.digitize(scene.melanin, [0.33, 0.62]))]} skin"


def _details(scene: SceneParameters) -> list[str]:
    """True phrases on beard, freckles, lipstick and baldness."""
    found: list[str] = []
    if scene.bald:
        found += _BALD
    if scene.stubble >= _BEARD_FROM:
        found += _BEARD if scene.stubble >= 0.75 else _STUBBLE
    if scene.style != "sketch":
        # A pencil sketch shows neither.
        found += _FRECKLES if scene.freckles >= _FRECKLES_FROM and scene.style == "photo" else ()
        found += _LIPSTICK if scene.lipstick >= _LIPSTICK_FROM else ()
    return found


def _wears(rng: np.random.Generator, scene: SceneParameters) -> str:
    if scene.glasses:
        return str(rng.choice(_GLASSES))
    return str(rng.choice(_NO_GLASSES)) if rng.random() < 0.25 else ""


def _fill(rng: np.random.Generator, scene: SceneParameters, form: str) -> str:
    details = _details(scene)
    values = {
        "style": str(rng.choice(_STYLES[scene.style])),
        "noun": _noun(rng, scene),
        "mood": _mood(rng, scene),
        "hair": _hair(rng, scene),
        "eyes": "closed eyes" if scene.eyes_closed >= 0.5 else f"{EYES[scene.eye]} eyes",
        "skin": _skin(scene),
        "background": f"{background_word(scene)} background",
        "wears": _wears(rng, scene),
        "detail": str(rng.choice(details)) if details else "",
        "closed": str(rng.choice(_EYES_CLOSED)) if scene.eyes_closed >= 0.5 else "",
    }
    return _SLOT.sub(lambda slot: values[slot[1]], form)


def _tidied(text: str) -> str:
    text = _DANGLING.sub("", re.sub(r"\s+", " ", text).strip())
    return re.sub(r"\s+", " ", text).strip(" ,")


def _forms(scene: SceneParameters) -> list[str]:
    """The forms whose words can be seen: a sketch has no colours of eyes and skin, and its paper is its background."""
    hidden = {"sketch": ("{eyes}", "{skin}", "{background}"), "cartoon": ("{skin}",)}.get(scene.style, ())
    return [form for form in _LONG_FORMS if not any(slot in form for slot in hidden)]


def _long(rng: np.random.Generator, scene: SceneParameters) -> str:
    return _tidied(_fill(rng, scene, str(rng.choice(_forms(scene)))))


def _short(rng: np.random.Generator, scene: SceneParameters) -> str:
    options = [str(rng.choice(_STYLES[scene.style])), _article(str(rng.choice(_NOUNS[noun_kinds(scene)[1]])))]
    moods = mood_kinds(scene)
    if "smiling" in moods:
        options.append(str(rng.choice(_PLAIN_SMILES)))
    elif moods == ("neutral",):
        options.append(str(rng.choice(_PLAIN_NEUTRAL)))
    elif moods:
        options.append(f"a face {_MOODS[moods[0]][1]}")
    if scene.style == "sketch":
        options.append("cartoon sketch")
    if scene.glasses:
        options.append(f"a face {rng.choice(_GLASSES)}")
    if scene.eyes_closed >= 0.5:
        options.append("closed eyes")
    options.append(_hair(rng, scene))
    return str(rng.choice(options))


def captions(scene: SceneParameters, rng: np.random.Generator, count: int = 3) -> list[str]:
    """Returns `count` captions; about a third are short."""
    return [_short(rng, scene) if rng.random() < 0.35 else _long(rng, scene) for _ in range(count)]


def vocabulary() -> list[str]:
    """Returns every word that a caption can hold, sorted."""
    sources: list[Sequence[str]] = [*_STYLES.values(), *_NOUNS.values(), *_MOODS.values(), *_HAIR_WORDS.values()]
    sources += [_EYES_CLOSED, _GLASSES, _NO_GLASSES, _FRECKLES, _BEARD, _LIPSTICK, _BALD, _BACKGROUND_WORDS]
    sources += [_SKIN_WORDS, EYES, _PLAIN_SMILES, _PLAIN_NEUTRAL, _CONNECTIVES]
    return sorted({word for source in sources for phrase in source for word in phrase.split()})
