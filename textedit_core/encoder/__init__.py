"""Encoders: photo -> w_plus [B,L,D], behind one call."""

from __future__ import annotations

from textedit_core.encoder.compact import Encoder
from textedit_core.encoder.config import EncoderConfig
from textedit_core.encoder.pyramid import PyramidEncoder
from textedit_core.errors import unknown_name

ENCODERS: dict[str, type[Encoder] | type[PyramidEncoder]] = {"compact": Encoder, "e4e": PyramidEncoder, "psp": PyramidEncoder}


def build_encoder(config: EncoderConfig) -> Encoder | PyramidEncoder:
    """Builds the encoder that `config.kind` names.

    Raises:
        UsageError: the kind is unknown.
    """
    if config.kind not in ENCODERS:
        raise unknown_name("encoder", config.kind, list(ENCODERS), "the encoders are")
    return ENCODERS[config.kind](config)


__all__ = ["ENCODERS", "Encoder", "EncoderConfig", "PyramidEncoder", "build_encoder"]
