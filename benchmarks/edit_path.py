"""One edit of one photo as an app does it: encode, edit, decode, each network through its runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sessions import lower_folded, open_network

if TYPE_CHECKING:
    from torch import Tensor

    from export.bundle import Bundle
    from export.graphs import GraphSpec


@dataclass(frozen=True)
class EditFiles:
    """What an edit is made of, as files; small enough to hand to another process.

    Attributes:
        target: android or onnx, which says the runtime.
        files: of encoder, editor and decoder, in this order.
        specs: of the same.
        text: what the text-conditioned editor reads below w_plus, R rows of D numbers; None for an editor of one prompt.
    """

    target: str
    files: tuple[Path, Path, Path]
    specs: tuple[GraphSpec, GraphSpec, GraphSpec]
    text: tuple[tuple[float, ...], ...] | None = None


def bundle_files(opened: Bundle, prompt: str) -> EditFiles:
    """The networks of a bundle that one prompt needs.

    Raises:
        UsageError: the bundle has no such prompt.
    """
    from export.graphs import DECODER, ENCODER
    from export.vectors import read_text

    manifest = opened.manifest
    entry = manifest.prompt(prompt)
    encoder, editor, decoder = (manifest.part(part) for part in (ENCODER, entry.part, DECODER))
    files = (opened.file(encoder.file), opened.file(editor.file), opened.file(decoder.file))
    specs = (manifest.spec(ENCODER), manifest.spec(entry.part), manifest.spec(DECODER))
    text = read_text(opened.root, manifest, entry)
    return EditFiles(manifest.target, files, specs, None if text is None else tuple(map(tuple, text.tolist())))


def random_int8_files(preset_name: str, scratch: Path) -> EditFiles:
    """A preset's encoder, editor and decoder with random weights, folded and in static int8 for ExecuTorch.

    Raises:
        UsageError: no such preset.
    """
    import torch

    from export.fold import fold
    from export.graphs import DECODER, ENCODER, editor_part, graph_spec
    from textedit_core.config import preset
    from textedit_core.decoder import build_decoder
    from textedit_core.editor import build_editor
    from textedit_core.encoder import build_encoder

    config = preset(preset_name)
    torch.manual_seed(0)
    modules = (build_encoder(config.encoder), build_editor(config.editor), build_decoder(config.decoder))
    encoder, editor, decoder = (graph_spec(part, config) for part in (ENCODER, editor_part("random"), DECODER))
    files = (scratch / "encoder.pte", scratch / "editor.pte", scratch / "decoder.pte")
    for module, spec, path in zip(modules, (encoder, editor, decoder), files, strict=True):
        value = torch.randn(spec.input.shape)
        lower_folded(fold(module.eval(), value), value, "int8", path, spec.part)
    return EditFiles("android", files, (encoder, editor, decoder))


class EditPath:
    """The networks of one prompt's edit, loaded.

    Args:
        files: what to load.
        threads: of the runtime.
    """

    def __init__(self, files: EditFiles, threads: int) -> None:
        import torch

        from export.bundle_networks import PartNetworks

        runners = {spec.part: open_network(files.target, path, spec, threads) for path, spec in zip(files.files, files.specs, strict=True)}
        text = None if files.text is None else torch.tensor(files.text)
        # There is one prompt, so that its part's name serves as its id.
        self._prompt = files.specs[1].part
        self._networks = PartNetworks(runners.__getitem__, {self._prompt: (self._prompt, text)})

    def encode(self, image: Tensor) -> Tensor:
        """The photo float32 [1,3,S,S] to w_plus float32 [1,L,D]."""
        return self._networks.encode(image)

    def delta(self, w_plus: Tensor) -> Tensor:
        """w_plus float32 [1,L,D] to delta_w of the same shape."""
        return self._networks.delta(self._prompt, w_plus)

    def decode(self, w_plus: Tensor) -> Tensor:
        """w_plus float32 [1,L,D] to the image float32 [1,3,R,R]."""
        return self._networks.decode(w_plus)

    def slide(self, w_plus: Tensor, delta_w: Tensor) -> Tensor:
        """What a move of the strength slider costs: w_plus + strength * delta_w and the decoder; the image [1,3,R,R]."""
        from textedit_core.latents import apply_edit

        return self.decode(apply_edit(w_plus, delta_w, 1.0))

    def full(self, image: Tensor) -> Tensor:
        """Encode, edit and decode: the photo float32 [1,3,S,S] to the edited image [1,3,R,R]."""
        w_plus = self.encode(image)
        return self.slide(w_plus, self.delta(w_plus))
