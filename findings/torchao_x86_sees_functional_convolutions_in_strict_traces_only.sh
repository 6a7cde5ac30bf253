#!/usr/bin/env bash
# torch 2.13.0 (its CPU build is enough), torchao 0.18.0, NumPy 2.3.5. Installs 200 MB where pip finds the CPU build, else several GB.
#
# torch.export.export(..., strict=True) and strict=False, the default, give the same operations for the network below, node by node. Yet
# X86InductorQuantizer quantizes its convolutions in the first and not a single one in the second, and prepare_pt2e and convert_pt2e
# report success with a network that is still all in float. The quantizer looks for patterns by the Python call that a node was traced
# from, which strict tracing alone records. A node from an nn.Conv2d module is found in both, by its module: it is networks that hold
# weights of their own and call torch.nn.functional.conv2d, as StyleGAN's do, that are passed over.
#
# Output seen:
#   nn.Conv2d, strict=True: 2 of 2 convolutions in int8
#   nn.Conv2d, strict=False: 2 of 2 convolutions in int8
#   functional.conv2d, strict=True: 2 of 2 convolutions in int8
#   functional.conv2d, strict=False: 0 of 2 convolutions in int8
#   the same operations in both traces: yes
#
# Ends with 1 when the behaviour is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchao==0.18.0 numpy==2.3.5
cd "$scratch"
# A strict trace reads the network's source, which needs a file.
cat > networks.py <<'PYTHON'
import torch
from torch import nn
from torch.nn import functional


class Modules(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Functions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.randn(8, 8, 3, 3)) for _ in range(2))

    def forward(self, x):
        return functional.conv2d(torch.relu(functional.conv2d(x, self.first, padding=1)), self.second, padding=1)
PYTHON
cat > count.py <<'PYTHON'
import sys

import torch
from networks import Functions, Modules
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

photo, counts, operations = torch.randn(1, 8, 16, 16), {}, {}
for name, network in (("nn.Conv2d", Modules()), ("functional.conv2d", Functions())):
    for strict in (True, False):
        graph = torch.export.export(network.eval(), (photo,), strict=strict).module(check_guards=False)
        operations[name, strict] = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
        quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
        prepared = prepare_pt2e(graph, quantizer)
        prepared(photo)
        nodes = convert_pt2e(prepared).graph.nodes
        counts[name, strict] = sum("dequantize_per_channel" in str(node.target) for node in nodes)
        print(f"{name}, strict={strict}: {counts[name, strict]} of 2 convolutions in int8")
same = operations["functional.conv2d", True] == operations["functional.conv2d", False]
print("the same operations in both traces:", "yes" if same else "no")
sys.exit(0 if same and list(counts.values()) == [2, 2, 2, 0] else 1)
PYTHON
"$scratch/venv/bin/python" -W ignore count.py
