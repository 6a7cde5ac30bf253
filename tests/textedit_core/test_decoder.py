"""Decoder layers against reference implementations written from the papers, and the shape and determinism of both decoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.config import preset
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.decoder.config import DecoderConfig, MappingConfig
from textedit_core.decoder.layers import EqualizedLinear, FIRUpsample, ModulatedConv2d, ToRGB, bilinear_double, fir_kernel, settle_styles
from textedit_core.errors import UsageError

CONFIGS = {
    "mobile": DecoderConfig("mobile", 32, 16, ((4, 12), (8, 10), (16, 8))),
    "stylegan2": DecoderConfig("stylegan2", 32, 16, ((4, 12), (8, 10), (16, 8), (32, 6))),
}


def zero_inserted(x: Tensor) -> Tensor:
    """[C,H,W] -> [C,2H,2W] with the samples at even positions."""
    channels, height, width = x.shape
    out = x.new_zeros(channels, 2 * height, 2 * width)
    out[:, ::2, ::2] = x
    return out


def fir_filtered(x: Tensor, padding: tuple[int, int]) -> Tensor:
    """Convolves each channel of [C,H,W] with the outer product of [1,3,3,1]/4, whose gain 4 makes up for the inserted zeros."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4.0
    padded = F.pad(x.unsqueeze(1), (*padding, *padding))
    return F.conv2d(padded, torch.outer(taps, taps)[None, None]).squeeze(1)


def modulated_sample(x: Tensor, style: Tensor, weight: Tensor, demodulate: bool, upsample: str | None) -> Tensor:
    """One sample [I,H,W] of Karras et al. 2020, equations 1 to 3: the style scales the weights, not the features."""
    weight = weight * style[None, :, None, None]
    if demodulate:
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if upsample == "fir":
        # A convolution (flipped correlation) of the zero-inserted image, whole: 2H-1 samples and a border of 2 give 2H+1.
        inserted = zero_inserted(x)[:, :-1, :-1]
        convolved = F.conv2d(inserted[None], weight.flip((2, 3)), padding=2)[0]
        return fir_filtered(convolved, (1, 1))
    return F.conv2d(x[None], weight, padding=weight.shape[-1] // 2)[0]


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("upsample", [None, "fir"])
def test_static_weights_equal_modulated_weights(demodulate: bool, upsample: str | None) -> None:
    torch.manual_seed(0)
    conv = ModulatedConv2d(5, 7, 3, w_dim=6, demodulate=demodulate, upsample=upsample)
    x, w = torch.randn(3, 5, 6, 6), torch.randn(3, 6)
    style = conv.affine(w)
    weight = conv.weight / (5 * 3 * 3) ** 0.5  # equalised learning rate: Karras et al. 2018, section 4.1
    expected = torch.stack([modulated_sample(x[i], style[i], weight, demodulate, upsample) for i in range(3)])
    assert conv(x, w).shape == ((3, 7, 12, 12) if upsample else (3, 7, 6, 6))
    torch.testing.assert_close(conv(x, w), expected, rtol=0, atol=1e-4)


def test_bilinear_modulated_convolution_interpolates_the_plain_one() -> None:
    torch.manual_seed(0)
    doubling = ModulatedConv2d(5, 7, 3, w_dim=6, upsample="bilinear")
    plain = ModulatedConv2d(5, 7, 3, w_dim=6)
    plain.load_state_dict(doubling.state_dict())
    x, w = torch.randn(2, 5, 4, 4), torch.randn(2, 6)
    torch.testing.assert_close(doubling(x, w), bilinear_double(plain(x, w)), rtol=0, atol=1e-5)


def test_unknown_upsample_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown upsample 'nearest'"):
        ModulatedConv2d(1, 1, 3, w_dim=1, upsample="nearest")


def test_demodulated_output_ignores_the_scale_of_the_style() -> None:
    torch.manual_seed(0)
    conv = ModulatedConv2d(4, 4, 3, w_dim=4)
    with torch.no_grad():
        conv.affine.bias.zero_()
    x, w = torch.randn(1, 4, 5, 5), torch.randn(1, 4)
    torch.testing.assert_close(conv(x, 10.0 * w), conv(x, w), rtol=1e-4, atol=1e-4)


def test_fir_upsampling_is_zero_insertion_and_filter() -> None:
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([fir_filtered(zero_inserted(sample), (2, 1)) for sample in x])
    torch.testing.assert_close(FIRUpsample()(x), expected, rtol=0, atol=1e-6)


def test_fir_kernel_sums_to_one_and_is_separable() -> None:
    kernel = fir_kernel()
    assert float(kernel.sum()) == pytest.approx(1.0)
    torch.testing.assert_close(kernel, torch.outer(kernel.sum(1), kernel.sum(0)))


def test_bilinear_doubling_uses_half_pixel_centres() -> None:
    # Centres of the doubled row lie at -1/4, 1/4, 3/4, 5/4 of the samples 0 and 4; the outer two are clamped.
    row = torch.tensor([0.0, 4.0]).reshape(1, 1, 1, 2)
    assert bilinear_double(row)[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]


def test_equalized_linear_scales_by_fan_in_and_multiplier() -> None:
    layer = EqualizedLinear(4, 1, bias_init=2.0, lr_multiplier=0.5)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    # 4 inputs of 1, weight 1 * 0.5 / sqrt(4), bias 2: 4 * 0.25 + 2.
    assert layer(torch.ones(1, 4)).item() == pytest.approx(3.0)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_pixel_shuffle_head_multiplies_the_side(scale: int) -> None:
    head = ToRGB(6, w_dim=5, scale=scale)
    assert head(torch.randn(2, 6, 8, 8), torch.randn(2, 5)).shape == (2, 3, 8 * scale, 8 * scale)


@pytest.mark.parametrize(
    ("name", "levels"),
    # Karras et al. 2020: 2 * log2(R) - 2 levels. The mobile decoder ends one resolution earlier: 6 resolutions of 2 levels.
    [("stylegan2_32", 8), ("stylegan2_256", 14), ("stylegan2_1024", 18), ("mobile_256", 12)],
)
def test_number_of_levels(name: str, levels: int) -> None:
    assert preset(name).decoder.num_ws == levels


@pytest.fixture(params=sorted(CONFIGS))
def decoder(request: pytest.FixtureRequest) -> nn.Module:
    """A small random decoder of either kind, with its noise switched on."""
    torch.manual_seed(0)
    module = build_decoder(CONFIGS[request.param]).eval().requires_grad_(False)
    for name, parameter in module.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return module


def test_image_and_preview_shapes(decoder: nn.Module) -> None:
    w_plus = torch.randn(2, decoder.num_ws, 16)
    assert decoder(w_plus).shape == (2, 3, 32, 32)
    assert decoder.preview(w_plus).shape == (2, 3, 16, 16)


def test_same_latent_same_image_alone_or_in_a_batch(decoder: nn.Module) -> None:
    w_plus = torch.randn(3, decoder.num_ws, 16)
    image = decoder(w_plus)
    assert torch.equal(decoder(w_plus), image)
    torch.testing.assert_close(decoder(w_plus[1:2]), image[1:2], rtol=0, atol=1e-5)


def test_every_level_shapes_the_image(decoder: nn.Module) -> None:
    w_plus = torch.randn(1, decoder.num_ws, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(decoder(w_plus).square().sum(), w_plus)
    assert (gradient.abs().sum(-1) > 0).all()


def test_stored_decoder_brings_its_noise_along(decoder: nn.Module) -> None:
    kind = next(kind for kind, config in CONFIGS.items() if config.num_ws == decoder.num_ws)
    copy = build_decoder(CONFIGS[kind]).eval()
    copy.load_state_dict(decoder.state_dict())
    w_plus = torch.randn(1, decoder.num_ws, 16)
    assert torch.equal(copy(w_plus), decoder(w_plus))


def test_mobile_detail_adds_to_the_enlarged_preview() -> None:
    torch.manual_seed(0)
    mobile = build_decoder(CONFIGS["mobile"]).eval().requires_grad_(False)
    mobile.detail_rgb.conv.weight.zero_()
    w_plus = torch.randn(1, mobile.num_ws, 16)
    assert torch.equal(mobile(w_plus), bilinear_double(mobile.preview(w_plus)))


def test_unknown_decoder_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match="unknown decoder 'vae'; the decoders are: mobile, mobile_stylegan"):
        build_decoder(DecoderConfig(kind="vae"))  # type: ignore[arg-type]


@pytest.mark.parametrize("normalize_z", [True, False])
def test_mapping_ignores_the_length_of_z_only_when_normalising(normalize_z: bool) -> None:
    torch.manual_seed(0)
    mapping = MappingNetwork(MappingConfig(z_dim=6, w_dim=4, hidden_dim=8, num_layers=2, normalize_z=normalize_z))
    z = torch.randn(3, 6)
    assert mapping(z).shape == (3, 4)
    assert torch.allclose(mapping(5.0 * z), mapping(z), atol=1e-5) is normalize_z


def test_mapping_standardises_scene_codes() -> None:
    mapping = MappingNetwork(MappingConfig(z_dim=3, w_dim=4, hidden_dim=8, num_layers=2, normalize_z=False))
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    noise = (noise - noise.mean()) / noise.std()
    # Deviations 5, 0.05 and 0: brought to one, raised by no more than the tenfold, and left alone.
    mapping.standardise(torch.stack([5.0 * noise + 2.0, 0.05 * noise - 1.0, torch.full((1000,), 3.0)], dim=1))
    torch.testing.assert_close(mapping.z_mean, torch.tensor([2.0, -1.0, 3.0]), rtol=0, atol=1e-4)
    torch.testing.assert_close(mapping.z_scale, torch.tensor([0.2, 10.0, 1.0]), rtol=1e-4, atol=0)
    shifted = torch.tensor([[2.0, -1.0, 3.0]])
    plain = MappingNetwork(MappingConfig(z_dim=3, w_dim=4, hidden_dim=8, num_layers=2, normalize_z=False))
    plain.layers.load_state_dict(mapping.layers.state_dict())
    torch.testing.assert_close(mapping(shifted), plain(torch.zeros(1, 3)), rtol=0, atol=1e-4)


def test_settled_styles_draw_the_same_picture_by_smaller_numbers() -> None:
    torch.manual_seed(0)
    decoder = build_decoder(preset("tiny").decoder).eval().requires_grad_(False)
    layers = [module for module in decoder.modules() if isinstance(module, ModulatedConv2d) and module.demodulate]
    for layer in layers:
        layer.affine.weight.mul_(300.0)
    w_plus = torch.randn(8, decoder.num_ws, 16)
    before = decoder(w_plus)
    settle_styles(decoder, w_plus)
    torch.testing.assert_close(decoder(w_plus), before, rtol=1e-4, atol=1e-4)
    sizes = [layer.affine(w_plus[:, 0]).square().mean().sqrt().item() for layer in layers]
    assert all(0.3 < size < 3.0 for size in sizes)  # of 1, for the latents of another level
