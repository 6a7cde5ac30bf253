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
from textedit_core.editor import TextConditionedEditor
from textedit_core.editor.config import text_editor_config
from textedit_core.errors import UserError
from textedit_core.latents import apply_edit
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.text_pairs import TextPair
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.editor_networks import load_frozen
from textedit_core.training.editor_objective import EditorCriterion, remembered_edit, require_known_losses
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.encoded_faces import StoredLatents, sample_faces
from textedit_core.training.image_source import ImageRows
from textedit_core.training.latent_cache import EditorData, remember_faces
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.prompt_space import EditText, prompt_space, split_texts, understood
from textedit_core.training.stage_spec import Additions, StageRun, StageSpec, encoder_size, photographs_alone
from textedit_core.training.strength import share_at

# One text in so many, by its hash, is never shown; so many share a batch.
HELDOUT_EVERY = 8
TEXTS_PER_BATCH = 8
REPORT_NAME = "text-editor.json"
# Texts of each kind that the report measures, each on as many faces.
MEASURED_TEXTS, MEASURED_FACES = 24, 4
_SAMPLE_FACES, _SAMPLE_TEXTS = 8, 4


class TextEditorStage(Stage):
    """Trains the text-conditioned editor with encoder, decoder and perception networks frozen; each batch holds several texts.

    After `finish`, `report` says which share of the way from neutral to target text strength 1 covers, for texts that were shown and
    for texts that were not; it is also written beside the run.

    Args:
        recipe: losses and weights, as for one prompt.
        data, heldout, batch_size, checkpoint, team: as in EditorStage.

    Raises:
        UserError: the checkpoint lacks a part, the faces are too few, or its text-image model knows too few of the texts.
    """

    name = "text-editor"

    def __init__(
        self,
        recipe: EditorTraining,
        data: EditorData,
        heldout: ImageRows | StoredLatents,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
    ) -> None:
        self.recipe, self.batch_size, self.team = recipe, batch_size, team
        self.directory = checkpoint.directory
        require_known_losses(recipe)
        self.networks = load_frozen(checkpoint, team.device)
        clip = self.networks.clip
        self.seen, self.unseen = split_texts(understood(prompt_space(), clip.tokenizer), HELDOUT_EVERY)
        if len(self.seen) < TEXTS_PER_BATCH or not self.unseen:
            raise UserError(
                f"the text-image model of {str(checkpoint.directory)!r} knows the words of {len(self.seen) + len(self.unseen)} texts, too "
                f"few for an editor of many; it needs {TEXTS_PER_BATCH} to learn from and others to be measured on"
            )
        self.pairs, self.unseen_pairs = _embedded(clip, self.seen), _embedded(clip, self.unseen)
        self.editor = TextConditionedEditor(text_editor_config(checkpoint.config.editor), checkpoint.config.clip.embed_dim)
        self.editor.move_only(recipe.groups)
        self.checkpoint, self.data, self.heldout = checkpoint, data, heldout
        self.report: dict[str, Any] = {}
        self.players = [Player("editor", self.editor, self._losses)]

    def prepare(self) -> None:
        """Encodes the faces, or finds them in the cache."""
        cache = self.directory.parent / "cache"
        self.faces = remember_faces(self.checkpoint, self.data, self.recipe, self.networks, self.team, cache)
        self.criterion = EditorCriterion(self.recipe, self.faces.spread)
        self.shown = sample_faces(self.heldout, self.networks.encoder, self.team.device, _SAMPLE_FACES)

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self.team.shard(torch.randint(len(self.faces), (self.batch_size,), generator=generator))
        drawn = torch.randint(len(self.seen), (min(TEXTS_PER_BATCH, self.batch_size),), generator=generator)
        picks = self.team.shard(drawn.repeat(-(-self.batch_size // len(drawn)))[: self.batch_size])
        view = self.faces.draw_view(generator)
        pair = TextPair(self.pairs.text[picks], self.pairs.neutral[picks])
        # In units of how far faces lie apart, so that one learning rate suits every latent space.
        delta_w = self.faces.unit * self.editor(self.faces.latents[rows], F.normalize(pair.way, dim=-1)).float()
        return remembered_edit(self.criterion, self.networks, self.faces, rows, view, delta_w, pair)

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


def _build(run: StageRun) -> TextEditorStage:
    return TextEditorStage(run.recipes["editor"], run.data, run.heldout, run.batch_size, run.checkpoint, run.team)


def _adds(stage: TextEditorStage) -> Additions:
    return Additions(provenance={"share_of_way": stage.report} if stage.report else {})


STAGE = StageSpec(
    name="text-editor",
    trains="one editor for many texts",
    pace=LoopConfig(images=48_000, learning_rate=1e-2),
    build=_build,
    recipes={"editor": EditorTraining()},
    data=("rendered", "photos", "latents"),
    image_size=encoder_size,
    photos_only=photographs_alone,
    adds=_adds,
)
