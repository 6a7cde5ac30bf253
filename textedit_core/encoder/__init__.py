"""Encoders: photo -> w_plus [B,L,D], behind one call."""

from __future__ import annotations

from collections.abc import Callable

from textedit_core.encoder.backbone import ReStyleEncoder, WEncoder, refuse_stepwise
from textedit_core.encoder.compact import Encoder
from textedit_core.encoder.config import EncoderConfig
from textedit_core.encoder.pyramid import PyramidEncoder
from textedit_core.errors import unknown_name

AnyEncoder = Encoder | PyramidEncoder | WEncoder | ReStyleEncoder
ENCODERS: dict[str, Callable[[EncoderConfig], AnyEncoder]] = {
    "compact": Encoder,
    "e4e": PyramidEncoder,
    "psp": PyramidEncoder,
    "backbone_w": WEncoder,
    "restyle_psp": ReStyleEncoder,
    "restyle_e4e": ReStyleEncoder,
}


def build_encoder(config: EncoderConfig) -> AnyEncoder:
    """Builds the encoder that `config.kind` names.

    Raises:
        UsageError: the kind is unknown.
    """
    if config.kind not in ENCODERS:
        raise unknown_name("encoder", config.kind, list(ENCODERS), "the encoders are")
    return ENCODERS[config.kind](config)


__all__ = [
    "ENCODERS",
    "AnyEncoder",
    "Encoder",
    "EncoderConfig",
    "PyramidEncoder",
    "ReStyleEncoder",
    "WEncoder",
    "build_encoder",
    "refuse_stepwise",
]
