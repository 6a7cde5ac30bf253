"""The face recognisers: shapes, margin arithmetic, and the official key names of IR-SE50."""

from __future__ import annotations

import math

import pytest
import torch

from textedit_core.config import tiny
from textedit_core.perception.config import IdentityConfig
from textedit_core.perception.face_identity import ArcFaceHead, IdentityNet
from textedit_core.perception.ir_se50 import IRSE50
from textedit_core.perception.resize import central_square, resize_square


def test_identity_net_embeds_any_size_to_unit_norm() -> None:
    cfg = tiny().identity
    net = IdentityNet(cfg).eval()
    image = torch.rand(2, 3, 50, 50, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    embedding = net.embed(image)
    embedding[:, 0].sum().backward()
    assert embedding.shape == (2, cfg.embed_dim)
    assert embedding.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert image.grad is not None and image.grad.isfinite().all()


def test_identity_net_looks_at_the_centre_only() -> None:
    cfg = tiny().identity
    net = IdentityNet(cfg).eval()
    image = torch.rand(1, 3, 40, 40)
    framed = torch.ones_like(image)
    margin = round(40 * (1 - cfg.crop_fraction) / 2)
    framed[..., margin:-margin, margin:-margin] = image[..., margin:-margin, margin:-margin]
    assert torch.allclose(net.embed(image), net.embed(framed), atol=1e-6)


def test_default_identity_net_is_compact() -> None:
    with torch.device("meta"):
        net = IdentityNet(IdentityConfig())
    # A twentieth of IR-SE50's 43.8 million.
    assert 1e6 < sum(parameter.numel() for parameter in net.parameters()) < 2.2e6


def test_arcface_adds_the_margin_to_the_true_class_only() -> None:
    head = ArcFaceHead(embed_dim=2, num_classes=2, scale=10.0, margin=0.5)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    angle = math.radians(30)
    embedding = 7.0 * torch.tensor([[math.cos(angle), math.sin(angle)]])
    logits = head(embedding, torch.tensor([0]))
    # Class 0 lies at 30 degrees and gets 0.5 rad more; class 1 lies at 60 degrees.
    expected = [10 * math.cos(angle + 0.5), 10 * math.cos(math.radians(60))]
    assert logits[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_arcface_is_monotonic_and_finite_over_the_whole_circle() -> None:
    head = ArcFaceHead(embed_dim=2, num_classes=1, scale=1.0, margin=0.5)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0]]))
    angles = torch.linspace(0, math.pi, 181)
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1).requires_grad_(True)
    logits = head(embeddings, torch.zeros(181, dtype=torch.int64))[:, 0]
    logits.sum().backward()
    assert (logits.diff() < 0).all()
    assert embeddings.grad is not None and embeddings.grad.isfinite().all()


def test_arcface_training_separates_two_people() -> None:
    torch.manual_seed(0)
    head = ArcFaceHead(embed_dim=4, num_classes=2, scale=16.0, margin=0.3)
    embeddings = torch.randn(2, 4, requires_grad=True)
    labels = torch.tensor([0, 1])
    optimiser = torch.optim.Adam([embeddings, *head.parameters()], lr=0.1)
    for _ in range(40):
        optimiser.zero_grad()
        head.loss(embeddings, labels).backward()
        optimiser.step()
    assert torch.cosine_similarity(embeddings[0], embeddings[1], dim=0) < 0


@pytest.fixture(scope="module")
def ir_se50() -> IRSE50:
    with torch.device("meta"):
        return IRSE50()


def test_ir_se50_has_the_published_size(ir_se50: IRSE50) -> None:
    # 43.8 million parameters, of which 25,088 * 512 + 512 = 12,845,568 sit in the embedding layer.
    assert sum(parameter.numel() for parameter in ir_se50.parameters()) == 43_797_696


def test_ir_se50_has_the_official_keys(ir_se50: IRSE50) -> None:
    state = ir_se50.state_dict()
    expected = {
        "input_layer.0.weight": (64, 3, 3, 3),
        "input_layer.2.weight": (64,),
        "body.0.res_layer.1.weight": (64, 64, 3, 3),
        "body.0.res_layer.5.fc1.weight": (4, 64, 1, 1),
        "body.3.shortcut_layer.0.weight": (128, 64, 1, 1),
        "body.23.res_layer.5.fc2.weight": (512, 32, 1, 1),
        "output_layer.3.weight": (512, 25088),
        "output_layer.4.running_mean": (512,),
    }
    assert {key: tuple(state[key].shape) for key in expected} == expected
    assert not any(key.startswith("body.0.shortcut_layer") for key in state)  # 64 to 64: subsampling only
    assert {int(key.split(".")[1]) for key in state if key.startswith("body.")} == set(range(24))  # 3 + 4 + 14 + 3


def test_ir_se50_halves_four_times(ir_se50: IRSE50) -> None:
    features = ir_se50.body(ir_se50.input_layer(torch.empty(1, 3, 112, 112, device="meta")))
    assert features.shape == (1, 512, 7, 7)  # 112 / 2^4


def test_resize_keeps_a_constant_and_the_mean() -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    flat = resize_square(torch.full((1, 3, 40, 30), 0.3), 16)
    assert torch.allclose(flat, torch.full((1, 3, 16, 16), 0.3), atol=1e-6)
    # An antialiased reduction averages every pixel; plain bilinear at 1/8 would read 1 pixel in 16.
    assert resize_square(image, 8).mean().item() == pytest.approx(image.mean().item(), abs=0.01)


def test_central_square_is_centred() -> None:
    image = torch.arange(10.0).expand(1, 1, 10, 10)
    assert central_square(image, 0.4)[0, 0, 0].tolist() == [3, 4, 5, 6]
