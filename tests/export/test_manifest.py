"""bundle.json: canonical bytes, its own digest, the schema, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from export.graphs import TensorSpec
from export.manifest import (
    FileEntry,
    GoldenCase,
    Manifest,
    ParityEntry,
    PartEntry,
    PromptEntry,
    RuntimeEntry,
    is_safe_path,
    parse,
    serialise,
)
from textedit_core.errors import UserError


def sample() -> Manifest:
    """A manifest that describes a bundle of one prompt."""
    image, w_plus = TensorSpec("image", (1, 3, 8, 8), minimum=-1.0, maximum=1.0), TensorSpec("w_plus", (1, 2, 4))
    parity = ParityEntry(50.25, 45.0, 0.01, 8)

    def part(name: str, source: TensorSpec, result: TensorSpec) -> PartEntry:
        return PartEntry(name, f"models/{name}.onnx", "fp16", 10, source, result, parity, {"Conv": 3})

    names = ("encoder", "editors/smile", "decoder")
    return Manifest(
        name="demo",
        target="onnx",
        runtime=RuntimeEntry("ONNX Runtime", "1.0", "CPU", "any"),
        pixels={"size": 8, "minimum": -1.0, "maximum": 1.0, "channel_order": "RGB", "color_space": "sRGB", "layout": "NCHW"},
        alignment={
            "landmarks": ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"],
            "template": [[0.4, 0.5], [0.6, 0.5], [0.5, 0.6], [0.4, 0.7], [0.6, 0.7]],
            "crop_rule": {"eye_factor": 2.0, "mouth_factor": 1.8, "margin": 1.0, "drop": 0.1},
        },
        parts=(
            part("encoder", image, w_plus),
            part("editors/smile", w_plus, TensorSpec("delta_w", (1, 2, 4))),
            part("decoder", w_plus, image),
        ),
        prompts=(
            PromptEntry("smile", "a smile", "a face", {"de": "Lächeln"}, 1.0, 0.0, 1.5, "editors/smile", "models/editors/smile.onnx"),
        ),
        golden=(GoldenCase("encoder", "golden/input.png", "golden/w_plus.f32", (1, 2, 4), 45.0),),
        provenance={"checkpoint_id": "demo-1", "training_data_licence": "CC0-1.0", "tools": {"torch": "2"}},
        files=tuple(FileEntry(f"models/{name}.onnx", 10, "0" * 64) for name in names),
    )


def vector_sample() -> Manifest:
    """The same with a second prompt, a vector of one row for the text-conditioned editor."""
    one = sample()
    smile = one.part("editors/smile")
    shared = replace(smile, part="text_editor", file="models/text_editor.onnx", input=TensorSpec("w_plus_text", (1, 3, 4)))
    sketch = PromptEntry("sketch", "a sketch", "a photo", {}, 1.0, 0.0, 1.5, shared.part, shared.file, "vectors/sketch.f32")
    files = (FileEntry(shared.file, 10, "0" * 64), FileEntry("vectors/sketch.f32", 16, "0" * 64))
    return replace(one, parts=(*one.parts[:-1], shared, one.parts[-1]), prompts=(*one.prompts, sketch), files=(*one.files, *files))


def compositor_sample() -> Manifest:
    """The same of schema version 2, with a compositor."""
    one = sample()
    guides, fields = TensorSpec("guides", (1, 9, 8, 8), minimum=-1.0, maximum=1.0), TensorSpec("fields", (1, 8, 8, 8))
    part = replace(one.part("decoder"), part="compositor", file="models/compositor.onnx", input=guides, output=fields)
    files = (*one.files, FileEntry(part.file, 10, "0" * 64))
    return replace(one, parts=(*one.parts, part), files=files, schema_version=2)


def _made_for(target: str, runtime: RuntimeEntry, suffix: str) -> Manifest:
    """The sample for another target, its networks named accordingly."""
    one = sample()
    return replace(
        one,
        target=target,
        runtime=runtime,
        parts=tuple(replace(part, file=part.file.replace(".onnx", suffix)) for part in one.parts),
        prompts=tuple(replace(prompt, file=prompt.file.replace(".onnx", suffix)) for prompt in one.prompts),
        files=tuple(replace(file, path=file.path.replace(".onnx", suffix)) for file in one.files),
    )


def compute_units_sample() -> Manifest:
    """Core ML packages with the compute units that an app should ask for, two of which take several faces at once."""
    one = _made_for("ios", RuntimeEntry("Core ML", "1.0", "ML Program", "iOS 17.0"), ".mlpackage/Manifest.json")
    units = ("cpuAndNeuralEngine", "cpuOnly", "all")
    parts = tuple(
        replace(part, file=part.file.removesuffix("/Manifest.json"), compute_units=unit)
        for part, unit in zip(one.parts, units, strict=True)
    )
    prompts = tuple(replace(prompt, file=prompt.file.removesuffix("/Manifest.json")) for prompt in one.prompts)
    batched = tuple(replace(part, batch_sizes=(1, 2, 4)) if part.part != "editors/smile" else part for part in parts)
    return replace(one, parts=batched, prompts=prompts)


def unproven_sample() -> Manifest:
    """Programs that nothing on the exporting machine could run."""
    one = _made_for("android", RuntimeEntry("ExecuTorch", "1.0", "Vulkan", "any"), ".pte")
    return replace(one, parts=tuple(replace(part, parity=None, undelegated={}) for part in one.parts))


def changed(edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The sample's bytes after an edit, with a digest that fits again."""
    values = json.loads(serialise(sample()))
    edit(values)
    values["manifest_sha256"] = ""
    blank = (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
    digest = hashlib.sha256(blank).hexdigest()
    return blank.replace(b'"manifest_sha256": ""', f'"manifest_sha256": "{digest}"'.encode())


@pytest.mark.parametrize("made", [sample, vector_sample, compute_units_sample, unproven_sample])
def test_round_trip(made: Callable[[], Manifest]) -> None:
    assert parse(serialise(made()), "bundle.json") == made()
    assert serialise(parse(serialise(made()), "bundle.json")) == serialise(made())


def test_digest_is_checkable_without_a_json_writer() -> None:
    # What Kotlin and Swift do: take the digits out of the bytes and hash the rest.
    raw = serialise(sample())
    found = re.search(rb'"manifest_sha256": "([0-9a-f]{64})"', raw)
    assert found is not None
    rest = raw[: found.start(1)] + raw[found.end(1) :]
    assert hashlib.sha256(rest).hexdigest().encode() == found.group(1)


def test_every_flipped_byte_is_noticed() -> None:
    raw = serialise(sample())
    for position in range(0, len(raw), 7):
        damaged = bytearray(raw)
        damaged[position] ^= 1
        with pytest.raises(UserError, match=r"bundle\.json"):
            parse(bytes(damaged), "bundle.json")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda v: v.update(schema_version=3), "schema_version 3; this tool reads 1 and 2: update"),
        (lambda v: v.update(schema_version=0), "export the bundle again"),
        (lambda v: v.update(schema_version=True), "no integer schema_version"),
        (lambda v: v.update(extra=1), "breaks the bundle schema"),
        (lambda v: v["files"][0].update(path="../evil"), "unsafe path '../evil'"),
        (lambda v: v["files"][0].update(path="/etc/passwd"), "unsafe path"),
        (lambda v: v["files"][0].update(path="a\\b"), "unsafe path"),
        (lambda v: v["files"].append(v["files"][0]), "lists a file twice"),
        (lambda v: v["files"].append({**v["files"][0], "path": "models/ENCODER.onnx"}), "lists a file twice"),
        (lambda v: v["files"][0].update(bytes=-1), "breaks the bundle schema at files/0/bytes"),
        (lambda v: v["parts"][0].update(compute_units="gpu"), "breaks the bundle schema at parts/0/compute_units"),
        (lambda v: v["parts"][0].update(compute_units=None), "breaks the bundle schema at parts/0/compute_units"),
        (lambda v: v["parts"][0].update(batch_sizes=[1]), "breaks the bundle schema at parts/0/batch_sizes"),
        (lambda v: v["parts"][0].update(batch_sizes=[2, 4]), "breaks the bundle schema at parts/0/batch_sizes"),
        (lambda v: v["parts"][0].pop("parity"), "breaks the bundle schema at parts/0"),
        (lambda v: v.update(target="Windows Phone"), "breaks the bundle schema at target"),
    ],
)
def test_refuses(edit: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse(changed(edit), "bundle.json")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        # Python reads these three and cannot write them again.
        b'{"schema_version": 1, "a": "\\ud800"}',
        b'{"schema_version": 1, "a": 1e999}',
        b'{"schema_version": 1, "a": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_refuses_what_is_no_manifest(raw: bytes) -> None:
    with pytest.raises(UserError, match=r"^bundle\.json"):
        parse(raw, "bundle.json")


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("a/b.c", True),
        ("a/./b", False),
        ("a//b", False),
        ("..", False),
        ("", False),
        ("a/..", False),
        ("C:/x", False),
        ("a\nb", False),
        ("é", True),
    ],
)
def test_safe_paths(path: str, safe: bool) -> None:
    assert is_safe_path(path) is safe
