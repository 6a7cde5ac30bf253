#!/usr/bin/env bash
# Pillow 13.0.0.
#
# A phone's photo with a gain map is a JPEG with a second, small JPEG behind it, listed by a Multi-Picture (MPF) segment. Whether Pillow
# takes such a file for a "JPEG" of one picture or an "MPO" of two hangs on how the XMP text of the first picture spells one property.
# As an attribute in double quotes (hdrgm:Version="1.0") it is a JPEG. As an attribute in single quotes or as an element
# (<hdrgm:Version>1.0</hdrgm:Version>), which mean the same in RDF/XML, or without that property (Apple's gain maps), it is an MPO.
#
# What meets here: code that keeps a photo's own compression by save(..., quality="keep") works with the first and raises
# "Cannot use 'keep' when original image is not a JPEG" with the others, whose first picture has the very same bytes of JPEG data.
# Code that refuses anything with several pictures takes the first and refuses the others. All lose the gain map when saved.
#
# Output seen:
#   attribute, double quotes: JPEG, 1 picture, keep works, saved with 1 picture
#   attribute, single quotes: MPO, 2 pictures, keep fails, saved with 1 picture
#   element: MPO, 2 pictures, keep fails, saved with 1 picture
#   no such property: MPO, 2 pictures, keep fails, saved with 1 picture
#
# Ends with 1 when the behaviour is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
cd "$scratch"
"$scratch/venv/bin/python" - <<'PYTHON'
import io
import sys

from PIL import Image

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"%s</rdf:RDF></x:xmpmeta>'
)
SPELLINGS = {
    "attribute, double quotes": ' hdrgm:Version="1.0"/>',
    "attribute, single quotes": " hdrgm:Version='1.0'/>",
    "element": "><hdrgm:Version>1.0</hdrgm:Version></rdf:Description>",
    "no such property": "/>",
}
WANTED = {name: ("JPEG", 1, "works", 1) if name == "attribute, double quotes" else ("MPO", 2, "fails", 1) for name in SPELLINGS}
photo, gain_map = Image.linear_gradient("L").convert("RGB"), Image.linear_gradient("L").resize((64, 64))


def pictures(opened):
    return getattr(opened, "n_frames", 1)


seen = {}
for name, spelling in SPELLINGS.items():
    stream = io.BytesIO()
    photo.save(stream, "MPO", save_all=True, append_images=[gain_map], xmp=(XMP % spelling).encode())
    opened = Image.open(stream)
    try:
        opened.save(io.BytesIO(), "JPEG", quality="keep")
        keep = "works"
    except ValueError as error:
        assert str(error) == "Cannot use 'keep' when original image is not a JPEG", error
        keep = "fails"
    again = io.BytesIO()
    opened.save(again, opened.format)
    saved = pictures(Image.open(again))
    seen[name] = (opened.format, pictures(opened), keep, saved)
    plural = "s" if pictures(opened) > 1 else ""
    print(f"{name}: {opened.format}, {pictures(opened)} picture{plural}, keep {keep}, saved with {saved} picture")
sys.exit(0 if seen == WANTED else 1)
PYTHON
