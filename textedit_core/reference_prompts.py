"""The prompts that the project brings; training/editor_recipe.py says how each is trained."""

from __future__ import annotations

from textedit_core.prompts import Prompt

# The neutral partner says all of the target but the change, so that the way between them is the change alone. Wordings of an expression
# speak of both sexes: what they share is the expression.
REFERENCE_PROMPTS: dict[str, Prompt] = {
    "smile": Prompt("smile", "a girl with smile face", "a girl with neutral face", {"en": "Smile", "zh": "微笑"}),
    "child": Prompt("child", "a female child", "a female adult", {"en": "Child", "zh": "儿童"}),
    "sketch": Prompt("sketch", "cartoon sketch", "photo", {"en": "Sketch", "zh": "素描"}),
    "cartoon": Prompt("cartoon", "a cartoon", "a photo", {"en": "Cartoon", "zh": "卡通"}),
    "aged": Prompt("aged", "an old woman", "a woman", {"en": "Old", "zh": "变老"}, wordings=("an old man",), neutral_wordings=("a man",)),
    "glasses": Prompt(
        "glasses",
        "a woman with glasses",
        "a woman",
        {"en": "Glasses", "zh": "眼镜"},
        wordings=("a man with glasses",),
        neutral_wordings=("a man",),
    ),
    "surprised": Prompt("surprised", "a woman with a surprised face", "a woman with a neutral face", {"en": "Surprised", "zh": "惊讶"}),
    "laughing": Prompt(
        "laughing",
        "a woman laughing",
        "a woman with a neutral face",
        {"en": "Laughing", "zh": "大笑"},
        wordings=("a man laughing",),
        neutral_wordings=("a man with a neutral face",),
    ),
    "sad": Prompt("sad", "a woman with a sad face", "a woman with a neutral face", {"en": "Sad", "zh": "悲伤"}),
    "angry": Prompt("angry", "a woman with an angry face", "a woman with a neutral face", {"en": "Angry", "zh": "生气"}),
    "eyes_closed": Prompt("eyes_closed", "a woman with eyes closed", "a woman", {"en": "Eyes closed", "zh": "闭眼"}),
    "blond": Prompt("blond", "a woman with blond hair", "a woman with brown hair", {"en": "Blond hair", "zh": "金发"}),
    "black_hair": Prompt(
        "black_hair",
        "a woman with black hair",
        "a woman with brown hair",
        {"en": "Black hair", "zh": "黑发"},
        wordings=("a man with black hair",),
        neutral_wordings=("a man with brown hair",),
    ),
    "red_hair": Prompt(
        "red_hair",
        "a woman with red hair",
        "a woman with brown hair",
        {"en": "Red hair", "zh": "红发"},
        wordings=("a man with red hair",),
        neutral_wordings=("a man with brown hair",),
    ),
    "grey": Prompt("grey", "a woman with grey hair", "a woman with brown hair", {"en": "Grey hair", "zh": "灰发"}),
}
