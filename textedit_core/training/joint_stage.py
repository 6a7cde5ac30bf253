"""Joint fine-tuning: encoder, decoder and every editor move together, so that each learns what the others really produce."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.decoder.layers import EQUALIZED_RATE
from textedit_core.editor import LatentEditor
from textedit_core.encoder import Encoder, PyramidEncoder
from textedit_core.errors import unknown_name
from textedit_core.latents import apply_edit
from textedit_core.losses.combine import ReconstructionObjective, ReconstructionWeights
from textedit_core.perception.text_pairs import embed_prompt
from textedit_core.prompts import Prompt
from textedit_core.training.data import FaceDataset
from textedit_core.training.decoder_stage import template_focus
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.editor_networks import FrozenNetworks
from textedit_core.training.editor_objective import EditorCriterion, edit_inputs
from textedit_core.training.editor_recipe import EDITOR_RECIPES, EditorTraining
from textedit_core.training.encoded_faces import SampleFaces, encoded
from textedit_core.training.encoder_stage import EncoderTraining
from textedit_core.training.image_source import ImageSource
from textedit_core.training.latent_cache import Unedited, spread_of
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import Additions, Changes, Recipes, StageRun, StageSpec
from textedit_core.training.strength import calibrated, calibration_rows

_SAMPLE_FACES = 8
PARTS = ("encoder", "decoder", "editors")


@dataclass(frozen=True)
class JointTraining:
    """Which `parts` move; and the recipes of the prompts, by id, that have one of their own."""

    parts: tuple[str, ...] = PARTS
    editors: Mapping[str, EditorTraining] = field(default_factory=dict)


class JointStage(Stage):
    """Reconstruction of photos and one prompt's edit per step, prompts taking turns by chance.

    Photos are compared at the decoder's size; an encoder that looks at smaller ones gets them reduced.

    After `finish`, `prompts` are the prompts with their strengths calibrated anew.

    Args:
        joint: which of "encoder", "decoder" and "editors" move; the others stay frozen. Unless all do, they are in the stage's name, so
            that fine-tuning encoder and decoder before there are editors, and all of them later, are two stages of one run.
        reconstruction: weights of what compares photo and reconstruction.
        recipe: of the edits, for prompts that have none of their own.
    """

    def __init__(
        self,
        joint: JointTraining,
        reconstruction: EncoderTraining,
        recipe: EditorTraining,
        data: FaceDataset,
        heldout: FaceDataset,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
    ) -> None:
        parts = joint.parts
        for part in parts:
            if part not in PARTS:
                raise unknown_name("part", part, list(PARTS), "joint training moves")
        self.name = "-".join(["joint", *(() if set(parts) == set(PARTS) else parts)])
        self.batch_size, self.team = batch_size, team
        self.images, self.count = ImageSource(data, team.device), len(data)
        self.heldout_images = ImageSource(heldout, team.device).first(_SAMPLE_FACES)
        self.directory, self.prompts = checkpoint.directory, checkpoint.prompts
        own = [name for name, prompt in checkpoint.prompts.items() if not prompt.conditioned]
        editors = nn.ModuleDict({name: checkpoint.load_editor(name) for name in own})
        networks = {"encoder": checkpoint.load_encoder(), "decoder": checkpoint.load_decoder(), "editors": editors}
        for name, network in networks.items():
            network.requires_grad_(name in parts)
        self.moving, self.frozen = parts, [network for name, network in networks.items() if name not in parts]
        self.networks = nn.ModuleDict(networks).to(team.device, memory_format=torch.channels_last)
        self.clip, self.identity = checkpoint.load_clip().to(team.device), checkpoint.load_identity().to(team.device)
        self.texts = {name: embed_prompt(self.clip, checkpoint.prompts[name]) for name in own}
        self.focus = template_focus(checkpoint.config.decoder.img_resolution, checkpoint.config.crop).to(team.device)
        weights = ReconstructionWeights(
            pixel=reconstruction.pixel,
            gradient=reconstruction.pixel,
            perceptual=reconstruction.perceptual,
            identity=reconstruction.identity,
        )
        self.reconstruction = ReconstructionObjective(weights, self.identity.embed, self.clip.features)
        self.data, self.recipes = data, {name: joint.editors.get(name, recipe) for name in own}
        rates = {"decoder.": EQUALIZED_RATE, "editors.": EQUALIZED_RATE}
        self.players = [Player("joint", self.networks, self._losses, rates=rates)]

    def prepare(self) -> None:
        """Encodes the faces that say how latents are spread, as they are when the stage begins; fine-tuning moves them little."""
        spread = spread_of(self.data, self.networks["encoder"].eval(), self.team) if self.recipes else None
        self.criteria = {} if spread is None else {name: EditorCriterion(each, spread) for name, each in self.recipes.items()}

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        # The loop puts the whole player in training mode, in which a frozen batch norm would still follow the data.
        for network in self.frozen:
            network.eval()
        photos = self.images(self.team.shard(torch.randint(self.count, (self.batch_size,), generator=generator)))
        w_plus = encoded(self.networks["encoder"], photos)
        reconstruction = self.networks["decoder"](w_plus).float()
        result = self.reconstruction(reconstruction, photos, self.focus)
        losses = {"loss": result.total, **result.terms}
        if self.texts:
            pick = int(torch.randint(len(self.texts), (1,), generator=generator))
            edit = self._edit_losses(sorted(self.texts)[pick], photos, w_plus, reconstruction)
            losses["loss"] = losses["loss"] + edit.pop("edit")
            losses.update(edit)
        return losses

    def _edit_losses(self, prompt: str, photos: Tensor, w_plus: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        editors = self.networks["editors"]
        assert isinstance(editors, nn.ModuleDict)
        delta_w = editors[prompt](w_plus).float()
        edited = self.networks["decoder"].preview(apply_edit(w_plus, delta_w, 1.0)).float()
        with torch.no_grad():
            image, identities = self.clip.encode_image(reconstruction), (self.identity.embed(reconstruction), self.identity.embed(photos))
        before = Unedited(image, identities[0], reconstruction.detach(), identities[1])
        around = FrozenNetworks(self.networks["encoder"], self.networks["decoder"], self.clip, self.identity)
        inputs = edit_inputs(self.recipes[prompt], around, before, delta_w, edited, edited, self.texts[prompt])
        losses = self.criteria[prompt](inputs)
        return {"edit": losses["loss"], f"{prompt}/text_match": losses["text_match"]}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        networks = averaged["joint"]
        assert isinstance(networks, nn.ModuleDict)
        shown = SampleFaces(encoded(networks["encoder"], self.heldout_images), self.heldout_images)
        edited = [apply_edit(shown.w_plus, editor(shown.w_plus), 1.0) for editor in networks["editors"].values()]
        return shown.grid(networks["decoder"], edited)

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["joint"]
        assert isinstance(networks, nn.ModuleDict)
        # A frozen part keeps its file: averaging would turn its -0.0 into 0.0, which are equal numbers but not equal bytes.
        for part in ("encoder", "decoder"):
            if part in self.moving:
                write_part(self.directory, part, networks[part])
        self.prompts = {**self.prompts, **self._calibrated(networks)}

    @torch.no_grad()
    def _calibrated(self, networks: nn.ModuleDict) -> dict[str, Prompt]:
        """Writes every editor at the strength that suits what the networks have become, and returns the prompts' records."""
        encoder, editors = networks["encoder"], networks["editors"]
        assert isinstance(encoder, (Encoder, PyramidEncoder)) and isinstance(editors, nn.ModuleDict)
        around = FrozenNetworks(encoder, networks["decoder"], self.clip, self.identity)
        latents = encoded(encoder, self.images(calibration_rows(self.count)))
        sources = self.clip.encode_image(around.preview(latents))
        records = {}
        for name, averaged in editors.items():
            editor = copy.deepcopy(averaged)
            assert isinstance(editor, LatentEditor)
            found = calibrated(self.prompts[name], editor, around, latents, sources, self.texts[name], self.recipes[name].completion)
            records[name] = found
            write_part(self.directory, f"editors/{name}", editor)
        return records


def _build(run: StageRun) -> JointStage:
    recipes = run.recipes
    return JointStage(
        recipes["joint"], recipes["encoder"], recipes["editor"], run.data, run.heldout, run.batch_size, run.checkpoint, run.team
    )


def _lay_over(changes: Changes) -> Recipes:
    """What is changed in the general recipe of the edits is changed in those of the reference prompts too."""
    edit = changes.get("editor", {})
    return {
        "encoder": dataclasses.replace(EncoderTraining(), **changes.get("encoder", {})),
        "editor": dataclasses.replace(EditorTraining(), **edit),
        "joint": JointTraining(
            **{**changes.get("joint", {}), "editors": {name: dataclasses.replace(each, **edit) for name, each in EDITOR_RECIPES.items()}}
        ),
    }


def _edits(recipes: Recipes) -> bool:
    # Encoder and decoder alone also keep what edits lead to.
    return "editors" in recipes["joint"].parts


def _adds(stage: JointStage) -> Additions:
    return Additions(prompts=tuple(stage.prompts.values()))


STAGE = StageSpec(
    name="joint",
    trains="encoder, decoder and editors together",
    pace=LoopConfig(images=4_000, learning_rate=2e-4, sample_images=2000),
    build=_build,
    recipes={"encoder": EncoderTraining(), "editor": EditorTraining(), "joint": JointTraining()},
    data=("rendered", "photos"),
    photos_only=_edits,
    adds=_adds,
    lay_over=_lay_over,
)
