"""What editors need of the training faces, computed once per run: latents, and how the perception networks see the unedited faces.

Kept beside the run as `cache/faces-KEY.safetensors`; the key is a hash of the networks and of the faces, so a new prompt finds the file
and a changed encoder does not.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import track
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint, save_weights
from textedit_core.errors import UsageError, UserError
from textedit_core.hashing import sha256_of
from textedit_core.losses.latent import LatentSpread, latent_spread
from textedit_core.losses.picture_change import small_picture
from textedit_core.training.augmentation import View, draw_view
from textedit_core.training.distributed import Team
from textedit_core.training.editor_networks import FrozenNetworks
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.encoded_faces import StoredLatents, latents_of
from textedit_core.training.image_source import ImageRows

# Raised whenever the same networks and faces would give other numbers.
CACHE_VERSION = 4
MIN_FACES = 8
# So many images, of every style that the data has, say how latents are spread.
SPREAD_IMAGES = 3000
_CHUNK = 64
_PARTS = ("encoder", "decoder", "clip", "identity")


class NamedImages(ImageRows, Protocol):
    """Images that can be told from others: each label holds the sha256 of its image.

    `of_every_style` is the whole of which these images are a part: an editor starts from photographs, but may lead elsewhere.
    """

    folder: Path

    @property
    def labels(self) -> list[dict[str, Any]]: ...

    def of_every_style(self) -> NamedImages: ...


# What an editor starts from.
EditorData = NamedImages | StoredLatents


@dataclass(frozen=True)
class Unedited:
    """Unedited faces as the perception networks see them.

    Attributes:
        image: CLIP's embeddings [B,E] of ``G(w)``.
        identity: the face-recognition network's, [B,F].
        picture: RGB [B,3,H,W] in [-1,1], of any size.
        photo_identity: the face-recognition network's embeddings [B,F] of the photos; None where there are latents alone.
    """

    image: Tensor
    identity: Tensor
    picture: Tensor
    photo_identity: Tensor | None


@dataclass(frozen=True)
class FaceMemory:
    """Unedited training faces, float32, on the device that trains.

    Attributes:
        latents: w_plus [N,L,D].
        sources: the text-image model's unit-norm embeddings of the preview of G(w), as seen in each of V ways, [V,N,E].
        source_identities: the recogniser's, [V,N,F].
        photo_identities: the recogniser's of the photos themselves, [N,F]; None where there were latents alone.
        pictures: the preview of G(w), small, RGB [N,3,P,P] in [-1,1].
        unit, precision: the `spread` of the latents of images of every style, scalar and [D,D].
        ways: the V ways, each a view of all N faces; None is the picture itself.
    """

    latents: Tensor
    sources: Tensor
    source_identities: Tensor
    pictures: Tensor
    unit: Tensor
    precision: Tensor
    ways: tuple[View | None, ...]
    photo_identities: Tensor | None = None

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def spread(self) -> LatentSpread:
        """How far faces of every style lie apart."""
        return LatentSpread(self.unit, self.precision)

    @property
    def views(self) -> int:
        """V."""
        return len(self.sources)

    def photo_identity(self, rows: Tensor) -> Tensor | None:
        """The recogniser's embeddings [B,F] of the photos of faces `rows`, None where there are no photos."""
        return None if self.photo_identities is None else self.photo_identities[rows]

    def unedited(self, rows: Tensor, view: int) -> Unedited:
        """Faces `rows` int64 [B] as the perception networks saw them in that view."""
        return Unedited(self.sources[view, rows], self.source_identities[view, rows], self.pictures[rows], self.photo_identity(rows))

    def draw_view(self, generator: torch.Generator) -> int:
        """The way in which the perception networks look at the next batch."""
        return int(torch.randint(self.views, (), generator=generator))

    def seen(self, images: Tensor, rows: Tensor, view: int) -> Tensor:
        """Edited faces [B,3,H,W] in [-1,1], of faces `rows`, moved and tinted exactly as the unedited ones were in that view."""
        return _through(self.ways[view], images, rows)


def drawn_ways(faces: int, views: int, team: Team) -> tuple[View | None, ...]:
    """The ways in which the perception networks see each face: as it is, then `views` - 1 random ones that are the same in every run."""
    alone = Team(team.device)
    return (None, *(draw_view(faces, torch.Generator().manual_seed(view), alone) for view in range(1, views)))


def _through(way: View | None, images: Tensor, rows: Tensor) -> Tensor:
    if way is None:
        return images
    return View(*(getattr(way, field.name)[rows] for field in dataclasses.fields(View)))(images)


def remember_faces(
    checkpoint: Checkpoint, data: EditorData, recipe: EditorTraining, networks: FrozenNetworks, team: Team, folder: Path
) -> FaceMemory:
    """Reads the cache for these networks and faces, or fills it.

    Args:
        checkpoint: names the networks by their hashes.
        data: training photos, or latents in their place; `recipe.faces` of them are taken, spread evenly over the people.
        recipe: says how many faces, and in how many ways they are seen.
        networks: the checkpoint's frozen networks, on the team's device.
        team: rank 0 writes.
        folder: holds the caches.

    Raises:
        UsageError: the recipe compares with photos, and there are latents alone.
        UserError: there are too few faces to train on.
    """
    if isinstance(data, StoredLatents) and recipe.identity_weight and recipe.identity_target == "photo":
        raise UsageError("latents have no photo to compare with: give --identity-target reconstruction, or photos with --data")
    rows = torch.linspace(0, len(data) - 1, min(recipe.faces, len(data))).long()
    if len(rows) < MIN_FACES:
        raise UserError(f"{len(rows)} training faces in {str(data.folder)!r} are too few for an editor; it needs {MIN_FACES}: render more")
    pool = data.of_every_style()
    path = folder / f"faces-{cache_key(checkpoint, data, rows, pool, recipe.views)}.safetensors"
    ways = drawn_ways(len(rows), recipe.views, team)
    with team.main_process_first():
        stored = _stored(path)
        if stored is None:
            stored = _looked_at(data, rows, ways, networks, team)
            spread = spread_of(pool, networks.encoder, team)
            stored |= {"unit": spread.unit.cpu(), "precision": spread.precision.cpu()}
            if team.is_main_process:
                save_weights(stored, path, torch.float32)
    return FaceMemory(**{name: tensor.to(team.device) for name, tensor in stored.items()}, ways=ways)


def cache_key(checkpoint: Checkpoint, data: EditorData, rows: Tensor, pool: EditorData, views: int) -> str:
    """Sixteen hex digits that stand for the networks, the faces and the ways of looking at them."""
    parts = [checkpoint.files[f"{name}.safetensors"]["sha256"] for name in _PARTS]
    listed = ((data.labels, rows), (pool.labels, _spread_rows(pool)))
    faces = [labels[row]["sha256"] for labels, some in listed for row in some.tolist()]
    seen = "latents" if isinstance(data, StoredLatents) else data.pixel.size
    document = json.dumps([CACHE_VERSION, parts, faces, seen, views])
    return sha256_of(document.encode())[:16]


def _stored(path: Path) -> dict[str, Tensor] | None:
    try:
        return load_file(str(path))
    except (OSError, SafetensorError):
        # Absent or damaged: it holds nothing that cannot be computed again.
        return None


@torch.no_grad()
def spread_of(data: ImageRows | StoredLatents, encoder: nn.Module, team: Team) -> LatentSpread:
    """How the encoder's latents of images, or stored latents, are spread; some of many are taken."""
    look = latents_of(data, encoder, team.device)
    chunks = track(_spread_rows(data).split(_CHUNK), "encoding the spread", console=Console(stderr=True), disable=not team.is_main_process)
    return latent_spread(torch.cat([look(chunk)[0] for chunk in chunks]))


def _spread_rows(data: ImageRows | StoredLatents) -> Tensor:
    return torch.linspace(0, len(data) - 1, min(SPREAD_IMAGES, len(data))).long()


@torch.no_grad()
def _looked_at(data: EditorData, rows: Tensor, ways: tuple[View | None, ...], networks: FrozenNetworks, team: Team) -> dict[str, Tensor]:
    look = latents_of(data, networks.encoder, team.device)
    joined_along = {"latents": 0, "sources": 1, "source_identities": 1, "photo_identities": 0, "pictures": 0}
    columns: dict[str, list[Tensor]] = {name: [] for name in joined_along}
    chunks = torch.arange(len(rows)).split(_CHUNK)
    for index in track(chunks, "encoding faces", console=Console(stderr=True), disable=not team.is_main_process):
        w_plus, photos = look(rows[index])
        preview = networks.preview(w_plus)
        views = [_through(way, preview, index) for way in ways]
        columns["latents"].append(w_plus)
        columns["sources"].append(torch.stack([networks.clip.encode_image(view) for view in views]))
        columns["source_identities"].append(torch.stack([networks.identity.embed(view) for view in views]))
        columns["pictures"].append(small_picture(preview))
        if photos is not None:
            columns["photo_identities"].append(networks.identity.embed(photos))
    return {name: torch.cat(columns[name], dim).float().cpu() for name, dim in joined_along.items() if columns[name]}
