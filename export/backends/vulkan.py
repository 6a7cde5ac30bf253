"""Vulkan in ExecuTorch: an Android phone's graphics processor. Nothing on the exporting machine runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from export.backends import executorch_program
from export.backends.backend import PHONE_ALONE, Backend, Job, Precision
from export.forms import slices_and_spatial_means

if TYPE_CHECKING:
    from torch import fx

    from export.backends.lowered import Lowered


def lower(graph: fx.GraphModule, job: Job, path: Path) -> Lowered:
    """Writes a .pte program; Vulkan chooses fp16 arithmetic itself.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
    """
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return executorch_program.lower(graph, job, path, VulkanPartitioner({"force_fp16": job.precision == "fp16"}), BACKEND.name)


BACKEND = Backend(
    target="android",
    id="vulkan",
    name="Vulkan",
    runtime="ExecuTorch",
    min_os="Android 8.0 (API 26) with Vulkan 1.1",
    suffix=".pte",
    tools=("executorch", "torch", "timm"),
    precisions={"fp16": Precision(45.0, 2.0), "fp32": Precision(60.0, 4.0)},
    form=slices_and_spatial_means,
    lower=lower,
    load=None,
    proof="",
    leaves_open=f"every number: nothing has run this file, the golden answers are the fp32 networks'; {PHONE_ALONE}",
    default=False,
)
