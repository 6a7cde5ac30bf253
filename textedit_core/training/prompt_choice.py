"""The prompt that a stage of one prompt trains, as a person names it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from textedit_core.errors import UsageError
from textedit_core.prompts import Prompt
from textedit_core.reference_prompts import REFERENCE_PROMPTS


@dataclass(frozen=True)
class PromptChoice:
    """What the command line and the config say of a prompt.

    Attributes:
        name: the prompt's id; a reference prompt brings its own texts.
        text: what the face shall show.
        neutral_text: what the text is compared with; "" lets it be found from the text.
        wordings: the target text in other words, averaged with it.
        replace: whether a prompt that the checkpoint has may be trained anew.
        conditioned: whether the checkpoint's text-conditioned editor serves the text, so that nothing is trained.
    """

    name: str = ""
    text: str = ""
    neutral_text: str = ""
    wordings: tuple[str, ...] = ()
    replace: bool = False
    conditioned: bool = False

    def prompt(self, stage: str) -> Prompt:
        """The prompt; another text than the known prompt's makes it another prompt, with nothing of the known one but its id.

        Raises:
            UsageError: name or text is missing.
        """
        known = REFERENCE_PROMPTS.get(self.name)
        if not self.name:
            ids = ", ".join(sorted(REFERENCE_PROMPTS))
            raise UsageError(f"the {stage} stage needs --name ID (and --text unless the id is one of {ids})")
        own = Prompt(self.name, self.text, names={"en": self.name.capitalize()})
        base = known if known is not None and self.text in ("", known.text) else own
        if not base.text:
            raise UsageError(f"prompt {self.name!r} has no text; give it with --text")
        return dataclasses.replace(base, neutral_text=self.neutral_text or base.neutral_text, wordings=self.wordings or base.wordings)
