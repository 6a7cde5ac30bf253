"""Every default of the project: frozen dataclasses, one per network, and the named presets that combine them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from textedit_core.alignment import REFERENCE_CROP, CropRule
from textedit_core.errors import UserError, unknown_name
from textedit_core.pixels import PixelSpec


@dataclass(frozen=True)
class EncoderConfig:
    """Photo -> w_plus. `kind` "compact": `backbone` is a timm name; its last feature map is squeezed, flattened and mapped to the levels.

    "e4e" and "psp" are the imported encoders of those names: an IR-SE50 of the stage widths `widths` with a head per level; of the other
    fields they read only sizes. "backbone_w" is pSp's encoder into W, one answer for all levels. "restyle_psp" and "restyle_e4e" look at
    the photo beside what the decoder makes of their last answer, and correct it in `iterations` steps.
    """

    backbone: str = "mobilenetv4_conv_small"
    img_resolution: int = 256
    num_ws: int = 12
    w_dim: int = 256
    squeeze_channels: int = 64
    hidden_dim: int = 512
    offset_rank: int = 32
    kind: Literal["compact", "e4e", "psp", "backbone_w", "restyle_psp", "restyle_e4e"] = "compact"
    widths: tuple[int, ...] = (64, 128, 256, 512)
    iterations: int = 1


@dataclass(frozen=True)
class MappingConfig:
    """z [B,z_dim] -> w [B,w_dim]; `normalize_z` is StyleGAN2's pixel norm, off when z is a scene code whose scale matters."""

    z_dim: int = 512
    w_dim: int = 512
    hidden_dim: int = 512
    num_layers: int = 8
    lr_multiplier: float = 0.01
    normalize_z: bool = True


@dataclass(frozen=True)
class AliasFreeLayer:
    """One layer of StyleGAN3: sizes in pixels, factors and filter taps of its resampling. `radial` down-samples by a two-dimensional
    filter; `clamp` bounds the activations, 0 does not."""

    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    clamp: float


@dataclass(frozen=True)
class DecoderConfig:
    """w_plus -> image. `channels` maps each resolution from 4 px up to a width; the mobile kinds end at half the image's size.

    `clamp` bounds the activations of "stylegan2" to +-clamp, as NVIDIA's later generators were trained and run; 0 does not.

    Two kinds hold imported weights alone: "mobile_stylegan" is MobileStyleGAN, "stylegan3" is StyleGAN3, which has no `channels` but
    `layers`, the sampling rate of its Fourier features, `input_rate`, and a factor on the image, `output_scale`.
    """

    kind: Literal["mobile", "stylegan2", "mobile_stylegan", "stylegan3"] = "mobile"
    img_resolution: int = 256
    w_dim: int = 256
    channels: tuple[tuple[int, int], ...] = ((4, 256), (8, 256), (16, 256), (32, 192), (64, 96), (128, 32))
    layers: tuple[AliasFreeLayer, ...] = ()
    input_rate: int = 0
    output_scale: float = 1.0
    clamp: float = 0.0

    @property
    def num_ws(self) -> int:
        """L: one w per modulated convolution plus the last to_rgb (StyleGAN2: 2*log2(R)-2; mobile has one level less).

        MobileStyleGAN has three levels per block and two before them, StyleGAN3 one per layer and one for its Fourier features.
        """
        if self.kind == "stylegan3":
            return len(self.layers) + 1
        return 3 * len(self.channels) - 1 if self.kind == "mobile_stylegan" else 2 * len(self.channels)


@dataclass(frozen=True)
class EditorConfig:
    """delta_w predictor: `num_blocks` residual layers of width `hidden_dim` per group; a switched-off group leaves its levels alone.

    Imported editors are of another `kind`: StyleCLIP's "levels_mapper" has `num_blocks` layers of width `w_dim` per group, its
    "single_mapper" one such network for all levels; "hair_mapper" is HairCLIP's for fixed texts; a "direction" is the same for every face.
    """

    num_ws: int = 12
    w_dim: int = 256
    hidden_dim: int = 48
    num_blocks: int = 2
    coarse: bool = True
    medium: bool = True
    fine: bool = True
    kind: Literal["residual", "levels_mapper", "single_mapper", "hair_mapper", "direction"] = "residual"


@dataclass(frozen=True)
class ClipConfig:
    """A small text-image model: a timm trunk and a causal text transformer meeting in `embed_dim` numbers.

    With `open_clip` it is instead the model that the open_clip library knows by that name, `quick_gelu` where its weights were trained
    with that activation; image_size, embed_dim, context_length and vocab_size then say what that model has. Images are normalised by
    `image_mean` and `image_std` of RGB in [0,1].
    """

    embed_dim: int = 128
    image_size: int = 128
    timm_model: str = "resnet10t"
    text_width: int = 192
    text_layers: int = 3
    text_heads: int = 4
    context_length: int = 20
    vocab_size: int = 512
    open_clip: str = ""
    quick_gelu: bool = False
    # Those of Radford et al. 2021.
    image_mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class IdentityConfig:
    """The compact identity net: a residual network on an image_size crop, trained with the ArcFace margin.

    `kind` "ir_se50" is ArcFace's IR-SE50, whose sizes are fixed: embed_dim 512, image_size 112. "ir" and "ir_se" are its relatives of other
    depths, without and with squeeze-and-excitation, "iresnet" is insightface's; `blocks` are their units per stage.
    """

    embed_dim: int = 128
    image_size: int = 112
    widths: tuple[int, ...] = (32, 64, 128, 192)
    crop_fraction: float = 0.8
    kind: Literal["compact", "ir_se50", "ir", "ir_se", "iresnet"] = "compact"
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelConfig:
    """One whole model: the exported parts and the training-only parts. `crop` says how its faces are cut out of photos."""

    name: str
    pixel: PixelSpec = field(default_factory=PixelSpec)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    mapping: MappingConfig = field(default_factory=MappingConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    editor: EditorConfig = field(default_factory=EditorConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    crop: CropRule = REFERENCE_CROP


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast a stage trains. Counts are images shown, so that a run means the same at any batch size.

    Training ends after `images`, or earlier: when the smoothed loss falls below `loss_threshold` (0: off), or when it fell by less than
    `min_improvement` (a fraction) over the last `patience_images` (0: off).

    With a `matrix_rate` the weight matrices and kernels learn by Muon (orthogonalised momentum; Jordan et al. 2024) at that rate and
    vectors by Adam at `learning_rate`; 0 leaves all to Adam.
    """

    images: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    matrix_rate: float = 0.0
    warmup_images: int = 1000
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    ema_half_life_images: int = 2000
    bfloat16: bool = True
    device: str = "auto"
    seed: int = 0
    save_seconds: float = 120.0
    sample_images: int = 8000
    log_steps: int = 20
    patience_images: int = 0
    min_improvement: float = 0.005
    loss_threshold: float = 0.0


@dataclass(frozen=True)
class ClipTraining:
    """Contrastive training: how many views of each person share a batch, and the weight of reading smile, age, sex and style."""

    views_per_person: int = 4
    attribute_weight: float = 1.0


@dataclass(frozen=True)
class IdentityTraining:
    """ArcFace margin training (Deng et al. 2019): scale and angular margin in radians."""

    scale: float = 24.0
    margin: float = 0.3


@dataclass(frozen=True)
class DecoderTraining:
    """Weights of the decoder's loss. The first `preview_share` of the images trains the half-size preview alone, which is cheaper;
    the discriminator joins for the last `adversarial_share`.

    `identity` weighs the recogniser's features beside the text-image model's in the perceptual distance. `r1_gamma` and `r1_interval` are
    the gradient penalty's weight and the steps between two of them. `augment_target` is the share of sure verdicts on real images that
    adaptive augmentation steers to (0.6 in Karras et al. 2020, for small data; 0 is off), moving from none to all in `augment_ramp_images`.
    `discriminator_channels` are the discriminator's widths at the full resolution and at most.
    """

    pixel: float = 1.0
    perceptual: float = 0.2
    adversarial: float = 0.0
    identity: float = 0.0
    preview_share: float = 0.7
    perceptual_share: float = 0.3
    adversarial_share: float = 0.2
    r1_gamma: float = 1.0
    r1_interval: int = 8
    augment_target: float = 0.0
    augment_ramp_images: int = 500_000
    discriminator_channels: tuple[int, int] = (16, 128)


@dataclass(frozen=True)
class EncoderTraining:
    """Weights of the encoder's loss. Only the latent term runs at first; rendering terms join for the last `rendered_share`.

    `w_norm` keeps latents near their mean and `delta` keeps the levels near each other (e4e, Tov et al. 2021), both in units of the
    latents' spread.
    """

    latent: float = 1.0
    pixel: float = 1.0
    perceptual: float = 0.2
    identity: float = 0.5
    w_norm: float = 0.0
    delta: float = 0.0
    rendered_share: float = 0.25
    sampled_share: float = 0.5


@dataclass(frozen=True)
class EditorTraining:
    """loss = loss1 + l1*loss2 + l2*loss3 for one prompt: which text match, latent norm and identity form, and the two weights.

    `anchor` says what the edited image's embedding is matched with: the target "text" itself, or the "source", the unedited image's
    embedding moved by the way from the neutral to the target text, which asks for the change alone and for all of it. `directional`
    weighs a second text term that follows the same way whatever its length, `contrastive` a third that asks the edited image to be nearer
    to its target than to its neutral text and to `other_texts` (empty: the reference prompts' texts). `picture_weight` weighs how much the
    picture changes. `groups` are the level groups that may move; the others keep an editor that returns zero.

    `faces` of the training photos, spread evenly over the people, are encoded once and kept beside the run. The perception networks
    see each face in `views` ways (the first is the picture itself, the others are jittered), the unedited and the edited face in the same
    way, so that an editor cannot please them by a pattern that a shift destroys. After training the editor is scaled so that strength 1
    reaches the share `completion` of the most that it reaches up to strength 2 (0: no calibration).
    """

    faces: int = 1500
    views: int = 3
    groups: tuple[str, ...] = ("coarse", "medium", "fine")
    text_match: str = "cosine"
    anchor: Literal["text", "source"] = "source"
    directional: float = 0.5
    contrastive: float = 0.0
    other_texts: tuple[str, ...] = ()
    latent_norm: str = "mahalanobis"
    latent_weight: float = 3.0
    identity_form: str = "cosine"
    identity_target: Literal["photo", "reconstruction"] = "reconstruction"
    identity_weight: float = 0.2
    picture_weight: float = 1.0
    completion: float = 0.9


@dataclass(frozen=True)
class TextEditorTraining:
    """What is particular to one editor for many texts: the texts come in pairs neutral -> target from a space of words.

    Every `heldout_every`-th text of the space is never shown; `texts_per_batch` texts share a batch. The other terms and weights are
    those of EditorTraining.
    """

    heldout_every: int = 8
    texts_per_batch: int = 8


@dataclass(frozen=True)
class Prompt:
    """One edit: the target text, its neutral partner (for directional matching) and how an app shows it.

    `wordings` and `neutral_wordings` say the same in other words; the embeddings of all wordings are averaged (Radford et al. 2021,
    section 3.1.4). `groups` are the level groups that the editor moves. `calibration` is the factor that the trained editor was
    multiplied with, and `reached` the share of the way from the neutral to the target text that strength 1 covers since then, both
    for the record. `conditioned` prompts have no editor of their own: the checkpoint's text-conditioned editor serves them. `editor`
    describes an imported editor; None is one of the model's own.
    """

    id: str
    text: str
    neutral_text: str = ""
    names: dict[str, str] = field(default_factory=dict)
    strength_default: float = 1.0
    strength_min: float = 0.0
    strength_max: float = 1.5
    wordings: tuple[str, ...] = ()
    neutral_wordings: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("coarse", "medium", "fine")
    calibration: float = 1.0
    reached: float | None = None
    conditioned: bool = False
    editor: EditorConfig | None = None


def text_editor_config(editor: EditorConfig) -> EditorConfig:
    """The text-conditioned editor that goes with a model's editors: four times as wide, since it holds many edits, and all groups on."""
    return dataclasses.replace(editor, hidden_dim=4 * editor.hidden_dim, coarse=True, medium=True, fine=True)


def prompt_editor_config(editor: EditorConfig, groups: Collection[str]) -> EditorConfig:
    """A model's editor with networks for these level groups alone: what does not move is not stored, nor shipped.

    Raises:
        UsageError: a name is no level group.
    """
    switches = ("coarse", "medium", "fine")
    for name in groups:
        if name not in switches:
            raise unknown_name("level group", name, list(switches), "the groups are")
    coarse, medium, fine = (getattr(editor, name) and name in groups for name in switches)
    return dataclasses.replace(editor, coarse=coarse, medium=medium, fine=fine)


def prompt_from_dict(values: dict[str, Any]) -> Prompt:
    """Rebuilds a Prompt from `to_dict`; fields that an older index lacks take their defaults.

    Raises:
        TypeError: a field is unknown, or id or text is missing.
    """
    frozen = _tuples(values)
    if frozen.get("editor") is not None:
        frozen["editor"] = EditorConfig(**frozen["editor"])
    return Prompt(**frozen)


def mobile_256() -> ModelConfig:
    """The reference: 256 px from 128 px features, w [256], 12 levels; its mapping takes the face world's scene code."""
    mapping = MappingConfig(z_dim=128, w_dim=256, hidden_dim=512, num_layers=3, lr_multiplier=1.0, normalize_z=False)
    return ModelConfig(name="mobile_256", mapping=mapping)


def tiny() -> ModelConfig:
    """A 32 px model of the same structure for tests; its numbers mean nothing but their shapes."""
    channels = ((4, 16), (8, 16), (16, 8))
    return ModelConfig(
        name="tiny",
        pixel=PixelSpec(size=32),
        encoder=EncoderConfig("mobilenetv3_small_050", 32, 6, 16, squeeze_channels=8, hidden_dim=32, offset_rank=4),
        mapping=MappingConfig(z_dim=8, w_dim=16, hidden_dim=16, num_layers=2, lr_multiplier=1.0, normalize_z=False),
        decoder=DecoderConfig("mobile", 32, 16, channels),
        editor=EditorConfig(num_ws=6, w_dim=16, hidden_dim=8, num_blocks=1),
        clip=ClipConfig(16, 32, "resnet10t", text_width=16, text_layers=1, text_heads=2, context_length=12, vocab_size=128),
        identity=IdentityConfig(embed_dim=16, image_size=32, widths=(8, 8, 16, 16)),
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
    num_ws = decoder.num_ws
    encoder_size = min(img_resolution, 256)
    return ModelConfig(
        name=f"stylegan2_{img_resolution}" + ("" if channel_multiplier == 2 else "_narrow"),
        pixel=PixelSpec(size=encoder_size),
        encoder=EncoderConfig(img_resolution=encoder_size, num_ws=num_ws, w_dim=512),
        mapping=MappingConfig(),
        decoder=decoder,
        editor=EditorConfig(num_ws=num_ws, w_dim=512, hidden_dim=64),
    )


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


def to_dict(config: Any) -> dict[str, Any]:
    """Converts any config dataclass to plain JSON types (tuples become lists)."""
    return dataclasses.asdict(config)


def _decoder_config(**values: Any) -> DecoderConfig:
    layers = tuple(AliasFreeLayer(**layer) for layer in values.pop("layers", ()))
    return DecoderConfig(**values, layers=layers)


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
        parts = {key: cls(**_tuples(values[key])) for key, cls in _PARTS.items()}
        # Older checkpoints know one rule.
        parts["crop"] = CropRule(**values["crop"]) if "crop" in values else REFERENCE_CROP
        unknown = set(values) - set(parts) - {"name"}
        if unknown:
            raise UserError(f"model config has unknown keys: {', '.join(sorted(unknown))}")
        return ModelConfig(name=values["name"], **parts)
    except (KeyError, TypeError) as error:
        raise UserError(f"model config is damaged or of another version: {error}") from None


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    def freeze(value: Any) -> Any:
        return tuple(freeze(item) for item in value) if isinstance(value, list) else value

    return {key: freeze(value) for key, value in values.items()}
