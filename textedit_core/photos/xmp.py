"""XMP packets: what is read from them, and the mark that says that a trained model changed part of a picture."""

from __future__ import annotations

import re
from xml.etree import ElementTree

# IPTC Photo Metadata Standard 2023.2, "Digital Source Type"; the value is the term for a picture with parts made by a trained model.
NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_GAIN_MAP = b"http://ns.adobe.com/hdr-gain-map/1.0/"
_TIFF_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))\s*([0-9])""")
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
_THUMBNAILS = re.compile(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", re.DOTALL)


def is_sound(packet: bytes) -> bool:
    """Whether a packet is well-formed XML with an RDF element; entity declarations, which XMP has no use for, are refused."""
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet or b"</rdf:RDF>" not in packet:
        return False
    try:
        ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return False
    return True


def marked(packet: bytes | None) -> bytes:
    """Returns the packet (a new one for None) with the digital source type of a picture that a trained model changed in part."""
    packet = _without_source_type(packet or _EMPTY)
    mark = (
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{NAMESPACE}">'
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType></rdf:Description>\n"
    )
    before, end, after = packet.rpartition(b"</rdf:RDF>")
    return before + mark.encode() + end + after


def _without_source_type(packet: bytes) -> bytes:
    for found in re.finditer(rb"""xmlns:([\w.-]+)\s*=\s*["']""" + re.escape(NAMESPACE.encode()), packet):
        name = re.escape(found[1]) + b":DigitalSourceType"
        packet = re.sub(rb"<" + name + rb"\b[^>]*?/>", b"", packet)
        packet = re.sub(rb"<" + name + rb"\b.*?</" + name + rb"\s*>", b"", packet, flags=re.DOTALL)
        packet = re.sub(rb"\s" + name + rb"""\s*=\s*("[^"]*"|'[^']*')""", b"", packet)
    return packet


def orientation(packet: bytes | None) -> int:
    """The orientation 1..8 that the packet names; 1 where it names none."""
    found = _TIFF_ORIENTATION.search(packet or b"")
    number = int(found[2]) if found else 1
    return number if 1 <= number <= 8 else 1


def with_orientation(packet: bytes, value: int) -> bytes:
    """Returns the packet with every orientation that it names set to `value`."""
    return _TIFF_ORIENTATION.sub(rb"\g<1>%d" % value, packet)


def without_thumbnails(packet: bytes) -> bytes:
    """Returns the packet without embedded previews: they show the face as it was."""
    return _THUMBNAILS.sub(b"", packet)


def names_gain_map(packet: bytes | None) -> bool:
    """Whether the packet says that an HDR gain map goes with the picture (Adobe's namespace, which Android uses too)."""
    return packet is not None and _GAIN_MAP in packet
