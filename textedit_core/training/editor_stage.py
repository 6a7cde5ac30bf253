"""The editor stage: one text, no pairs. Latents are encoded once, and so are the judges' views of the unedited faces."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.config import EditorTraining, Prompt
from textedit_core.editor import PromptEditor
from textedit_core.errors import unknown_name
from textedit_core.latents import apply_edit, level_groups
from textedit_core.losses.combine import EditorInputs, EditorObjective
from textedit_core.losses.identity import IdentityLoss
from textedit_core.losses.latent import LatentChangeLoss
from textedit_core.losses.text_match import build_text_match
from textedit_core.training.data import FaceDataset
from textedit_core.training.loop import Player


class EditorStage:
    """Trains one prompt's editor with encoder, decoder and judges frozen: loss = loss1 + l1*loss2 + l2*loss3."""

    def __init__(
        self, prompt: Prompt, recipe: EditorTraining, data: FaceDataset, heldout: FaceDataset, batch_size: int, checkpoint: Checkpoint
    ) -> None:
        self.name = f"editor-{prompt.id}"
        self.prompt, self.recipe, self.batch_size, self.directory = prompt, recipe, batch_size, checkpoint.directory
        self.encoder = checkpoint.load_encoder().to(memory_format=torch.channels_last)
        self.decoder = checkpoint.load_decoder().to(memory_format=torch.channels_last)
        self.clip, self.identity = checkpoint.load_clip(), checkpoint.load_identity()
        with torch.no_grad():
            self.text, self.neutral_text = self.clip.encode_text(text_pair(prompt))
            self._remember(data)
            self.heldout_photos = heldout.images(list(range(min(8, len(heldout)))))
            self.heldout_latents = self.encoder(self.heldout_photos)
        self.editor = PromptEditor(checkpoint.config.editor)
        unknown = sorted(set(recipe.groups) - set(level_groups(self.editor.num_ws)))
        if unknown:
            raise unknown_name("level group", unknown[0], list(level_groups(self.editor.num_ws)), "the groups are")
        for name, group in self.editor.groups.items():
            group.requires_grad_(name in recipe.groups)
        self.objective = build_editor_objective(recipe)
        self.directional = build_text_match("directional")
        self.players = [Player("editor", self.editor, self._losses)]

    def _remember(self, data: FaceDataset) -> None:
        latents, sources, photo_ids, reconstruction_ids = [], [], [], []
        chosen = torch.linspace(0, len(data) - 1, min(self.recipe.faces, len(data))).long()
        for rows in chosen.split(64):
            photos = data.images(rows)
            w_plus = self.encoder(photos.contiguous(memory_format=torch.channels_last))
            reconstruction = self.decoder.preview(w_plus)
            latents.append(w_plus)
            sources.append(self.clip.encode_image(reconstruction))
            photo_ids.append(self.identity.embed(photos))
            reconstruction_ids.append(self.identity.embed(reconstruction))
        self.latents, self.sources = torch.cat(latents), torch.cat(sources)
        self.photo_ids, self.reconstruction_ids = torch.cat(photo_ids), torch.cat(reconstruction_ids)

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = torch.randint(len(self.latents), (self.batch_size,), generator=generator)
        w_plus = self.latents[rows]
        delta_w = self.editor(w_plus).float()
        edited = self.decoder.preview(apply_edit(w_plus, delta_w, 1.0)).float()
        inputs = EditorInputs(
            edited_image=self.clip.encode_image(edited),
            text=text_target(self.recipe, self.sources[rows], self.text, self.neutral_text),
            delta_w=delta_w,
            edited_identity=self.identity.embed(edited) if self.recipe.identity_weight else None,
            source_image=self.sources[rows],
            neutral_text=self.neutral_text,
            photo_identity=self.photo_ids[rows],
            reconstruction_identity=self.reconstruction_ids[rows],
        )
        result = self.objective(inputs, self.recipe.identity_target)
        losses = {"loss": result.total, **result.terms}
        if self.recipe.directional:
            directional = self.directional(inputs.edited_image, self.text, inputs.source_image, self.neutral_text)
            losses["loss"] = losses["loss"] + self.recipe.directional * directional
            losses["directional"] = directional.detach()
        return losses

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        delta_w = averaged["editor"](self.heldout_latents)
        rows = [self.heldout_photos, self.decoder(self.heldout_latents)]
        rows += [self.decoder(apply_edit(self.heldout_latents, delta_w, strength)) for strength in (0.5, 1.0)]
        return torch.cat([row.float() for row in rows])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        write_part(self.directory, f"editors/{self.prompt.id}", averaged["editor"])


def text_pair(prompt: Prompt) -> list[str]:
    """The target text and its neutral partner; a prompt without one is compared with any face."""
    return [prompt.text, prompt.neutral_text or "a face"]


def text_target(recipe: EditorTraining, source: Tensor, text: Tensor, neutral_text: Tensor) -> Tensor:
    """What the edited images [B] are matched with, unit-norm float [B,E]: the text, or each source moved from neutral text to text."""
    if recipe.anchor == "text":
        return text.expand_as(source)
    return F.normalize(source + text - neutral_text, dim=-1)


def build_editor_objective(recipe: EditorTraining) -> EditorObjective:
    """The weighted sum of the three losses that a recipe names."""
    return EditorObjective(
        build_text_match(recipe.text_match),
        LatentChangeLoss(recipe.latent_norm),
        IdentityLoss(recipe.identity_form),
        recipe.latent_weight,
        recipe.identity_weight,
    )
