"""A whole model: the configs of its networks under one name, and the presets. Each network's config stands beside the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from textedit_core.alignment import REFERENCE_CROP, CropRule
from textedit_core.compositor.config import CompositorConfig, compositor_between
from textedit_core.decoder.config import AliasFreeLayer, DecoderConfig, MappingConfig
from textedit_core.editor.config import EditorConfig, prompt_editor_config, text_editor_config
from textedit_core.encoder.config import EncoderConfig
from textedit_core.errors import UserError, unknown_name
from textedit_core.latents import LatentSpec
from textedit_core.perception.config import ClipConfig, IdentityConfig
from textedit_core.pixels import PixelSpec
from textedit_core.prompts import Prompt, lists_as_tuples, prompt_from_dict

__all__ = [
    "PRESETS",
    "AliasFreeLayer",
    "ClipConfig",
    "CompositorConfig",
    "DecoderConfig",
    "EditorConfig",
    "EncoderConfig",
    "IdentityConfig",
    "MappingConfig",
    "ModelConfig",
    "Prompt",
    "around_decoder",
    "mobile_256",
    "model_config_from_dict",
    "preset",
    "prompt_editor_config",
    "prompt_from_dict",
    "stylegan2",
    "text_editor_config",
    "tiny",
    "to_dict",
]


@dataclass(frozen=True)
class ModelConfig:
    """One whole model: the exported parts and the training-only parts. `crop` says how its faces are cut out of photos.

    Raises:
        UserError: encoder or editors were made for other latents than the decoder.
    """

    name: str
    pixel: PixelSpec = field(default_factory=PixelSpec)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    mapping: MappingConfig = field(default_factory=MappingConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    editor: EditorConfig = field(default_factory=EditorConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    crop: CropRule = REFERENCE_CROP
    compositor: CompositorConfig = field(default_factory=CompositorConfig)

    def __post_init__(self) -> None:
        self.require_latent("encoder", self.encoder.latent)
        self.require_latent("editor", self.editor.latent)

    @property
    def latent(self) -> LatentSpec:
        """The latents of the model: what its decoder reads."""
        return self.decoder.latent

    def require_latent(self, part: str, latent: LatentSpec) -> None:
        """Raises UserError where a part speaks of other latents than the decoder."""
        if latent != self.latent:
            raise UserError(
                f"{part} has {latent}, the decoder {self.latent.num_ws} of {self.latent.w_dim}; they are of different models"
            )


def around_decoder(name: str, decoder: DecoderConfig, encoder: EncoderConfig, editor: EditorConfig) -> ModelConfig:
    """A model whose encoder and editors take levels and width of the latent from its decoder; the encoder's photos set the pixels.

    Args:
        name: of the model.
        decoder: of any kind.
        encoder, editor: whatever latents they speak of.
    """
    latent = dataclasses.asdict(decoder.latent)
    return ModelConfig(
        name=name,
        pixel=PixelSpec(size=encoder.img_resolution),
        encoder=dataclasses.replace(encoder, **latent),
        decoder=decoder,
        editor=dataclasses.replace(editor, **latent),
        compositor=compositor_between(encoder.img_resolution, decoder.img_resolution),
    )


def mobile_256() -> ModelConfig:
    """The reference: 256 px from 128 px features, w [256], 12 levels; its mapping takes the face world's scene code."""
    mapping = MappingConfig(z_dim=128, w_dim=256, hidden_dim=512, num_layers=3, lr_multiplier=1.0, normalize_z=False)
    return dataclasses.replace(around_decoder("mobile_256", DecoderConfig(), EncoderConfig(), EditorConfig()), mapping=mapping)


def tiny() -> ModelConfig:
    """A 32 px model of the same structure for tests; its numbers mean nothing but their shapes."""
    decoder = DecoderConfig("mobile", 32, 16, channels=((4, 16), (8, 16), (16, 8)))
    encoder = EncoderConfig("mobilenetv3_small_050", 32, squeeze_channels=8, hidden_dim=32, offset_rank=4)
    return dataclasses.replace(
        around_decoder("tiny", decoder, encoder, EditorConfig(hidden_dim=8, num_blocks=1)),
        mapping=MappingConfig(z_dim=8, w_dim=16, hidden_dim=16, num_layers=2, lr_multiplier=1.0, normalize_z=False),
        clip=ClipConfig(16, 32, "resnet10t", text_width=16, text_layers=1, text_heads=2, context_length=12, vocab_size=128),
        identity=IdentityConfig(embed_dim=16, image_size=32, widths=(8, 8, 16, 16)),
        compositor=CompositorConfig(32, widths=(8, 8)),
    )


def stylegan2(img_resolution: int, channel_multiplier: int = 2) -> ModelConfig:
    """StyleGAN2 config-F of Karras et al. 2020 at 32..1024 px: w [512], width min(16384 * multiplier / resolution, 512).

    A multiplier of 1 halves the widths from 64 px on; at 256 px that is a third of the arithmetic.
    """
    if img_resolution not in (32, 64, 128, 256, 512, 1024):
        raise UserError(f"StyleGAN2 resolution {img_resolution} is not one of 32, 64, 128, 256, 512, 1024")
    sizes = [2**i for i in range(2, int(math.log2(img_resolution)) + 1)]
    channels = tuple((size, min(16384 * channel_multiplier // size, 512)) for size in sizes)
    decoder = DecoderConfig("stylegan2", img_resolution, 512, channels)
    name = f"stylegan2_{img_resolution}" + ("" if channel_multiplier == 2 else "_narrow")
    return around_decoder(name, decoder, EncoderConfig(img_resolution=min(img_resolution, 256)), EditorConfig(hidden_dim=64))


PRESETS: dict[str, Callable[[], ModelConfig]] = {
    "mobile_256": mobile_256,
    "tiny": tiny,
    "stylegan2_32": lambda: stylegan2(32),
    "stylegan2_256": lambda: stylegan2(256),
    "stylegan2_256_narrow": lambda: stylegan2(256, channel_multiplier=1),
    "stylegan2_1024": lambda: stylegan2(1024),
}


def preset(name: str) -> ModelConfig:
    """Returns the named preset.

    Raises:
        UsageError: no preset has this name; the message lists those that exist.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, list(PRESETS), "the presets are")
    return PRESETS[name]()


# Fields of imported networks alone. Left out where they say nothing, so that the index of an older checkpoint is written as it was read.
_LATER_DEFAULTS: dict[str, Any] = {"iterations": EncoderConfig.iterations, "blocks": IdentityConfig.blocks}


def to_dict(config: Any) -> dict[str, Any]:
    """Converts any config dataclass to plain JSON types (tuples become lists)."""
    values = dataclasses.asdict(config, dict_factory=_without_later_defaults)
    if isinstance(config, ModelConfig) and config.compositor == compositor_between(config.pixel.size, config.decoder.img_resolution):
        del values["compositor"]
    return values


def _without_later_defaults(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if name not in _LATER_DEFAULTS or value != _LATER_DEFAULTS[name]}


def _decoder_config(**values: Any) -> DecoderConfig:
    layers = tuple(AliasFreeLayer(**layer) for layer in values.pop("layers", ()))
    return DecoderConfig(**values, layers=layers)


def _compositor_config(values: dict[str, Any], photo: int, image: int) -> CompositorConfig:
    # Checkpoints from before there was one may be given one later.
    if "compositor" not in values:
        return compositor_between(photo, image)
    return CompositorConfig(**lists_as_tuples(values["compositor"]))


_PARTS: dict[str, Callable[..., Any]] = {
    "pixel": PixelSpec,
    "encoder": EncoderConfig,
    "mapping": MappingConfig,
    "decoder": _decoder_config,
    "editor": EditorConfig,
    "clip": ClipConfig,
    "identity": IdentityConfig,
}


def model_config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Rebuilds a ModelConfig from `to_dict`.

    Raises:
        UserError: a key is missing or unknown.
    """
    try:
        parts = {key: cls(**lists_as_tuples(values[key])) for key, cls in _PARTS.items()}
        # Older checkpoints know one rule.
        parts["crop"] = CropRule(**values["crop"]) if "crop" in values else REFERENCE_CROP
        parts["compositor"] = _compositor_config(values, parts["pixel"].size, parts["decoder"].img_resolution)
        unknown = set(values) - set(parts) - {"name"}
        if unknown:
            raise UserError(f"model config has unknown keys: {', '.join(sorted(unknown))}")
        return ModelConfig(name=values["name"], **parts)
    except (KeyError, TypeError) as error:
        raise UserError(f"model config is damaged or of another version: {error}") from None
