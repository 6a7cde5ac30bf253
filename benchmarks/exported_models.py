"""Checkpoints made for the time of a measurement: a model with any number of prompts, and StyleGAN2 of any side with random weights."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from textedit_core.errors import UserError

if TYPE_CHECKING:
    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.prompts import Prompt

# How far the weights of a varied editor lie from the original's, relative to each.
_VARIATION = 0.01


def with_prompts(source: Checkpoint, count: int, folder: Path) -> Path:
    """A copy of a checkpoint with its first `count` prompts; beyond its own, they are those in turn with other weights and ids.

    Every weight of such an editor differs a little from the original's, so that no two networks of the copy are the same.

    Raises:
        UserError: the checkpoint has no prompt to copy.
    """
    from textedit_core.checkpoints.store import INDEX_NAME, write_index

    own = list(source.prompts.values())
    if not own:
        raise UserError(f"checkpoint {source.checkpoint_id} has no prompts; train an editor first")
    shutil.copytree(source.directory, folder, ignore=shutil.ignore_patterns(INDEX_NAME))
    prompts = [_numbered(folder, source, own[number % len(own)], number // len(own)) for number in range(count)]
    write_index(folder, source.config, prompts, source.provenance)
    return folder


def _numbered(folder: Path, source: Checkpoint, prompt: Prompt, copy: int) -> Prompt:
    import torch

    from textedit_core.checkpoints.store import write_part

    if copy == 0:
        return prompt
    twin = dataclasses.replace(prompt, id=f"{prompt.id}_{copy}")
    if not prompt.conditioned:
        editor = source.load_editor(prompt.id)
        generator = torch.Generator().manual_seed(copy)
        with torch.no_grad():
            for weight in editor.parameters():
                weight.mul_(1.0 + _VARIATION * torch.randn(weight.shape, generator=generator))
        write_part(folder, f"editors/{twin.id}", editor)
    return twin


def random_model(side: int, faces_from: Path, folder: Path) -> Path:
    """A checkpoint of StyleGAN2 with random weights and one prompt, with the sample faces of another.

    Raises:
        UserError: StyleGAN2 has no such side.
    """
    import torch

    from textedit_core.checkpoints.store import write_index, write_part
    from textedit_core.config import stylegan2
    from textedit_core.decoder import build_decoder
    from textedit_core.editor import build_editor
    from textedit_core.encoder import build_encoder
    from textedit_core.prompts import Prompt

    config = stylegan2(side)
    torch.manual_seed(0)
    write_part(folder, "encoder", build_encoder(config.encoder))
    write_part(folder, "decoder", build_decoder(config.decoder))
    write_part(folder, "editors/random", build_editor(config.editor))
    shutil.copytree(faces_from / "faces", folder / "faces")
    write_index(folder, config, [Prompt("random", "a random edit")], {})
    return folder
