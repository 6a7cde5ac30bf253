"""ONNX models on other processors than this one, emulated, and in the oldest ONNX Runtime that they name."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.backends import onnx as onnx_backend
from export.backends import onnx_weights
from export.fold import fold
from export.parity import psnr_db
from tests.export.networks import job

SCRIPT = Path(__file__).with_name("onnx_answers.py")
EMULATOR = "qemu-x86_64-static"


class Averaging(nn.Module):
    """Bright activations into full-sized weights of one sign, the worst case for sums in 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.average = nn.Conv2d(32, 8, 4, bias=False)
        self.last = nn.Linear(8 * 5 * 5, 16)
        nn.init.constant_(self.average.weight, 1.0 / (32 * 4 * 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.average(torch.relu(self.first(x)) + 0.5).flatten(1))


@dataclass(frozen=True)
class Models:
    """Lowered models by name, their inputs [N,3,16,16] as a file, and the fp32 network's answers [N,16]."""

    paths: dict[str, Path]
    inputs: Path
    expected: Tensor

    def answers(self, names: Sequence[str], launcher: Sequence[str] = (), environment: dict[str, str] | None = None) -> list[Tensor]:
        """What a process of its own gives for all inputs, by model."""
        command = [*launcher, sys.executable, str(SCRIPT), str(self.inputs), *(str(self.paths[name]) for name in names)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(environment or {})})
        return [torch.from_numpy(np.load(f"{self.paths[name]}.npy")) for name in names]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The network in each precision, and in int8 as the quantizer leaves it, with signed weights."""
    folder, network = tmp_path_factory.mktemp("models"), Averaging().eval()
    inputs = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    graph = fold(network, inputs[:1])
    paths = {name: folder / f"{name}.onnx" for name in (*onnx_backend.BACKEND.precisions, "signed")}
    for name in onnx_backend.BACKEND.precisions:
        onnx_backend.lower(graph, job("part", inputs.split(1), name), paths[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_weights, "_weights_as_unsigned", lambda model: None)
        onnx_backend.lower(graph, job("part", inputs.split(1), "int8"), paths["signed"])
    np.save(folder / "inputs.npy", inputs.numpy())
    with torch.no_grad():
        return Models(paths, folder / "inputs.npy", network(inputs))


def emulated(cpu: str) -> list[str]:
    """The command in front of Python; skips where this machine cannot emulate."""
    if platform.machine() != "x86_64":
        pytest.skip(f"Python here is for {platform.machine()}; {EMULATOR} runs programs for x86-64")
    if shutil.which(EMULATOR) is None:
        pytest.skip(f"{EMULATOR} is not installed; apt-get install qemu-user-static")
    return [EMULATOR, "-cpu", cpu]


# SSE alone; AVX2 without VNNI, as most laptops sold before 2020.
@pytest.mark.parametrize("cpu", ["Nehalem", "Haswell"])
def test_int8_gives_the_same_answers_on_other_processors(cpu: str, models: Models) -> None:
    launcher = emulated(cpu)
    (here,) = models.answers(["int8"])
    (there,) = models.answers(["int8"], launcher)
    assert psnr_db(models.expected, here) > 45.0
    # Sums of integers are exact. Of 128 outputs a rounding could move one by a step of 1/255: 48 + 21 dB.
    assert psnr_db(here, there) > 60.0


def test_signed_weights_would_saturate(models: Models) -> None:
    signed, unsigned = models.answers(["signed", "int8"], emulated("Haswell"))
    # Half a sum is lost: far more than eight bits round. Fails under an emulator without AVX2 (QEMU before 7.2).
    assert psnr_db(models.expected, signed) < 35.0 < psnr_db(models.expected, unsigned) - 10.0


def test_int8_stores_the_quantizers_own_weights(models: Models) -> None:
    def weights(name: str) -> dict[str, np.ndarray]:
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(models.paths[name]).graph.initializer}
        return {name: value for name, value in stored.items() if value.dtype in (np.int8, np.uint8) and value.ndim > 1}

    signed, unsigned = weights("signed"), weights("int8")
    assert len(signed) == 3 and signed.keys() == unsigned.keys()
    for name, value in signed.items():
        assert value.dtype == np.int8 and unsigned[name].dtype == np.uint8
        assert (unsigned[name].astype(int) - 128 == value).all()


def test_every_precision_runs_in_the_oldest_runtime(models: Models) -> None:
    folder = os.environ.get("TEXTEDIT_OLD_ONNXRUNTIME", "")
    if not folder:
        pytest.skip(f"TEXTEDIT_OLD_ONNXRUNTIME names no folder with ONNX Runtime {onnx_backend.OLDEST_RUNTIME}; .ci/run makes one")
    assert Path(folder, f"onnxruntime-{onnx_backend.OLDEST_RUNTIME}.dist-info").is_dir()
    for name, kind in onnx_backend.BACKEND.precisions.items():
        (here,), (old,) = models.answers([name]), models.answers([name], environment={"PYTHONPATH": folder})
        assert psnr_db(models.expected, old) > kind.floor_db, name
        # fp32 rounds at 2**-24, 144 dB below the largest value; int8 by steps, as above.
        assert psnr_db(here, old) > (60.0 if name == "int8" else 100.0), name


def test_no_newer_format_is_asked_for_than_needed(models: Models) -> None:
    for name in onnx_backend.BACKEND.precisions:
        model = onnx.load(models.paths[name])
        # Opset 18 came with IR 8, in ONNX 1.13.
        assert (model.ir_version, [(opset.domain, opset.version) for opset in model.opset_import]) == (8, [("", 18)]), name
