"""Trains stages of the tiny preset as one member of a team: `accelerate launch team_run.py DATA OUT STAGE...`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from textedit_core.training.decoder_stage import DecoderTraining
from textedit_core.training.encoder_stage import EncoderTraining
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stages import stage_named

# Half precision would hide a wrong slice in its rounding.
PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=32, bfloat16=False, device="cpu")
DECODER = DecoderTraining(adversarial=0.1, preview_share=0.2, adversarial_share=0.7, augment_target=0.6, augment_ramp_images=50)


def train_stages(data: Path, out: Path, stages: list[str]) -> None:
    """Runs the stages one after the other."""
    torch.set_num_threads(1)
    for stage in stages:
        spec = stage_named(stage)
        recipes = {"decoder": DECODER, "encoder": EncoderTraining(w_norm=0.01, rendered_share=1.0)}
        train(TrainRequest(spec, "tiny", data, out, PACE, {name: recipes[name] for name in spec.recipes}))


if __name__ == "__main__":
    train_stages(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
