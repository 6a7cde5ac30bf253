"""Golden vectors: one face and every network's answer to it, so that a phone can test itself without a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.graphs import COMPOSITOR, DECODER, ENCODER, TEXT_EDITOR
from export.manifest import GoldenCase, Manifest
from export.parity import psnr_db
from export.raw_tensors import read_tensor, write_tensor
from export.samples import load_face
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from export.backends.backend import Runner
    from export.samples import Samples

INPUT = "golden/input.png"
W_PLUS = "golden/w_plus.f32"
W_PLUS_TEXT = "golden/w_plus_text.f32"
IMAGE = "golden/image.f32"
GUIDES = "golden/guides.f32"
# What no other case answers with, and so is stored as it is.
_OWN_INPUTS = {TEXT_EDITOR: W_PLUS_TEXT, COMPOSITOR: GUIDES}


def output_path(part: str) -> str:
    """Where the expected output of a part lies: `golden/w_plus.f32`, `golden/image.f32`, `golden/editors/ID.f32`."""
    return {ENCODER: W_PLUS, DECODER: IMAGE}.get(part, f"golden/{part}.f32")


def input_path(part: str) -> str:
    """What a part is fed with: the photo, the encoder's golden output, or what is stored for this part alone."""
    return {ENCODER: INPUT, **_OWN_INPUTS}.get(part, W_PLUS)


def input_value(part: str, faces: Samples, w_plus: Tensor, texts: Mapping[str, Tensor]) -> Tensor:
    """The golden input of a part as its network takes it.

    Args:
        part: which network.
        faces: the first is the golden face.
        w_plus: the lowered encoder's answer to it [1,L,D].
        texts: packed texts [R,D] by prompt; the text-conditioned editor takes the first.
    """
    from textedit_core.editor import with_text

    if part in (ENCODER, COMPOSITOR):
        return faces.inputs(part)[0]
    return with_text(w_plus, next(iter(texts.values()))) if part == TEXT_EDITOR else w_plus


def write_case(root: Path, part: str, value: Tensor, run: Runner, floor_db: float) -> GoldenCase:
    """Runs an artifact on its golden input and stores the answer, and the input where no other case answers with it.

    Args:
        root: the bundle.
        part: which network.
        value: the golden input as the network takes it.
        run: the loaded artifact.
        floor_db: PSNR in dB that a device must reach against the stored answer.
    """
    output = run(value)
    if part in _OWN_INPUTS:
        write_tensor(root / _OWN_INPUTS[part], value)
    write_tensor(root / output_path(part), output)
    return GoldenCase(part, input_path(part), output_path(part), tuple(output.shape), floor_db)


def read_input(root: Path, manifest: Manifest, case: GoldenCase) -> Tensor:
    """The input of a golden case as its network takes it."""
    from textedit_core.pixels import PixelSpec

    if case.input.endswith(".png"):
        return load_face(root / case.input, PixelSpec(**manifest.pixels))
    return read_tensor(root / case.input, manifest.part(case.part).input.shape)


def check_case(root: Path, manifest: Manifest, case: GoldenCase, run: Runner) -> float:
    """Runs an artifact on a golden case and returns its PSNR in dB against the stored answer.

    Raises:
        UserError: the answer is not finite or below the case's floor; the message names the part.
    """
    import torch

    output = run(read_input(root, manifest, case))
    expected = read_tensor(root / case.output, case.shape)
    if output.shape != expected.shape or not torch.isfinite(output).all():
        raise UserError(f"{case.part}: the golden self-test gives shape {list(output.shape)} or values that are not finite")
    reached = psnr_db(expected, output)
    if reached < case.psnr_floor_db:
        raise UserError(f"{case.part}: the golden self-test reaches {reached:.1f} dB; the floor is {case.psnr_floor_db:.0f} dB")
    return reached
