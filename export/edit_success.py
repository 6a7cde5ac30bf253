"""Edit success, the second criterion of `auto`: an edit that the judge finds done with the fp32 decoder stays done with the lowered one.

PSNR takes an error for the same wherever it lies; a smile lies in a few pixels. So the edited faces are drawn by both decoders and judged
as the evaluation judges them. Where the judge has no say, the reason is on record and PSNR alone decides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textedit_core.errors import UserError
from textedit_core.latents import apply_edit

if TYPE_CHECKING:
    from torch import Tensor, nn

    from export.backends.backend import Runner
    from export.samples import Edit
    from textedit_core.config import ModelConfig
    from textedit_core.evaluation.verdicts import Attributes, Verdict

    # Pictures uint8 [N,3,C,C] to what they show.
    Judge = Callable[[Tensor], Attributes]

# Most pictures that each decoder draws, over all prompts: all 24 faces of an export for up to four prompts, and a few seconds.
PICTURES = 96
NO_VERDICT = "no verdict says when such an edit is done"


@dataclass(frozen=True)
class PromptEdits:
    """One prompt's edits at its default strength, counted in faces.

    Attributes:
        prompt: its id.
        faces: how many faces were edited.
        done_fp32: edits that the judge finds done with the fp32 decoder.
        done: those that it finds done with the lowered decoder, also where it does not with the fp32 one.
        lost: edits done with the fp32 decoder and lost with the lowered one, by the rule of `EditTrial`.
    """

    prompt: str
    faces: int
    done_fp32: int
    done: int
    lost: int


@dataclass(frozen=True)
class EditSuccess:
    """What the judge says of one lowered decoder: a row per judged prompt, and for every other prompt, by id, why it was not judged."""

    judged: tuple[PromptEdits, ...]
    not_judged: dict[str, str]

    @property
    def lost(self) -> int:
        """Lost edits of all prompts."""
        return sum(row.lost for row in self.judged)


class EditTrial:
    """Holds a lowered decoder against the fp32 one on the same edited faces.

    An edit is lost when its verdict is "done" with the fp32 decoder, is not with the lowered one, and the verdict's score has moved against
    the edit by more than the verdict's `tolerance` in between. The tolerance is what the judge's own noise makes of two nearly equal
    pictures, so a face on the threshold that any rounding tips over is not called lost. One lost edit fails the trial; one that is gained
    on another face does not make up for it.

    Args:
        edited: by prompt id, each face's w_plus + strength * delta_w, float32 [1,L,D]; every prompt has a verdict.
        judge: says what pictures show; None where nothing is `edited`.
        decoder: the fp32 network; draws once, when the first artifact is measured.
        size: C, the side in pixels at which pictures are judged.
        not_judged: by prompt id, why it is not among `edited`.
    """

    def __init__(
        self, edited: Mapping[str, Sequence[Tensor]], judge: Judge | None, decoder: Runner, size: int, not_judged: Mapping[str, str]
    ) -> None:
        self._edited, self._judge, self._decoder, self._size = edited, judge, decoder, size
        self._not_judged = dict(not_judged)

    def measure(self, run: Runner) -> EditSuccess:
        """Draws the edited faces with a loaded decoder, float32 [1,L,D] to [1,3,R,R], and compares the verdicts."""
        from textedit_core.evaluation.verdicts import VERDICTS

        references, found = self._references, self._seen(run)
        rows = (_compared(prompt, VERDICTS[prompt], before, found[prompt]) for prompt, before in references.items())
        return EditSuccess(tuple(rows), dict(self._not_judged))

    @functools.cached_property
    def _references(self) -> dict[str, Attributes]:
        return self._seen(self._decoder)

    def _seen(self, draw: Runner) -> dict[str, Attributes]:
        import torch

        from textedit_core.evaluation.panel import as_shown

        if self._judge is None:
            return {}
        with torch.inference_mode():
            return {
                prompt: self._judge(torch.cat([as_shown(draw(w_plus), self._size) for w_plus in latents]))
                for prompt, latents in self._edited.items()
            }


def _compared(prompt: str, verdict: Verdict, before: Attributes, after: Attributes) -> PromptEdits:
    done_before, done_after = verdict.success(before), verdict.success(after)
    fallen = (verdict.score(before) - verdict.score(after)) * verdict.direction > verdict.tolerance
    lost = done_before & ~done_after & fallen
    return PromptEdits(prompt, len(lost), int(done_before.sum()), int(done_after.sum()), int(lost.sum()))


def edit_trial(
    config: ModelConfig, edits: Mapping[str, Edit], latents: Sequence[Tensor], decoder: nn.Module, judge: Judge | str
) -> EditTrial:
    """A trial of the prompts that can be judged.

    Args:
        config: the model's.
        edits: by prompt id, its fp32 editor and the strength to apply it at.
        latents: w_plus [1,L,D] of the faces; the first come first where the prompts are too many for all.
        decoder: fp32 network.
        judge: what judges, or the reason why nothing does.
    """
    from textedit_core.evaluation.verdicts import VERDICTS

    if isinstance(judge, str):
        return EditTrial({}, None, decoder, config.pixel.size, dict.fromkeys(edits, judge))
    judged = [prompt for prompt in edits if prompt in VERDICTS]
    faces = latents[: max(1, PICTURES // max(1, len(judged)))]
    edited = {prompt: _edited(faces, *edits[prompt]) for prompt in judged}
    return EditTrial(edited, judge, decoder, config.pixel.size, {prompt: NO_VERDICT for prompt in edits if prompt not in VERDICTS})


def _edited(faces: Sequence[Tensor], editor: Callable[[Tensor], Tensor], strength: float) -> list[Tensor]:
    import torch

    with torch.inference_mode():
        return [apply_edit(w_plus, editor(w_plus), strength) for w_plus in faces]


def shipped_judge(config: ModelConfig, folder: Path | None = None) -> Judge | str:
    """The attribute judge for a model's pictures, or the reason why it has no say.

    It learnt from faces that are cut out as the reference model's are, and knows where in them a mouth lies; pictures smaller than those
    that it looks at have lost what it looks for.

    Args:
        config: the model's.
        folder: a judges' folder; None is the shipped one.

    Raises:
        UserError: the judges are there and damaged.
    """
    from textedit_core.alignment import REFERENCE_CROP
    from textedit_core.evaluation.panel import ask_attributes
    from textedit_core.judges.store import INDEX_NAME, SHIPPED, open_judges

    if config.crop != REFERENCE_CROP:
        return "this model cuts faces out in another way than those that the judge learnt from"
    if not ((folder or SHIPPED) / INDEX_NAME).is_file():
        return "this installation has no judges"
    judges = open_judges(folder)
    side = min(config.pixel.size, config.decoder.img_resolution)
    if side < judges.image_size:
        return f"pictures of {side} px are smaller than the {judges.image_size} px that the judge looks at"
    return lambda images: ask_attributes(judges, images)


def require_edits(part: str, success: EditSuccess, fix: str) -> None:
    """Refuses a decoder that loses edits.

    Raises:
        UserError: naming the part, how many edits of how many each prompt loses, and the fix.
    """
    if success.lost:
        each = ", ".join(f"{row.lost} of {row.done_fp32} of prompt {row.prompt!r}" for row in success.judged if row.lost)
        raise UserError(f"{part} loses edits that the judge finds done with the fp32 network: {each}. {fix}")
