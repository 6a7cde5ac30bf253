"""How long and how fast a stage trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast a stage trains. Counts are images shown, so that a run means the same at any batch size.

    Training ends after `images`, or earlier: when the smoothed loss falls below `loss_threshold` (0: off), or when it has hardly fallen
    over the last `patience_images` (0: off).

    With a `matrix_rate` the weight matrices and kernels learn by Muon (orthogonalised momentum; Jordan et al. 2024) at that rate and
    vectors by Adam at `learning_rate`; 0 leaves all to Adam.
    """

    images: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    matrix_rate: float = 0.0
    warmup_images: int = 1000
    ema_half_life_images: int = 2000
    bfloat16: bool = True
    device: str = "auto"
    seed: int = 0
    save_seconds: float = 120.0
    sample_images: int = 8000
    log_steps: int = 20
    patience_images: int = 0
    loss_threshold: float = 0.0
