"""One rule for prompt ids and one for model names: the rules of the bundle's schema, and a proposal for what breaks them."""

from __future__ import annotations

import json
import re

import pytest

from export.manifest import SCHEMA_PATH
from textedit_core.errors import UsageError
from textedit_core.names import MODEL_NAME, PROMPT_ID, require_model_name, require_prompt_id

SCHEMA = json.loads(SCHEMA_PATH.read_text("utf8"))["properties"]


def test_the_rules_are_those_of_the_bundle() -> None:
    assert SCHEMA["prompts"]["items"]["properties"]["id"]["pattern"] == f"^{PROMPT_ID.pattern}$"
    assert SCHEMA["name"]["pattern"] == f"^{MODEL_NAME.pattern}$"
    assert f"editors/{PROMPT_ID.pattern})" in SCHEMA["parts"]["items"]["properties"]["part"]["pattern"]


@pytest.mark.parametrize("text", ["smile", "0", "grey_hair-2", "a" * 64])
def test_a_fitting_id_passes(text: str) -> None:
    assert require_prompt_id(text) == text


@pytest.mark.parametrize(
    "text, similar",
    [
        ("Laugh", "laugh"),
        ("a.b", "a-b"),
        ("-x", "x"),
        ("b" * 65, "b" * 64),
        ("grey/hair", "grey-hair"),
        ("Ärger über", "arger-uber"),
        ("smile\n", "smile"),
        ("", "smile"),
        ("笑", "smile"),
    ],
)
def test_any_other_id_is_refused_with_a_similar_one(text: str, similar: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"such as {similar!r}")):
        require_prompt_id(text)
    assert require_prompt_id(similar) == similar


@pytest.mark.parametrize("text, similar", [("my/model", "my-model"), (".hidden", "hidden"), ("", "imported"), ("N" * 65, "N" * 64)])
def test_a_model_name_is_refused_with_a_similar_one(text: str, similar: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"such as {similar!r}")):
        require_model_name(text)
    assert require_model_name(similar) == similar


def test_a_model_name_may_have_capitals_and_dots() -> None:
    assert require_model_name("FFHQ-256_v1.2") == "FFHQ-256_v1.2"
