#!/usr/bin/env bash
# torch 2.13.0 (its CPU build is enough), torchao 0.18.0, NumPy 2.3.5. Installs 200 MB where pip finds the CPU build, else several GB.
#
# The stock int8 schemes of the PT2E flow let no scale be smaller than 2^-12, for weights as for activations, by output channel or not.
# int8 has 127 steps, so a channel whose largest weight is below 127 * 2^-12 = 0.031 does not get all of them, and no warning is given:
# below 0.0078 it is left with 5 bits, at 0.001 with 3. Networks that are trained with an equalised learning rate (StyleGAN's) and have
# their gains folded into the weights reach this range, as does any layer with tens of thousands of inputs.
#
# Output seen, for one 3x3 convolution, by the largest weight: the largest of its int8 weights, and the signal-to-noise ratio of its
# output, which no scaling of the weights should change:
#   1      -> 127, 41.0 dB
#   0.03   -> 123, 41.4 dB
#   0.01   ->  41, 37.1 dB
#   0.003  ->  12, 27.9 dB
#   0.001  ->   4, 18.7 dB
#   0.0003 ->   1,  8.7 dB
#
# Ends with 1 when the behaviour is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchao==0.18.0 numpy==2.3.5
cd "$scratch"
"$scratch/venv/bin/python" -W ignore - <<'PYTHON'
import math
import sys

import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

LEAST_SCALE = 2.0**-12
torch.manual_seed(0)
unit, photo = torch.rand(8, 8, 3, 3) * 2 - 1, torch.randn(1, 8, 16, 16)
unit /= unit.abs().amax((1, 2, 3), keepdim=True)
seen = {}
for largest in (1.0, 0.03, 0.01, 0.003, 0.001, 0.0003):
    layer = nn.Conv2d(8, 8, 3, padding=1, bias=False).eval()
    layer.weight = nn.Parameter(unit * largest)
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(torch.export.export(layer, (photo,)).module(), quantizer)
    prepared(photo)
    converted = convert_pt2e(prepared)
    (stored,) = (each for each in [*converted.parameters(), *converted.buffers()] if each.dtype == torch.int8)
    wanted = layer(photo)
    noise = (converted(photo) - wanted).std() / wanted.std()
    seen[largest] = (int(stored.abs().max()), -20 * math.log10(float(noise)))
    print(f"{largest:<6g} -> {seen[largest][0]:>3}, {seen[largest][1]:4.1f} dB")
as_seen = all(steps == min(127, round(largest / LEAST_SCALE)) for largest, (steps, _) in seen.items())
sys.exit(0 if as_seen and seen[1.0][1] > 38 and seen[0.001][1] < 22 else 1)
PYTHON
