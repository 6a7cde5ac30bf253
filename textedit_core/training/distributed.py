"""Who takes part in training: the device of this process and its share of the work of all processes.

`accelerate launch -m textedit_core train ...` starts the processes; each draws the same random numbers, takes its slice of the step's
batch, and averages the gradients with the others, so that N processes take the steps that one would take.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from textedit_core.errors import UsageError, UserError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Team:
    """The processes that train together; alone, every method is a formality.

    Attributes:
        device: where this process computes.
        rank: number of this process, 0 to size - 1; rank 0 alone writes files.
        size: how many processes take part.
    """

    device: torch.device = torch.device("cpu")
    rank: int = 0
    size: int = 1

    @property
    def is_main_process(self) -> bool:
        """True in the one process that writes files and shows progress."""
        return self.rank == 0

    def shard(self, rows: Tensor) -> Tensor:
        """This process's slice of the first axis of what was drawn for the whole batch; the axis is divisible by `size`."""
        part = len(rows) // self.size
        return rows[self.rank * part : (self.rank + 1) * part]

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, float of any shape, no gradient."""
        if self.size == 1:
            return values.detach()
        from accelerate.utils import reduce

        return reduce(values.detach().clone(), "mean")

    def gather(self, part: Tensor) -> Tensor:
        """Joins the parts [b,...] of all processes to [size*b,...] in the order of `shard`; gradients reach every process's part."""
        if self.size == 1:
            return part
        # A sum of slices that do not overlap is the one transfer whose gradient is the same transfer again.
        whole = [torch.zeros_like(part)] * self.size
        whole[self.rank] = part
        return _Sum.apply(torch.cat(whole))

    def average_gradients(self, module: nn.Module) -> None:
        """Replaces each gradient by its mean over the processes, in one transfer."""
        if self.size == 1:
            return
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if gradients:
            averaged = self.mean(torch.cat([g.flatten() for g in gradients]))
            for gradient, mean in zip(gradients, averaged.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))

    def barrier(self) -> None:
        """Returns once every process has called it."""
        if self.size > 1:
            torch.distributed.barrier()

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Runs the block in rank 0 first, then in the others, which find what it wrote."""
        if not self.is_main_process:
            self.barrier()
        try:
            yield
        finally:
            # Also after an error: the others then meet it themselves instead of waiting for ever.
            if self.is_main_process:
                self.barrier()


class _Sum(torch.autograd.Function):
    """Sum over the processes, of values on the way there and of their gradients on the way back."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


SOLO = Team()


def open_team(device: str, batch_size: int) -> Team:
    """Joins the processes that accelerate started, or stands alone; `device` is "auto", "cpu" or "cuda".

    Raises:
        UsageError: the device has no such name.
        UserError: there is no CUDA device, accelerate is missing, or the batch cannot be divided evenly.
    """
    chosen = choose_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team(chosen)
    if batch_size % size:
        raise UserError(f"a batch of {batch_size} cannot be shared evenly by {size} processes; give --batch-size a multiple of {size}")
    try:
        from accelerate import PartialState
    except ImportError:
        raise UserError("training in several processes needs accelerate; install it with: pip install 'textedit[distributed]'") from None
    state = PartialState(cpu=chosen.type == "cpu")
    return Team(state.device, state.process_index, state.num_processes)


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA where torch finds it and the CPU otherwise.

    Raises:
        UsageError: the name is none of DEVICES.
        UserError: CUDA was asked for and torch finds none.
    """
    if name not in DEVICES:
        raise UsageError(f"unknown device {name!r}; the devices are: {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch finds no CUDA device on this machine; use --device cpu, or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def share_batch_statistics(module: nn.Module, team: Team) -> None:
    """Lets every batch norm of a training module normalise by the statistics of the whole batch, not of this process's slice.

    torch's own SyncBatchNorm does the same on CUDA alone, and forgets the activation that timm fuses into its norms.
    """
    if team.size == 1:
        return
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            norm.forward = functools.partial(_normalised_together, norm, team)


def _normalised_together(norm: _BatchNorm, team: Team, x: Tensor) -> Tensor:
    if not norm.training:
        return type(norm).forward(norm, x)
    dims, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
    values = x.float()
    own = torch.stack([values.mean(dims), values.var(dims, correction=0)])
    means, variances = team.gather(own.unsqueeze(0)).unbind(1)
    mean = means.mean(0)
    variance = (variances + (means - mean).square()).mean(0)
    _follow(norm, mean, variance, team.size * x.numel() // x.shape[1])
    y = (values - mean.view(shape)) * torch.rsqrt(variance.view(shape) + norm.eps)
    y = (y * norm.weight.view(shape) + norm.bias.view(shape)).to(x.dtype)
    # timm's norms carry their dropout and activation.
    for extra in (getattr(norm, "drop", None), getattr(norm, "act", None)):
        y = extra(y) if extra is not None else y
    return y


@torch.no_grad()
def _follow(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
