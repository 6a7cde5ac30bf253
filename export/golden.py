"""Golden vectors: one face and every network's answer to it, so that a phone can test itself without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.graphs import DECODER, ENCODER
from export.manifest import GoldenCase, Manifest
from export.parity import psnr_db
from export.samples import load_face
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from export.runtimes import Runner

INPUT = "golden/input.png"
W_PLUS = "golden/w_plus.f32"
IMAGE = "golden/image.f32"


def output_path(part: str) -> str:
    """Where the expected output of a part lies: `golden/w_plus.f32`, `golden/image.f32`, `golden/editors/ID.f32`."""
    return {ENCODER: W_PLUS, DECODER: IMAGE}.get(part, f"golden/{part}.f32")


def input_path(part: str) -> str:
    """What a part is fed with: the photo for the encoder, the encoder's golden output for all others."""
    return INPUT if part == ENCODER else W_PLUS


def write_case(root: Path, part: str, value: Tensor, run: Runner, floor_db: float) -> GoldenCase:
    """Runs an artifact on its golden input and stores the answer as raw little-endian float32 in C order.

    Args:
        root: the bundle.
        part: which network.
        value: the golden input as the network takes it.
        run: the loaded artifact.
        floor_db: PSNR in dB that a device must reach against the stored answer.
    """
    output = run(value)
    path = root / output_path(part)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(output.numpy().astype("<f4").tobytes())
    return GoldenCase(part, input_path(part), output_path(part), tuple(output.shape), floor_db)


def read_tensor(path: Path, shape: tuple[int, ...]) -> Tensor:
    """Reads raw little-endian float32.

    Raises:
        UserError: the file does not hold exactly this shape.
    """
    import torch

    values = np.frombuffer(path.read_bytes(), dtype="<f4")
    if values.size != int(np.prod(shape)):
        raise UserError(f"{path.name} holds {values.size} numbers; its golden case has shape {list(shape)}")
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


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
