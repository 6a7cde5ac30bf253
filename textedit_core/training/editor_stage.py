"""The editor stage: one text, no pairs of faces. Whatever does not depend on the editor is computed once and kept beside the run."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.config import EditorTraining, Prompt, prompt_editor_config
from textedit_core.editor import PromptEditor
from textedit_core.errors import UserError
from textedit_core.latents import apply_edit
from textedit_core.losses.combine import EditorInputs
from textedit_core.names import require_prompt_id
from textedit_core.perception.text_pairs import embed_prompt, other_texts
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.editor_networks import load_frozen
from textedit_core.training.editor_objective import EditorCriterion, require_known_losses
from textedit_core.training.encoded_faces import StoredLatents, sample_faces
from textedit_core.training.image_source import ImageRows
from textedit_core.training.latent_cache import EditorData, remember_faces
from textedit_core.training.loop import Player
from textedit_core.training.prompt_space import with_neutral
from textedit_core.training.strength import calibrated, calibration_rows

_SAMPLE_FACES = 8


def require_new_prompt(checkpoint: Checkpoint, prompt_id: str, replace: bool) -> None:
    """Refuses names that no bundle could hold, and to overwrite a trained prompt unasked.

    Raises:
        UsageError: the name is no prompt's id (`require_prompt_id`).
        UserError: the checkpoint has the prompt already and `replace` is off.
    """
    require_prompt_id(prompt_id)
    if prompt_id in checkpoint.prompts and not replace:
        raise UserError(f"checkpoint {str(checkpoint.directory)!r} has prompt {prompt_id!r} already; give --replace, or another --name")


class EditorStage:
    """Trains one prompt's editor with encoder, decoder and perception networks frozen: loss = loss1 + l1*loss2 + l2*loss3.

    After `finish`, `prompt` is the trained prompt: its record holds the neutral text, the groups that moved and the calibration.

    Args:
        prompt: texts and names.
        recipe: losses, weights and groups.
        data: training photos, or latents in their place.
        heldout: the same for the sample grids.
        batch_size: images per step, of all processes together.
        checkpoint: the trained other parts; receives the editor.
        team: who trains together.
        cache: where latents and embeddings of the training photos are kept; None is the folder `cache` beside the checkpoint.

    Raises:
        UserError: the checkpoint lacks a part, the faces are too few, or a text has words that the text-image model never saw.
        UsageError: the recipe names an unknown loss or level group.
    """

    def __init__(
        self,
        prompt: Prompt,
        recipe: EditorTraining,
        data: EditorData,
        heldout: ImageRows | StoredLatents,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
        cache: Path | None = None,
    ) -> None:
        self.name = f"editor-{prompt.id}"
        self.recipe, self.batch_size, self.team = recipe, batch_size, team
        self.directory = checkpoint.directory
        require_known_losses(recipe)
        self.networks = load_frozen(checkpoint, team.device)
        self.prompt = with_neutral(prompt, self.networks.clip.tokenizer)
        self.pair = embed_prompt(self.networks.clip, self.prompt)
        self.editor = PromptEditor(prompt_editor_config(checkpoint.config.editor, recipe.groups))
        folder = cache or checkpoint.directory.parent / "cache"
        self.faces = remember_faces(checkpoint, data, recipe, self.networks, team, folder)
        others = other_texts(self.networks.clip, self.pair, recipe.other_texts)
        self.criterion = EditorCriterion(recipe, self.faces.spread, others)
        self.shown = sample_faces(heldout, self.networks.encoder, team.device, _SAMPLE_FACES)
        self.players = [Player("editor", self.editor, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self.team.share(torch.randint(len(self.faces), (self.batch_size,), generator=generator))
        view = self.faces.draw_view(generator)
        w_plus = self.faces.latents[rows]
        # In units of how far faces lie apart, so that one learning rate suits every latent space.
        delta_w = self.faces.unit * self.editor(w_plus).float()
        picture = self.networks.preview(apply_edit(w_plus, delta_w, 1.0))
        edited = self.faces.seen(picture, rows, view)
        inputs = EditorInputs(
            edited_image=self.networks.clip.encode_image(edited),
            text=self.pair.text,
            delta_w=delta_w,
            edited_identity=self.networks.identity.embed(edited) if self.recipe.identity_weight else None,
            source_image=self.faces.sources[view, rows],
            neutral_text=self.pair.neutral,
            photo_identity=self.faces.photo_identity(rows),
            reconstruction_identity=self.faces.source_identities[view, rows],
            edited_picture=picture,
            source_picture=self.faces.pictures[rows],
        )
        return self.criterion(inputs)

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        delta_w = self.faces.unit * averaged["editor"](self.shown.w_plus)
        return self.shown.grid(self.networks.decoder, [apply_edit(self.shown.w_plus, delta_w, strength) for strength in (0.5, 1.0)])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        editor = copy.deepcopy(averaged["editor"])
        assert isinstance(editor, PromptEditor)
        editor.scale(float(self.faces.unit))
        rows = calibration_rows(len(self.faces))
        untouched = dataclasses.replace(self.prompt, groups=tuple(self.recipe.groups), calibration=1.0)
        latents, sources = self.faces.latents[rows], self.faces.sources[0, rows]
        self.prompt = calibrated(untouched, editor, self.networks, latents, sources, self.pair, self.recipe.completion)
        write_part(self.directory, f"editors/{self.prompt.id}", editor)
