"""The judges' folder: two files of weights and judges.json with their hashes, sizes, origin and held-out accuracy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from textedit_core.checkpoints.store import file_entry, load_weights
from textedit_core.errors import UserError
from textedit_core.judges.attribute_table import ATTRIBUTES
from textedit_core.judges.config import AttributeJudgeConfig, IdentityJudgeConfig, JudgesConfig
from textedit_core.judges.networks import AttributeNet, IdentityJudgeNet

FORMAT_VERSION = 1
INDEX_NAME = "judges.json"
ATTRIBUTES_NAME = "attributes.safetensors"
IDENTITY_NAME = "identity.safetensors"
SHIPPED = Path(__file__).resolve().parent / "weights"
# Pictures that go through a network at once; bounds the memory.
_BATCH = 64


@dataclass(frozen=True)
class Judges:
    """Two frozen networks that look at pictures, and `card`, what is known of their own accuracy on people they never saw.

    Every method takes aligned RGB photos, float [N,3,H,W] in [-1,1] of any size, and runs without gradients: judges measure, they do not
    train. `card` is described at `measurement.measure_judges`; `provenance` says what they were trained on.
    """

    attribute_net: AttributeNet
    identity_net: IdentityJudgeNet
    card: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def image_size(self) -> int:
        """The side in pixels to which the attribute judge shrinks what it sees: its measurements load pictures of this size."""
        return self.attribute_net.cfg.image_size

    def attributes(self, images: Tensor) -> dict[str, Tensor]:
        """What the pictures show, under the names of `synthetic.attributes`, all float32.

        Returns:
            smile, brow_raise, mouth_open, sad, angry, eyes_closed, male, glasses, melanin: [N] in 0..1; age_years: [N]; yaw, pitch: [N]
            degrees; hair_color [N,6] and style [N,3]: probabilities in the orders of HAIR_COLORS and STYLES. The hair colour and the
            melanin of a sketch mean nothing.
        """
        outputs = _in_batches(self.attribute_net, images)
        return {a.name: a.read(torch.cat([output[a.name] for output in outputs])) for a in ATTRIBUTES}

    def identity(self, images: Tensor) -> Tensor:
        """Unit-norm embeddings float32 [N,E]; `card["identity"]["all"]["threshold"]` is the cosine that parts equal from other people."""
        return F.normalize(torch.cat(_in_batches(self.identity_net, images)), dim=-1)

    def perceptual_distance(self, first: Tensor, second: Tensor) -> Tensor:
        """How different two pictures look to the attribute judge, float32 [N], symmetric, 0 for equal pictures and at most 4.

        Features of every stage of the trunk, of unit length per position, are compared by their squared distance, averaged over
        positions and then over stages: the distance of Zhang et al. 2018 (equation 1) without learned weights.
        """
        pairs = zip(first.split(_BATCH), second.split(_BATCH), strict=True)
        return torch.cat([self._distance(a, b) for a, b in pairs])

    @torch.no_grad()
    def _distance(self, first: Tensor, second: Tensor) -> Tensor:
        stages = zip(self.attribute_net.features(first), self.attribute_net.features(second), strict=True)
        differences = [F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1) for a, b in stages]
        return torch.stack([difference.square().sum(dim=1).mean(dim=(1, 2)) for difference in differences]).mean(dim=0)


def judges_of(attribute_net: AttributeNet, identity_net: IdentityJudgeNet, card: dict[str, Any], provenance: dict[str, Any]) -> Judges:
    """Freezes two networks into judges."""
    for net in (attribute_net, identity_net):
        net.eval().requires_grad_(False)
    return Judges(attribute_net, identity_net, card, provenance)


def open_judges(path: Path | None = None) -> Judges:
    """Opens a judges' folder; None opens the shipped one.

    Raises:
        UserError: the folder, its index or a file is missing, damaged or of another version.
    """
    folder = path if path is not None else SHIPPED
    index = _read_index(folder)
    try:
        config = judges_config_from_dict(index["config"])
        for name in (ATTRIBUTES_NAME, IDENTITY_NAME):
            _verify(folder / name, index["files"][name])
        nets = AttributeNet(config.attributes), IdentityJudgeNet(config.identity)
        card, provenance = index["card"], index["provenance"]
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{str(folder / INDEX_NAME)!r} is damaged: {type(error).__name__} {error}; release the judges again") from None
    load_weights(nets[0], folder / ATTRIBUTES_NAME)
    load_weights(nets[1], folder / IDENTITY_NAME)
    return judges_of(*nets, card, provenance)


def index_of(folder: Path, config: JudgesConfig, card: dict[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """The contents of judges.json for the weights that lie in `folder`."""
    return {
        "format_version": FORMAT_VERSION,
        "config": dataclasses.asdict(config),
        "files": {name: file_entry(folder / name) for name in (ATTRIBUTES_NAME, IDENTITY_NAME)},
        "provenance": provenance,
        "card": card,
    }


def judges_config_from_dict(values: dict[str, Any]) -> JudgesConfig:
    """Restores what `dataclasses.asdict` made of a JudgesConfig, also after JSON turned its tuples into lists.

    Raises:
        KeyError, TypeError: a key is missing or unknown.
    """
    attributes = {key: _frozen(value) for key, value in values["attributes"].items()}
    identity = {key: _frozen(value) for key, value in values["identity"].items()}
    return JudgesConfig(AttributeJudgeConfig(**attributes), IdentityJudgeConfig(**identity))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text("utf8"))
        version = index["format_version"]
    except FileNotFoundError:
        raise UserError(f"{str(folder)!r} holds no judges: it has no {INDEX_NAME}; train and release them, or point elsewhere") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{str(path)!r} cannot be read: {error}; release the judges again") from None
    if version != FORMAT_VERSION:
        raise UserError(f"{str(path)!r} has format_version {version}; this version reads {FORMAT_VERSION}")
    return index


def _verify(path: Path, entry: dict[str, Any]) -> None:
    if not path.is_file():
        raise UserError(f"{str(path)!r} is missing; release the judges again")
    if file_entry(path) != entry:
        raise UserError(f"{str(path)!r} is damaged: its size or sha256 differs from {INDEX_NAME}; release the judges again")


@torch.no_grad()
def _in_batches(net: Callable[[Tensor], Any], images: Tensor) -> list[Any]:
    return [net(part) for part in images.split(_BATCH)]
