"""What was asked for, and what will be made: every name in a request is resolved and checked before any network is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from export.backends import BACKENDS, resolve_backends
from export.backends.backend import Backend, Precision
from export.bundle import BUNDLE_SUFFIX
from export.bundle_files import require_room
from export.compute_units import require_units
from export.graphs import COMPOSITOR, DECODER, ENCODER, TEXT_EDITOR, GraphSpec, editor_part, graph_spec
from export.raw_tensors import BYTES_PER_NUMBER
from textedit_core.errors import UsageError, UserError
from textedit_core.names import require_model_name, require_prompt_id

if TYPE_CHECKING:
    from textedit_core.checkpoints.store import Checkpoint

# Enough for the faces of a group picture; the schema's limit is the same.
MAX_BATCH = 64
# Held-out faces that an artifact is measured on, and faces that set the ranges of int8.
PARITY_FACES, CALIBRATION_FACES = 8, 16
# Of a bundle, beside its networks and their golden answers: manifest, costs, report, the golden face.
_OTHER_FILES = 4


@dataclass(frozen=True)
class ExportRequest:
    """What the user asked for.

    Attributes:
        target: a target's name or `all`.
        prompts: prompt ids; empty takes every prompt of the checkpoint.
        checkpoint: checkpoint folder; None is the embedded reference.
        precision: None takes each target's default.
        out: folder that receives NAME-TARGET.textedit.
        signing_key: PEM private key on P-256; None leaves the bundle unsigned.
        backend: name of the target's backend; None takes its default.
        unproven: accept a backend whose networks nothing on this machine can run.
        compute_units: what an app should let Core ML use for every network; None advises for each.
        batch_sizes: how many faces each network takes at once, ascending from 1; more than that one for Core ML packages only.
        parity_faces: held-out faces that each artifact is measured on.
        calibration_faces: faces that set the ranges of int8.
        compositor: whether a checkpoint's compositor is exported; without it apps paste the edited face.
        backends: those to choose from.
    """

    target: str
    prompts: tuple[str, ...] = ()
    checkpoint: Path | None = None
    precision: str | None = None
    out: Path = Path("bundles")
    signing_key: Path | None = None
    backend: str | None = None
    unproven: bool = False
    compute_units: str | None = None
    batch_sizes: tuple[int, ...] = (1,)
    parity_faces: int = PARITY_FACES
    calibration_faces: int = CALIBRATION_FACES
    compositor: bool = True
    backends: tuple[Backend, ...] = BACKENDS


@dataclass(frozen=True)
class Plan:
    """One bundle to make.

    Attributes:
        backend: what lowers its networks.
        precision: the name of one of the backend's precisions.
        name: the model's.
        prompts: their ids, in order.
        parts: the networks, in order.
        path: where the bundle goes.
        estimates: the networks' sizes in bytes by part, as far as the number of their weights tells.
        compute_units, batch_sizes: the request's.
    """

    backend: Backend
    precision: str
    name: str
    prompts: tuple[str, ...]
    parts: tuple[GraphSpec, ...]
    path: Path
    estimates: dict[str, int] = field(default_factory=dict)
    compute_units: str | None = None
    batch_sizes: tuple[int, ...] = (1,)

    @property
    def has_compositor(self) -> bool:
        """Whether the compositor is among the networks."""
        return any(spec.part == COMPOSITOR for spec in self.parts)

    @property
    def kind(self) -> Precision:
        """What the precision's name stands for."""
        return self.backend.precisions[self.precision]

    def units_of(self, part: str) -> str | None:
        """The compute units that the manifest names for a part: those asked for, else the advice; None where there is no choice."""
        advise = self.backend.advise
        return None if advise is None else self.compute_units or advise(part, self.precision).units

    def expected_size(self, vectors: int) -> tuple[int, int]:
        """Files and bytes of the bundle, as far as they are known before anything is lowered.

        Args:
            vectors: prompts that the text-conditioned editor serves, each with a file of its own.
        """
        files = _OTHER_FILES + vectors + len(self.parts) * (self.backend.files_per_network + 1)
        answers = sum(BYTES_PER_NUMBER * math.prod(spec.output.shape) for spec in self.parts)
        return files, answers + sum(self.estimates.values())


def plans_of(request: ExportRequest, checkpoint: Checkpoint) -> list[Plan]:
    """One plan for each bundle of a request.

    Raises:
        UsageError: unknown prompt, or what `chosen_backends` refuses.
        UserError: the checkpoint lacks a network, or a bundle would be larger than what can be read back.
    """
    backends = chosen_backends(request)
    prompts = chosen_prompts(checkpoint, request.prompts)
    editors = dict.fromkeys(part_of(checkpoint, prompt) for prompt in prompts)
    composed = (COMPOSITOR,) if request.compositor and checkpoint.has_compositor else ()
    parts = tuple(graph_spec(part, checkpoint.config) for part in (ENCODER, *editors, DECODER, *composed))
    plans = [_plan(request, checkpoint, backend, prompts, parts) for backend in backends]
    for plan in plans:
        require_room(*plan.expected_size(sum(checkpoint.prompt(prompt).conditioned for prompt in prompts)), plan.path.name)
    return plans


def _plan(
    request: ExportRequest, checkpoint: Checkpoint, backend: Backend, prompts: tuple[str, ...], parts: tuple[GraphSpec, ...]
) -> Plan:
    name, precision = require_model_name(checkpoint.config.name), backend.resolve_precision(request.precision)
    estimates = {spec.part: estimated_bytes(checkpoint, spec.part, backend.precisions[precision]) for spec in parts}
    return Plan(
        backend=backend,
        precision=precision,
        name=name,
        prompts=prompts,
        parts=parts,
        path=request.out / f"{name}-{backend.label}{BUNDLE_SUFFIX}",
        estimates=estimates,
        compute_units=request.compute_units,
        batch_sizes=request.batch_sizes,
    )


def chosen_backends(request: ExportRequest) -> list[Backend]:
    """The backends of a request, as far as the command line alone can be checked.

    Raises:
        UsageError: unknown target, backend, precision or compute units; units or batch sizes for a backend that knows none; or a backend
            that cannot be measured here and was not asked for as such.
        UserError: the backend needs an SDK that no Python package brings.
    """
    backends = resolve_backends(request.target, request.backend, request.backends)
    _require_measurable(backends, request.unproven)
    _require_choices(backends, request)
    for backend in backends:
        backend.resolve_precision(request.precision)
    return backends


def _require_measurable(backends: Sequence[Backend], unproven: bool) -> None:
    for backend in backends:
        if backend.load is None and not unproven:
            raise UsageError(
                f"nothing on this machine runs {backend.runtime} with {backend.name}, so no parity can be measured; "
                "--unproven bundles the networks all the same"
            )


def _require_choices(backends: Sequence[Backend], request: ExportRequest) -> None:
    """Refuses compute units and batch sizes that are none, and those for a backend that has no such choice."""
    if request.compute_units is not None:
        require_units(request.compute_units)
    sizes = request.batch_sizes
    if sizes[:1] != (1,) or list(sizes) != sorted(set(sizes)) or sizes[-1] > MAX_BATCH:
        raise UsageError(f"batch sizes {', '.join(map(str, sizes))} are not a list from 1 upwards to at most {MAX_BATCH}")
    for backend in backends:
        precision = backend.precisions.get(request.precision or "")
        if sizes != (1,) and precision is not None and precision.one_face:
            raise UsageError(
                f"precision {request.precision} is calibrated for one face at a time; take another, or leave --batch-sizes out"
            )
        without_units = request.compute_units is not None and backend.advise is None
        if without_units or (sizes != (1,) and not backend.takes_batches):
            raise UsageError(f"--compute-units and --batch-sizes are for Core ML packages; target {backend.label} makes none")


def estimated_bytes(checkpoint: Checkpoint, part: str, precision: Precision) -> int:
    """A network's size from the number of its weights, which the head of its checkpoint file tells.

    Raises:
        UserError: the checkpoint lacks the network, or its file is unreadable.
    """
    from safetensors import SafetensorError, safe_open

    name = f"{part}.safetensors"
    if name not in checkpoint.files:
        raise UserError(f"checkpoint {str(checkpoint.directory)!r} has no {name}, which a bundle holds; train or import it first")
    try:
        with safe_open(str(checkpoint.directory / name), framework="numpy") as stored:
            # The handle is no mapping: it cannot be iterated.
            weights = sum(math.prod(stored.get_slice(key).get_shape()) for key in stored.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{str(checkpoint.directory / name)!r} cannot be read: {error}; restore the file") from None
    return round(weights * precision.bytes_per_weight)


def part_of(checkpoint: Checkpoint, prompt_id: str) -> str:
    """The part that serves a prompt: its own editor, or the text-conditioned one."""
    return TEXT_EDITOR if checkpoint.prompt(prompt_id).conditioned else editor_part(prompt_id)


def chosen_prompts(checkpoint: Checkpoint, names: tuple[str, ...]) -> tuple[str, ...]:
    """The prompts to export, without repeats, in the order given.

    Raises:
        UsageError: the checkpoint lacks one of them, or its id is one that no bundle takes.
    """
    for name in names:
        checkpoint.prompt(name)
    chosen = tuple(require_prompt_id(name) for name in dict.fromkeys(names) or checkpoint.prompts)
    if not chosen:
        raise UsageError(f"checkpoint {checkpoint.checkpoint_id} has no prompts; train an editor first")
    return chosen
