"""The names that users choose and that become parts of file names: prompt ids and model names, under one rule each at every door.

Both rules are those of export/bundle.schema.json and of the readers in the apps: what passes here can be bundled.
"""

from __future__ import annotations

import re
import unicodedata

from textedit_core.errors import UsageError

PROMPT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LENGTH = 64


def require_prompt_id(text: str) -> str:
    """Returns a prompt's id as it is.

    Raises:
        UsageError: it cannot be one; the message says what can, and proposes a similar one.
    """
    if PROMPT_ID.fullmatch(text):
        return text
    allowed = "1 to 64 of a-z, 0-9, - and _, the first a letter or digit"
    raise UsageError(f"{text!r} cannot be a prompt's id; use {allowed}, such as {_similar(text.lower(), 'a-z0-9_-', 'smile')!r}")


def require_model_name(text: str) -> str:
    """Returns a model's name as it is.

    Raises:
        UsageError: it cannot be one; the message says what can, and proposes a similar one.
    """
    if MODEL_NAME.fullmatch(text):
        return text
    allowed = "1 to 64 of A-Z, a-z, 0-9, -, _ and ., the first a letter or digit"
    raise UsageError(f"{text!r} cannot be a model's name; use {allowed}, such as {_similar(text, 'A-Za-z0-9_.-', 'imported')!r}")


def _similar(text: str, allowed: str, default: str) -> str:
    """The text without accents, with - in the place of what is not allowed; `default` where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(f"[^{allowed}]+", "-", plain).strip("-_.")[:_LENGTH] or default
