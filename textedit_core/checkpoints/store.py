"""Checkpoints: a directory of safetensors with one JSON index that holds the config, the prompts, the origin and every file's hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from textedit_core.atomic import replacing_file, write_text
from textedit_core.compositor import Compositor
from textedit_core.config import ModelConfig, model_config_from_dict, to_dict
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.editor import LatentEditor, TextConditionedEditor, build_editor
from textedit_core.editor.config import prompt_editor_config, text_editor_config
from textedit_core.encoder import AnyEncoder, ReStyleEncoder, build_encoder
from textedit_core.errors import UserError, unknown_name
from textedit_core.hashing import sha256_of, sha256_of_file
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.face_identity import Recogniser, build_identity
from textedit_core.perception.open_clip_model import OpenClipModel
from textedit_core.perception.text_pairs import embed_prompt, text_vector
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt, prompt_from_dict

FORMAT_VERSION = 1
INDEX_NAME = "checkpoint.json"
TOKENIZER_NAME = "clip_tokenizer.json"
TEXT_EDITOR = "text_editor"
LATENTS = "latents"
COMPOSITOR = "compositor"
LATENT_AVERAGE = "latent_average"
# Prompt ids and file names: no empty, dotted or absolute parts.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
REFERENCE = Path(__file__).resolve().parent.parent / "reference"

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint directory. Modules are built on demand, in fp32 and eval mode, after their file's hash was checked."""

    directory: Path
    checkpoint_id: str
    config: ModelConfig
    prompts: dict[str, Prompt]
    provenance: dict[str, Any]
    files: dict[str, dict[str, Any]]

    def load_encoder(self) -> AnyEncoder:
        encoder = self._load("encoder.safetensors", build_encoder(self.config.encoder))
        if isinstance(encoder, ReStyleEncoder):
            encoder.watch(self.load_decoder())
        return encoder

    def load_decoder(self) -> nn.Module:
        return self._load("decoder.safetensors", build_decoder(self.config.decoder))

    def load_mapping(self) -> MappingNetwork:
        return self._load("mapping.safetensors", MappingNetwork(self.config.mapping))

    def load_editor(self, prompt_id: str) -> LatentEditor:
        """Loads one prompt's editor: its own, an imported one, or what the text-conditioned one is for the prompt's text.

        Raises:
            UsageError: no such prompt; the message names those that exist.
        """
        prompt = self.prompt(prompt_id)
        if prompt.conditioned:
            return self.load_text_editor().for_text(self.text_vector(prompt_id))
        own = prompt_editor_config(self.config.editor, prompt.groups)
        return self._load(f"editors/{prompt_id}.safetensors", build_editor(prompt.editor or own))

    def load_text_editor(self) -> TextConditionedEditor:
        editor = TextConditionedEditor(text_editor_config(self.config.editor), self.config.clip.embed_dim)
        return self._load(f"{TEXT_EDITOR}.safetensors", editor)

    def text_vector(self, prompt_id: str) -> Tensor:
        """What the text-conditioned editor reads for a prompt, float32 [E]; its length is the prompt's calibration."""
        return self.text_vectors([prompt_id])[prompt_id]

    def text_vectors(self, prompt_ids: Iterable[str]) -> dict[str, Tensor]:
        """`text_vector` of several prompts, by id; the text-image model is loaded once, and not at all for none."""
        prompts = [self.prompt(prompt_id) for prompt_id in prompt_ids]
        if not prompts:
            return {}
        clip = self.load_clip()
        return {prompt.id: text_vector(embed_prompt(clip, prompt), prompt.calibration) for prompt in prompts}

    def load_clip(self) -> ClipModel | OpenClipModel:
        if self.config.clip.open_clip:
            return self._load("clip.safetensors", OpenClipModel(self.config.clip))
        tokenizer = PromptTokenizer.from_json(self.verified(TOKENIZER_NAME).read_text("utf8"))
        return self._load("clip.safetensors", ClipModel(self.config.clip, tokenizer))

    def load_identity(self) -> Recogniser:
        return self._load("identity.safetensors", build_identity(self.config.identity))

    @property
    def has_compositor(self) -> bool:
        """Whether edits are drawn on the photo itself; a checkpoint without pastes the edited face."""
        return f"{COMPOSITOR}.safetensors" in self.files

    def load_compositor(self) -> Compositor:
        return self._load(f"{COMPOSITOR}.safetensors", Compositor(self.config.compositor))

    def load_latents(self) -> Tensor:
        """Imported latents of real photos, w_plus float32 [N,L,D]."""
        return load_file(str(self.verified(f"{LATENTS}.safetensors")))["w_plus"]

    def load_w_avg(self) -> Tensor:
        """The average latent that came with an imported generator, float32 [D] or [L,D]."""
        return load_file(str(self.verified(f"{LATENT_AVERAGE}.safetensors")))["w_avg"]

    def prompt(self, prompt_id: str) -> Prompt:
        """Looks a prompt up by its id; raises UsageError naming those that exist."""
        if prompt_id not in self.prompts:
            raise unknown_name("prompt", prompt_id, list(self.prompts), "this checkpoint has")
        return self.prompts[prompt_id]

    def faces(self, split: str) -> list[Path]:
        """Aligned sample faces of split "calibration" or "heldout", sorted by name, each checked against its hash."""
        names = sorted(name for name in self.files if name.startswith(f"faces/{split}/"))
        return [self.verified(name) for name in names]

    def verified(self, name: str) -> Path:
        """The path of one of the checkpoint's files, checked against its hash.

        Raises:
            UserError: it is missing or damaged.
        """
        path = self.directory / name
        if name not in self.files or not path.is_file():
            raise UserError(f"checkpoint {str(self.directory)!r} has no {name}; train it or point --checkpoint elsewhere")
        if file_entry(path) != self.files[name]:
            raise UserError(f"{str(path)!r} is damaged: its size or sha256 differs from {INDEX_NAME}; restore the file")
        return path

    def _load(self, name: str, module: Module) -> Module:
        load_weights(module, self.verified(name))
        return module.eval().requires_grad_(False)


def open_checkpoint(path: str | Path | None = None) -> Checkpoint:
    """Opens a checkpoint directory; None opens the embedded reference model.

    Raises:
        UserError: the folder or its index is missing, damaged or of another version.
    """
    directory = Path(path) if path is not None else REFERENCE
    index_path = directory / INDEX_NAME
    try:
        index = json.loads(index_path.read_text("utf8"))
    except FileNotFoundError:
        raise UserError(f"{str(directory)!r} is no checkpoint: it has no {INDEX_NAME}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{str(index_path)!r} cannot be read: {error}") from None
    try:
        return _from_index(directory, index)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{str(index_path)!r} is damaged: {type(error).__name__} {error}") from None


def _from_index(directory: Path, index: dict[str, Any]) -> Checkpoint:
    if index["format_version"] != FORMAT_VERSION:
        raise UserError(
            f"{str(directory / INDEX_NAME)!r} has format_version {index['format_version']}; this version reads {FORMAT_VERSION}"
        )
    prompts = {entry["id"]: prompt_from_dict(entry) for entry in index["prompts"]}
    for name in [*prompts, *index["files"]]:
        if not is_safe_name(name):
            raise UserError(f"{str(directory / INDEX_NAME)!r} holds the name {name!r}, which could leave the folder; restore the index")
    config = model_config_from_dict(index["config"])
    return Checkpoint(directory, index["checkpoint_id"], config, prompts, index["provenance"], index["files"])


def is_safe_name(name: str) -> bool:
    """Whether a prompt's id or a file's name stays inside the folder: no empty, dotted or absolute parts."""
    return _SAFE_NAME.fullmatch(name) is not None


def load_weights(module: nn.Module, path: Path) -> None:
    """Fills `module` strictly from a safetensors file, converting to the module's dtypes.

    Raises:
        UserError: the file is damaged, or a key or a shape differs; the message names the first ones.
    """
    try:
        tensors = load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise UserError(f"{str(path)!r} is not a readable safetensors file: {error}") from None
    wanted = module.state_dict()
    missing, unused = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    shapes = sorted(k for k in set(wanted) & set(tensors) if wanted[k].shape != tensors[k].shape)
    for problem, keys in (("lacks", missing), ("has unknown", unused), ("has another shape for", shapes)):
        if keys:
            raise UserError(f"{str(path)!r} {problem} {', '.join(keys[:3])} ({len(keys)} in all); was it made for another config?")
    module.load_state_dict({key: tensors[key].to(wanted[key].dtype) for key in wanted}, strict=True)


def save_weights(tensors: Mapping[str, Tensor], path: Path, dtype: torch.dtype = torch.float16) -> None:
    """Writes tensors as safetensors, atomically. Matrices and kernels are stored as `dtype`, vectors as they are.

    Vectors keep fp32 since batch-norm variances fall below what fp16 can hold.
    """
    stored = {key: _stored(value, dtype) for key, value in tensors.items()}
    with replacing_file(path) as draft:
        try:
            save_file(stored, str(draft))
        except SafetensorError as error:
            raise UserError(f"cannot write {str(path)!r}: {error}") from None


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    shrink = value.is_floating_point() and value.ndim > 1
    return value.detach().to("cpu", dtype if shrink else value.dtype).contiguous().clone()


def initialise_index(directory: Path, config: ModelConfig) -> Checkpoint:
    """Opens the checkpoint in `directory`, or starts an empty one for `config`.

    Raises:
        UserError: a checkpoint of another config is there already.
    """
    if not (directory / INDEX_NAME).is_file():
        return write_index(directory, config, [], {})
    existing = open_checkpoint(directory)
    if existing.config != config:
        raise UserError(f"{str(directory)!r} holds a {existing.config.name} model of another config; choose another --out")
    return existing


def write_part(directory: Path, name: str, module: nn.Module, dtype: torch.dtype = torch.float16) -> Path:
    """Saves a module as `directory/name.safetensors` (`name` may hold a folder: "editors/smile")."""
    path = directory / f"{name}.safetensors"
    save_weights(module.state_dict(), path, dtype)
    return path


def write_index(directory: Path, config: ModelConfig, prompts: list[Prompt], provenance: dict[str, Any]) -> Checkpoint:
    """Hashes what lies in the directory and writes checkpoint.json, atomically. The checkpoint id is derived from the hashes."""
    files = {name: file_entry(directory / name) for name in sorted(_checkpoint_files(directory))}
    digest = sha256_of(json.dumps(files, sort_keys=True).encode())
    index = {
        "format_version": FORMAT_VERSION,
        "checkpoint_id": f"{config.name}-{digest[:12]}",
        "config": to_dict(config),
        "prompts": [asdict(prompt) for prompt in prompts],
        "provenance": provenance,
        "files": files,
    }
    write_text(directory / INDEX_NAME, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    return open_checkpoint(directory)


def _checkpoint_files(directory: Path) -> list[str]:
    patterns = ("*.safetensors", "editors/*.safetensors", "faces/*/*.jpg", TOKENIZER_NAME)
    return [path.relative_to(directory).as_posix() for pattern in patterns for path in directory.glob(pattern)]


def file_entry(path: Path) -> dict[str, Any]:
    """Size in bytes and sha256 of a file, as the index lists them."""
    return {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
