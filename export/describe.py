"""What the manifest says of a bundle: its runtime, alignment, prompts and origin, in the words that readers on phones know."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from export import manifest
from export.graphs import COMPOSITOR, DECODER, ENCODER, TEXT_EDITOR
from export.plan import Plan, part_of
from export.vectors import vector_path

if TYPE_CHECKING:
    from export.backends.backend import Backend
    from export.networks import Networks
    from textedit_core.alignment import CropRule
    from textedit_core.checkpoints.store import Checkpoint


def describe(
    plan: Plan, networks: Networks, parts: tuple[manifest.PartEntry, ...], golden: tuple[manifest.GoldenCase, ...]
) -> manifest.Manifest:
    """The manifest of a bundle, all but the list of files."""
    checkpoint, backend = networks.checkpoint, plan.backend
    return manifest.Manifest(
        name=plan.name,
        target=backend.target,
        runtime=manifest.RuntimeEntry(backend.runtime, version(backend.package), backend.name, backend.min_os),
        pixels=dataclasses.asdict(checkpoint.config.pixel),
        alignment=alignment_entry(checkpoint.config.crop),
        parts=parts,
        prompts=tuple(prompt_entry(checkpoint, prompt, backend) for prompt in networks.prompts),
        golden=golden,
        provenance=provenance(checkpoint, bool(networks.vectors), plan.has_compositor, backend),
        # Readers from before there was a compositor go on reading bundles that have none.
        schema_version=manifest.SCHEMA_VERSION if plan.has_compositor else manifest.PASTING_VERSION,
    )


def alignment_entry(rule: CropRule) -> dict[str, Any]:
    """How a crop follows from five landmarks, and where they come to lie in it."""
    from textedit_core.alignment import LANDMARK_NAMES, landmark_template

    template = landmark_template(rule).round(4).tolist()
    return {"landmarks": list(LANDMARK_NAMES), "template": template, "crop_rule": dataclasses.asdict(rule)}


def prompt_entry(checkpoint: Checkpoint, prompt_id: str, backend: Backend) -> manifest.PromptEntry:
    """The manifest's view of a checkpoint's prompt."""
    prompt = checkpoint.prompt(prompt_id)
    part = part_of(checkpoint, prompt_id)
    return manifest.PromptEntry(
        id=prompt.id,
        text=prompt.text,
        neutral_text=prompt.neutral_text,
        names=dict(prompt.names),
        strength_default=prompt.strength_default,
        strength_min=prompt.strength_min,
        strength_max=prompt.strength_max,
        part=part,
        file=f"models/{part}{backend.suffix}",
        vector=vector_path(prompt_id) if prompt.conditioned else None,
    )


def provenance(checkpoint: Checkpoint, with_text_editor: bool, with_compositor: bool, backend: Backend) -> dict[str, Any]:
    """Where the weights come from and which tools lowered them."""
    world = checkpoint.provenance.get("dataset", {}).get("world", {})
    return {
        "checkpoint_id": checkpoint.checkpoint_id,
        "training_data_licence": world.get("licence", "not stated by the checkpoint"),
        "weights": shared_weights(checkpoint, with_text_editor, with_compositor),
        "tools": {name: version(name) for name in backend.tools},
    }


def shared_weights(checkpoint: Checkpoint, with_text_editor: bool, with_compositor: bool) -> dict[str, str]:
    """The checkpoint's own hashes of the networks that prompts share."""
    shared = (ENCODER, DECODER, *[TEXT_EDITOR] * with_text_editor, *[COMPOSITOR] * with_compositor)
    return {name: checkpoint.files[f"{name}.safetensors"]["sha256"] for name in shared}
