"""The clip stage: images and captions meet in one space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import TOKENIZER_NAME, Checkpoint, write_part
from textedit_core.config import ModelConfig
from textedit_core.errors import UserError
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.training.augmentation import augmented
from textedit_core.training.data import FaceDataset, require_several_people
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.image_source import ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import StageRun, StageSpec, clip_size

# Unit embeddings are too short for confident readings by weights of ordinary size.
EMBEDDING_SCALE = 10.0
# How many views of each person share a batch.
VIEWS_PER_PERSON = 4


class ClipStage(Stage):
    """Trains the text-image model on the captions that the renderer wrote (symmetric InfoNCE).

    A batch holds several views of each person, so that hair, sex and eyes tell nothing apart and the network has to look at age, mood
    and style. Each image is embedded once and matched with each of its captions in turn, since texts are cheap and images are not.

    A linear layer also reads the renderer's ground truth (smile, age, sex, style, ...) from the image's embedding. Alone, the contrastive
    loss does not find a detail that neither tower tells apart yet: a smile was still missed after 80,000 images. The embedding and not
    the features below it, so that the texts meet the detail in the common space. The same layer reads the caption's embedding: what a
    caption says has to be there, what it leaves open settles at the mean. Without it texts that differ in a detail alone stay one point
    long after images do not.

    A checkpoint that has a text-image model already is trained on from it, so that a finished run can be prolonged. In a team, each
    process embeds its images and all compare the embeddings of the whole batch.

    Raises:
        UserError: the images are all of one person or carry no captions.
    """

    name = "clip"

    def __init__(self, model: ModelConfig, data: FaceDataset, batch_size: int, checkpoint: Checkpoint, team: Team = SOLO) -> None:
        self.batch_size, self.team, self.directory = batch_size, team, checkpoint.directory
        self.images = ImageSource(data, team.device)
        self.rows_of = [torch.nonzero(data.identities == person).flatten() for person in range(data.num_identities)]
        require_several_people(data, self.name)
        self.captions = [label["captions"] for label in data.labels]
        self.captions_per_image = min(len(captions) for captions in self.captions)
        if not self.captions_per_image:
            raise UserError(f"{str(data.folder)!r} has images without captions; the clip stage needs one for each, render them again")
        self.clip = _started_clip(model, data, checkpoint).to(team.device, memory_format=torch.channels_last)
        self.attributes = standardised_attributes(data).to(team.device)
        self.attribute_head = nn.Linear(model.clip.embed_dim, self.attributes.shape[1])
        networks = nn.ModuleDict({"clip": self.clip, "attributes": self.attribute_head})
        self.players = [Player("clip", networks, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self._rows_of_some_people(generator)
        own = self.team.shard(rows)
        images = augmented(self.images(own), generator, self.team)
        part = self.clip.encode_image(images.contiguous(memory_format=torch.channels_last))
        embeddings = self.team.gather(part)
        captions = [self.captions[row] for row in rows.tolist()]
        contrasts, said = [], []
        for turn in range(self.captions_per_image):
            texts = [of_image[turn] for of_image in captions]
            embedded = self.clip.encode_text(texts)
            contrasts.append(self.clip.embedding_loss(embeddings, embedded, texts))
            said.append(self._misread(embedded, rows))
        terms = {"contrastive": torch.stack(contrasts).mean(), "attributes": self._misread(part, own), "said": torch.stack(said).mean()}
        loss = terms["contrastive"] + (terms["attributes"] + terms["said"])
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    def _misread(self, embeddings: Tensor, rows: Tensor) -> Tensor:
        """Mean squared error of the attributes of images `rows`, read from embeddings [B,E] of the images or of their captions."""
        return F.mse_loss(self.attribute_head(EMBEDDING_SCALE * embeddings).float(), self.attributes[rows.to(self.team.device)])

    def _rows_of_some_people(self, generator: torch.Generator) -> Tensor:
        people = torch.randint(len(self.rows_of), (-(-self.batch_size // VIEWS_PER_PERSON),), generator=generator)
        picks = torch.randint(1 << 30, (len(people), VIEWS_PER_PERSON), generator=generator)
        rows = [self.rows_of[person][pick % len(self.rows_of[person])] for person, pick in zip(people.tolist(), picks, strict=True)]
        return torch.cat(rows)[: self.batch_size]

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["clip"]
        assert isinstance(networks, nn.ModuleDict)
        write_part(self.directory, "clip", networks["clip"])
        (self.directory / TOKENIZER_NAME).write_text(self.clip.tokenizer.to_json(), "utf8")


def _started_clip(model: ModelConfig, data: FaceDataset, checkpoint: Checkpoint) -> ClipModel:
    if "clip.safetensors" in checkpoint.files:
        return checkpoint.load_clip().train().requires_grad_(True)
    tokenizer = PromptTokenizer.from_captions(data.captions(), model.clip.vocab_size, model.clip.context_length)
    return ClipModel(model.clip, tokenizer)


def standardised_attributes(data: FaceDataset) -> Tensor:
    """Every attribute of each image as float32 [N,A] of zero mean and unit variance; a name becomes one column per value that occurs."""
    attributes = [label["attributes"] for label in data.labels]
    columns = []
    for name, example in sorted(attributes[0].items()):
        values = [image[name] for image in attributes]
        if isinstance(example, str):
            columns += [[float(value == choice) for value in values] for choice in sorted(set(values))]
        else:
            columns.append(values)
    table = torch.tensor(columns, dtype=torch.float32).T
    return (table - table.mean(0)) / table.std(0).clamp(min=1e-6)


def _build(run: StageRun) -> ClipStage:
    return ClipStage(run.model, run.data, run.batch_size, run.checkpoint, run.team)


STAGE = StageSpec(
    name="clip",
    trains="the CLIP model (text and image encoder): images and their captions",
    pace=LoopConfig(64_000, batch_size=64, learning_rate=1e-3, matrix_rate=1e-2, warmup_images=4000, ema_half_life_images=4000),
    build=_build,
    image_size=clip_size,
)
