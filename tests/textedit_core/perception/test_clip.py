"""The text-image judge on a tiny configuration."""

from __future__ import annotations

import math

import pytest
import torch

from textedit_core.config import tiny
from textedit_core.errors import UserError
from textedit_core.perception.clip import ClipModel, caption_targets
from textedit_core.perception.config import ClipConfig
from textedit_core.perception.tokenizer import PromptTokenizer

CAPTIONS = ["a girl", "a child", "a sketch", "a girl"]


@pytest.fixture
def cfg() -> ClipConfig:
    return tiny().clip


@pytest.fixture
def clip(cfg: ClipConfig) -> ClipModel:
    torch.manual_seed(0)
    return ClipModel(cfg, PromptTokenizer.from_captions(CAPTIONS, cfg.vocab_size, cfg.context_length)).eval()


def test_embeddings_are_unit_norm_at_any_size(clip: ClipModel, cfg: ClipConfig) -> None:
    image = torch.rand(2, 3, 48, 40) * 2 - 1
    for embedding in (clip.encode_image(image), clip.encode_text(["a girl", "unheard"])):
        assert embedding.shape == (2, cfg.embed_dim)
        assert embedding.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)


def test_gradients_reach_the_image(clip: ClipModel) -> None:
    image = torch.zeros(2, 3, 64, 64, requires_grad=True)
    clip.encode_image(image).square()[:, 0].sum().backward()
    assert image.grad is not None and image.grad.isfinite().all() and image.grad.abs().sum() > 0


def test_padding_does_not_change_a_text(clip: ClipModel) -> None:
    alone = clip.encode_text(["a girl"])
    assert torch.allclose(alone, clip.encode_text(["a girl", "a child sketch"])[:1], atol=1e-6)


def test_features_run_fine_to_coarse(clip: ClipModel) -> None:
    sizes = [part.shape[-1] for part in clip.features(torch.zeros(1, 3, 64, 64))]
    assert sizes == [16, 8, 4, 2, 1]  # a 32 px input, halved by the stem and by each of the four stages


def test_duplicate_captions_share_the_target() -> None:
    expected = [[0.5, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0, 0, 0.5]]
    assert caption_targets(CAPTIONS).tolist() == expected


def test_contrastive_loss_of_indistinguishable_images_is_log_of_the_batch(clip: ClipModel) -> None:
    # Equal captions throughout: uniform targets and equal logits give entropy ln 4 in both directions.
    loss = clip.contrastive_loss(torch.zeros(4, 3, 32, 32), ["a girl"] * 4)
    assert loss.item() == pytest.approx(math.log(4), abs=1e-5)


def test_contrastive_training_tells_two_images_apart(clip: ClipModel) -> None:
    clip.train()
    images = torch.stack([torch.full((3, 32, 32), -1.0), torch.full((3, 32, 32), 1.0)]).repeat(2, 1, 1, 1)
    texts = ["a girl", "a sketch"] * 2
    optimiser = torch.optim.Adam(clip.parameters(), lr=1e-3)
    for _ in range(15):
        optimiser.zero_grad()
        clip.contrastive_loss(images, texts).backward()
        optimiser.step()
    similarity = clip.encode_image(images[:2]) @ clip.encode_text(texts[:2]).T
    assert similarity[0, 0] > similarity[0, 1] and similarity[1, 1] > similarity[1, 0]


def test_bfloat16_autocast_returns_float32(clip: ClipModel) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        embedding = clip.encode_image(torch.zeros(1, 3, 64, 64))
    assert embedding.dtype == torch.float32 and embedding.isfinite().all()


def test_logit_scale_is_clipped(clip: ClipModel) -> None:
    assert clip.logit_scale.item() == pytest.approx(1 / 0.07, rel=1e-5)  # Radford et al. 2021, section 2.5
    with torch.no_grad():
        clip.network.logit_scale.fill_(10.0)
    assert clip.logit_scale.item() == 100.0


def test_long_text_is_refused(clip: ClipModel) -> None:
    with pytest.raises(UserError, match="shorten it"):
        clip.encode_text(["a girl " * 10])


def test_tokenizer_must_fit_the_text_tower(cfg: ClipConfig) -> None:
    with pytest.raises(ValueError, match="context 7"):
        ClipModel(cfg, PromptTokenizer.from_captions(CAPTIONS, cfg.vocab_size, 7))
