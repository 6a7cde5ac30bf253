"""Stages of the training-only networks: the text-image model and the identity net."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import TOKENIZER_NAME, Checkpoint, write_part
from textedit_core.config import ClipTraining, IdentityTraining, ModelConfig
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.face_identity import ArcFaceHead, IdentityNet
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.training.data import FaceDataset
from textedit_core.training.loop import Player

# Unit embeddings are too short for confident readings by weights of ordinary size.
EMBEDDING_SCALE = 10.0


class ClipStage:
    """Trains the text-image model on the captions that the renderer wrote (symmetric InfoNCE).

    A batch holds several views of each person, so that hair, sex and eyes tell nothing apart and the network has to look at age, mood
    and style. Each image is embedded once and matched with each of its captions in turn, since texts are cheap and images are not.

    A linear layer also reads the renderer's ground truth (smile, age, sex, style) from the image's embedding. Alone, the contrastive
    loss does not find a detail that neither tower tells apart yet: a smile was still missed after 80,000 images. The embedding and not
    the features below it, so that the texts meet the detail in the common space.

    A checkpoint that has a text-image model already is trained on from it, so that a finished run can be prolonged.
    """

    name = "clip"

    def __init__(self, model: ModelConfig, recipe: ClipTraining, data: FaceDataset, batch_size: int, checkpoint: Checkpoint) -> None:
        self.data, self.batch_size, self.directory = data, batch_size, checkpoint.directory
        self.views = recipe.views_per_person
        self.rows_of = [torch.nonzero(data.identities == person).flatten() for person in range(data.num_identities)]
        self.captions_per_image = min(len(label["captions"]) for label in data.labels)
        self.clip = _started_clip(model, data, checkpoint)
        self.attribute_weight = recipe.attribute_weight
        self.attributes = standardised_attributes(data)
        self.attribute_head = nn.Linear(model.clip.embed_dim, self.attributes.shape[1])
        networks = nn.ModuleDict({"clip": self.clip, "attributes": self.attribute_head})
        self.players = [Player("clip", networks, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self._rows_of_some_people(generator)
        images = jittered(self.data.images(rows), generator)
        embeddings = self.clip.encode_image(images.contiguous(memory_format=torch.channels_last))
        captions = [self.data.labels[row]["captions"] for row in rows.tolist()]
        turns = range(self.captions_per_image)
        contrastive = torch.stack([self.clip.embedding_loss(embeddings, [texts[turn] for texts in captions]) for turn in turns]).mean()
        attributes = F.mse_loss(self.attribute_head(EMBEDDING_SCALE * embeddings).float(), self.attributes[rows])
        loss = contrastive + self.attribute_weight * attributes
        return {"loss": loss, "contrastive": contrastive.detach(), "attributes": attributes.detach()}

    def _rows_of_some_people(self, generator: torch.Generator) -> Tensor:
        people = torch.randint(len(self.rows_of), (-(-self.batch_size // self.views),), generator=generator)
        picks = torch.randint(1 << 30, (len(people), self.views), generator=generator)
        rows = [self.rows_of[person][pick % len(self.rows_of[person])] for person, pick in zip(people.tolist(), picks, strict=True)]
        return torch.cat(rows)[: self.batch_size]

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return None

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["clip"]
        assert isinstance(networks, nn.ModuleDict)
        write_part(self.directory, "clip", networks["clip"])
        (self.directory / TOKENIZER_NAME).write_text(self.clip.tokenizer.to_json(), "utf8")


def _started_clip(model: ModelConfig, data: FaceDataset, checkpoint: Checkpoint) -> ClipModel:
    if "clip.safetensors" in checkpoint.files:
        clip = checkpoint.load_clip().train().requires_grad_(True)
    else:
        tokenizer = PromptTokenizer.from_captions(data.captions(), model.clip.vocab_size, model.clip.context_length)
        clip = ClipModel(model.clip, tokenizer)
    return clip.to(memory_format=torch.channels_last)


def standardised_attributes(data: FaceDataset) -> Tensor:
    """Smile, age, sex, glasses and style of each image as float32 [N,6] of zero mean and unit variance over the dataset."""
    shown = [label["attributes"] for label in data.labels]
    columns = [[label[name] for name in ("smile", "age_years", "male", "glasses")] for label in shown]
    styles = [[float(label["style"] == style) for style in ("sketch", "cartoon")] for label in shown]
    values = torch.cat([torch.tensor(columns, dtype=torch.float32), torch.tensor(styles)], dim=1)
    return (values - values.mean(0)) / values.std(0).clamp(min=1e-6)


class IdentityStage:
    """Trains the identity net on the renderer's identities with the ArcFace margin; every style and age of a person is one class."""

    name = "identity"

    def __init__(self, model: ModelConfig, recipe: IdentityTraining, data: FaceDataset, batch_size: int, checkpoint: Path) -> None:
        self.data, self.batch_size, self.checkpoint = data, batch_size, checkpoint
        self.net = IdentityNet(model.identity).to(memory_format=torch.channels_last)
        self.head = ArcFaceHead(model.identity.embed_dim, data.num_identities, recipe.scale, recipe.margin)
        self.players = [Player("identity", nn.ModuleList([self.net, self.head]), self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        images = jittered(self.data.images(rows), generator).contiguous(memory_format=torch.channels_last)
        return {"loss": self.head.loss(self.net.embed(images), self.data.identities[rows])}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return None

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        modules = averaged["identity"]
        assert isinstance(modules, nn.ModuleList)
        write_part(self.checkpoint, "identity", modules[0])


def jittered(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random mirror, brightness, contrast and a shift of up to 3% per image of float [B,3,H,W]; stays in [-1,1]."""
    count, side = images.shape[0], images.shape[-1]
    mirrored = torch.rand(count, generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    contrast = 1.0 + 0.2 * (2.0 * torch.rand(count, 1, 1, 1, generator=generator) - 1.0)
    brightness = 0.15 * (2.0 * torch.rand(count, 1, 1, 1, generator=generator) - 1.0)
    reach = max(1, round(0.03 * side))
    shift = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    return (images * contrast + brightness).roll(shift, (-2, -1)).clamp(-1.0, 1.0)
