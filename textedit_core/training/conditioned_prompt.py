"""A new prompt without training: the text-conditioned editor serves it, and only its strength has to be found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index
from textedit_core.perception.text_pairs import embed_prompt, text_vector
from textedit_core.prompts import Prompt
from textedit_core.training.distributed import SOLO
from textedit_core.training.editor_networks import load_frozen
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.editor_stage import require_new_prompt
from textedit_core.training.latent_cache import EditorData, remember_faces
from textedit_core.training.prompt_space import with_neutral
from textedit_core.training.strength import calibrated, calibration_rows


def add_conditioned_prompt(
    directory: Path, prompt: Prompt, data: EditorData, recipe: EditorTraining, replace: bool = False
) -> Checkpoint:
    """Enters a prompt that the checkpoint's text-conditioned editor serves, with its strength calibrated on a few faces.

    Args:
        directory: a checkpoint folder with a text-conditioned editor; receives the prompt.
        prompt: texts and names; the other fields are filled in.
        data: training photos, or latents in their place.
        recipe: how many faces are kept beside the run, and the wanted completion.
        replace: whether a prompt of the same id may be replaced.

    Returns:
        The checkpoint with the prompt in it.

    Raises:
        UserError: there is no text-conditioned editor, the prompt exists, the faces are too few, or a word of its texts is unknown.
    """
    checkpoint = open_checkpoint(directory)
    require_new_prompt(checkpoint, prompt.id, replace)
    editor = checkpoint.load_text_editor()
    networks = load_frozen(checkpoint, SOLO.device)
    prompt = with_neutral(prompt, networks.clip.tokenizer)
    pair = embed_prompt(networks.clip, prompt)
    faces = remember_faces(checkpoint, data, recipe, networks, SOLO, directory.parent / "cache")
    rows = calibration_rows(len(faces))
    latents, sources = faces.latents[rows], faces.sources[0, rows]
    own = editor.for_text(text_vector(pair, 1.0))
    untouched = dataclasses.replace(prompt, calibration=1.0, conditioned=True)
    prompts = {**checkpoint.prompts, prompt.id: calibrated(untouched, own, networks, latents, sources, pair, recipe.completion)}
    return write_index(directory, checkpoint.config, list(prompts.values()), checkpoint.provenance)
