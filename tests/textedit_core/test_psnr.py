"""Peak signal-to-noise ratio in decibels."""

from __future__ import annotations

import pytest
import torch

from textedit_core.psnr import psnr_db


def test_a_tenth_of_the_range_is_twenty_decibels() -> None:
    # 10 log10(2^2 / 0.2^2) = 20.
    a = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2)
    assert psnr_db(a, a + 0.2, 2.0).tolist() == pytest.approx([20.0, 20.0], abs=1e-4)


def test_bytes_do_not_wrap_around() -> None:
    # All off by one level: 20 log10(255 / 1) = 48.1308.
    a = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    assert psnr_db(a, a + 1, 255.0).tolist() == pytest.approx([48.1308], abs=1e-4)


def test_equal_samples_are_infinitely_close() -> None:
    a = torch.rand(2, 5, generator=torch.Generator().manual_seed(0))
    assert psnr_db(a, a, 1.0).isposinf().all()
