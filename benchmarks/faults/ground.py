"""What the damage is done to: a model of the tiny preset, its ONNX bundle and a few photographs, made once and kept."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from textedit_core.atomic import replacing_folder

PROMPTS = tuple(f"edit_{number}" for number in range(16))
# The one that the bundle has from the start.
FIRST = PROMPTS[0]
_FACES, _PHOTOS = 2, 16
_SIDE = 32


def model_in(ground: Path) -> Path:
    """The checkpoint folder of a random tiny model with `PROMPTS`."""
    folder = ground / "model"
    if not folder.exists():
        with replacing_folder(folder) as draft:
            _write_model(draft)
    return folder


def bundle_in(ground: Path) -> Path:
    """The model's ONNX bundle, with the prompt `FIRST`."""
    from export.pipeline import export_bundles
    from export.plan import ExportRequest

    folder = ground / "bundles"
    path = folder / "tiny-onnx.textedit"
    if not path.exists():
        request = ExportRequest("onnx", (FIRST,), model_in(ground), out=folder, parity_faces=_FACES, calibration_faces=_FACES)
        export_bundles(request, lambda target, stage, part: None)
    return path


def photos_in(ground: Path) -> Path:
    """A folder of noise as photographs, which a stage trains on."""
    folder = ground / "photos"
    if not folder.exists():
        with replacing_folder(folder) as draft:
            for number in range(_PHOTOS):
                _save_noise(number, draft / f"{number:02d}.png")
    return folder


def _write_model(folder: Path) -> None:
    import torch

    from textedit_core.checkpoints.store import write_index, write_part
    from textedit_core.config import tiny
    from textedit_core.decoder import build_decoder
    from textedit_core.editor import build_editor
    from textedit_core.encoder import build_encoder
    from textedit_core.prompts import Prompt

    torch.manual_seed(0)
    config = tiny()
    # The smallest backbone of timm: what is damaged here does not depend on it.
    config = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, backbone="test_efficientnet"))
    modules = {"encoder": build_encoder(config.encoder), "decoder": build_decoder(config.decoder)}
    modules |= {f"editors/{prompt}": build_editor(config.editor) for prompt in PROMPTS}
    for name, module in modules.items():
        with torch.no_grad():
            # Untrained editors answer zero, which says nothing about parity.
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        write_part(folder, name, module)
    for split in ("calibration", "heldout"):
        for number in range(_FACES):
            _save_noise(number, folder / "faces" / split / f"{number:03d}.jpg")
    write_index(folder, config, [Prompt(prompt, prompt.replace("_", " ")) for prompt in PROMPTS], {})


def _save_noise(seed: int, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    raw = random.Random(seed).randbytes(5 * 5 * 3)
    Image.frombytes("RGB", (5, 5), raw).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(path)
