"""One editor for many texts: trained on a space of texts, measured on texts of it that were never shown."""

from __future__ import annotations

import copy
import json
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.atomic import write_text
from textedit_core.checkpoints.store import TEXT_EDITOR, Checkpoint, write_part
from textedit_core.config import EditorTraining, TextEditorTraining, text_editor_config
from textedit_core.editor import TextConditionedEditor
from textedit_core.errors import UserError
from textedit_core.latents import apply_edit
from textedit_core.losses.combine import EditorInputs
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.text_pairs import TextPair
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.editor_networks import load_frozen
from textedit_core.training.editor_objective import EditorCriterion, require_known_losses
from textedit_core.training.encoded_faces import StoredLatents, sample_faces
from textedit_core.training.image_source import ImageRows
from textedit_core.training.latent_cache import EditorData, remember_faces
from textedit_core.training.loop import Player
from textedit_core.training.prompt_space import EditText, prompt_space, split_texts, understood
from textedit_core.training.strength import share_at

REPORT_NAME = "text-editor.json"
# Texts of each kind that the report measures, each on as many faces.
MEASURED_TEXTS, MEASURED_FACES = 24, 4
_SAMPLE_FACES, _SAMPLE_TEXTS = 8, 4


class TextEditorStage:
    """Trains the text-conditioned editor with encoder, decoder and perception networks frozen; each batch holds several texts.

    After `finish`, `report` says which share of the way from neutral to target text strength 1 covers, for texts that were shown and
    for texts that were not; it is also written beside the run.

    Args:
        recipe: losses and weights, as for one prompt.
        texts: how texts are drawn and held out.
        data, heldout, batch_size, checkpoint, team: as in EditorStage.

    Raises:
        UserError: the checkpoint lacks a part, the faces are too few, or its text-image model knows too few of the texts.
    """

    name = "text-editor"

    def __init__(
        self,
        recipe: EditorTraining,
        texts: TextEditorTraining,
        data: EditorData,
        heldout: ImageRows | StoredLatents,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
    ) -> None:
        self.recipe, self.texts, self.batch_size, self.team = recipe, texts, batch_size, team
        self.directory = checkpoint.directory
        require_known_losses(recipe)
        self.networks = load_frozen(checkpoint, team.device)
        clip = self.networks.clip
        self.seen, self.unseen = split_texts(understood(prompt_space(), clip.tokenizer), texts.heldout_every)
        if len(self.seen) < texts.texts_per_batch or not self.unseen:
            raise UserError(
                f"the text-image model of {str(checkpoint.directory)!r} knows the words of {len(self.seen) + len(self.unseen)} texts, too "
                f"few for an editor of many; it needs {texts.texts_per_batch} to learn from and others to be measured on"
            )
        self.pairs, self.unseen_pairs = _embedded(clip, self.seen), _embedded(clip, self.unseen)
        self.editor = TextConditionedEditor(text_editor_config(checkpoint.config.editor), checkpoint.config.clip.embed_dim)
        self.editor.move_only(recipe.groups)
        self.faces = remember_faces(checkpoint, data, recipe, self.networks, team, checkpoint.directory.parent / "cache")
        self.criterion = EditorCriterion(recipe, self.faces.spread)
        self.shown = sample_faces(heldout, self.networks.encoder, team.device, _SAMPLE_FACES)
        self.report: dict[str, Any] = {}
        self.players = [Player("editor", self.editor, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self.team.share(torch.randint(len(self.faces), (self.batch_size,), generator=generator))
        drawn = torch.randint(len(self.seen), (min(self.texts.texts_per_batch, self.batch_size),), generator=generator)
        picks = self.team.share(drawn.repeat(-(-self.batch_size // len(drawn)))[: self.batch_size])
        view = self.faces.draw_view(generator)
        pair = TextPair(self.pairs.text[picks], self.pairs.neutral[picks])
        w_plus = self.faces.latents[rows]
        # In units of how far faces lie apart, so that one learning rate suits every latent space.
        delta_w = self.faces.unit * self.editor(w_plus, F.normalize(pair.way, dim=-1)).float()
        picture = self.networks.preview(apply_edit(w_plus, delta_w, 1.0))
        edited = self.faces.seen(picture, rows, view)
        return self.criterion(
            EditorInputs(
                edited_image=self.networks.clip.encode_image(edited),
                text=pair.text,
                delta_w=delta_w,
                edited_identity=self.networks.identity.embed(edited) if self.recipe.identity_weight else None,
                source_image=self.faces.sources[view, rows],
                neutral_text=pair.neutral,
                photo_identity=self.faces.photo_identity(rows),
                reconstruction_identity=self.faces.source_identities[view, rows],
                edited_picture=picture,
                source_picture=self.faces.pictures[rows],
            )
        )

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        w_plus, edited = self.shown.w_plus, []
        for way in self.unseen_pairs.way[_spread(len(self.unseen), _SAMPLE_TEXTS)]:
            vector = F.normalize(way, dim=0).expand(len(w_plus), -1)
            edited.append(apply_edit(w_plus, self.faces.unit * averaged["editor"](w_plus, vector), 1.0))
        return self.shown.grid(self.networks.decoder, edited)

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        editor = copy.deepcopy(averaged["editor"])
        assert isinstance(editor, TextConditionedEditor)
        editor.scale(float(self.faces.unit))
        write_part(self.directory, TEXT_EDITOR, editor)
        self.report = {
            "seen": {"texts": len(self.seen), "share": self._share(editor, self.pairs)},
            "unseen": {"texts": len(self.unseen), "share": self._share(editor, self.unseen_pairs)},
        }
        write_text(self.directory.parent / REPORT_NAME, json.dumps(self.report, indent=1) + "\n")

    @torch.no_grad()
    def _share(self, editor: TextConditionedEditor, pairs: TextPair) -> float:
        """Mean share of the way at strength 1, over texts and faces spread evenly."""
        texts = _spread(len(pairs.text), MEASURED_TEXTS)
        rows = _spread(len(self.faces), MEASURED_FACES).repeat(len(texts))
        texts = texts.repeat_interleave(min(MEASURED_FACES, len(self.faces)))
        chosen = TextPair(pairs.text[texts], pairs.neutral[texts])
        latents = self.faces.latents[rows]
        delta_w = editor(latents, F.normalize(chosen.way, dim=-1))
        return float(share_at(self.networks, latents, delta_w, self.faces.sources[0, rows], chosen, 1.0).mean())


def _embedded(clip: ClipModel, texts: tuple[EditText, ...]) -> TextPair:
    with torch.no_grad():
        return TextPair(clip.encode_text([each.text for each in texts]), clip.encode_text([each.neutral_text for each in texts]))


def _spread(count: int, wanted: int) -> Tensor:
    """Up to `wanted` rows of `count`, evenly spread, int64."""
    return torch.linspace(0, count - 1, min(wanted, count)).long()
