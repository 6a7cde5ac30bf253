"""Decoders: w_plus [B,L,D] -> image [B,3,R,R], behind one call."""

from __future__ import annotations

from collections.abc import Callable

from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.mapping import MappingNetwork
from textedit_core.decoder.mobile import MobileDecoder
from textedit_core.decoder.mobile_stylegan import MobileStyleGANDecoder
from textedit_core.decoder.stylegan2 import StyleGAN2Decoder
from textedit_core.decoder.stylegan3 import StyleGAN3Decoder
from textedit_core.errors import unknown_name

Decoder = MobileDecoder | StyleGAN2Decoder | MobileStyleGANDecoder | StyleGAN3Decoder
DECODERS: dict[str, Callable[[DecoderConfig], Decoder]] = {
    "mobile": MobileDecoder,
    "stylegan2": StyleGAN2Decoder,
    "mobile_stylegan": MobileStyleGANDecoder,
    "stylegan3": StyleGAN3Decoder,
}


def build_decoder(config: DecoderConfig) -> Decoder:
    """Builds the decoder that `config.kind` names.

    Raises:
        UsageError: the kind is unknown.
    """
    if config.kind not in DECODERS:
        raise unknown_name("decoder", config.kind, list(DECODERS), "the decoders are")
    return DECODERS[config.kind](config)


__all__ = [
    "DECODERS",
    "Decoder",
    "MappingNetwork",
    "MobileDecoder",
    "MobileStyleGANDecoder",
    "StyleGAN2Decoder",
    "StyleGAN3Decoder",
    "build_decoder",
]
