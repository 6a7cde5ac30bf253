#!/usr/bin/env bash
# Pillow 13.0.0, NumPy 2.3.5.
#
# Of the two ways to resample an 8-bit picture, one rounds and one cuts: Image.resize rounds to the nearest level, while Image.transform
# (and Image.rotate, which uses it) drops the fraction, with BILINEAR and with BICUBIC alike. So every crop and every pasting back by an
# affine map darkens a photo by half a level on average. A loop of crop and paste (a face that is edited again and again) adds this up:
# 20 sub-pixel moves there and back take 8 levels of 255.
#
# Two things hide it. A picture of one colour comes out exactly, so that a test with flat colours passes; and in mode "F" nothing is lost.
#
# Output seen:
#   BILINEAR transform: -0.499 levels, resize: +0.019
#   BICUBIC transform: -0.501 levels, resize: -0.001
#   flat picture: unchanged
#   20 BICUBIC moves there and back: 8-bit -7.98 levels, mode F -0.03
#
# Ends with 1 when the behaviour is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.3.5
cd "$scratch"
"$scratch/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from PIL import Image

AFFINE = Image.Transform.AFFINE
INSIDE = np.s_[12:-12, 12:-12]
noise = np.random.default_rng(0).integers(40, 216, (64, 64), dtype=np.uint8)
# Smooth, so that no filter overshoots the range.
exact = Image.fromarray(noise).convert("F").resize((256, 256), Image.Resampling.BICUBIC)
photo = Image.fromarray(np.round(np.asarray(exact)).clip(0, 255).astype(np.uint8))
in_float = photo.convert("F")


def loss(got, wanted):
    return float((np.asarray(got, float) - np.asarray(wanted, float))[INSIDE].mean())


def moved(picture, by, filter):
    return picture.transform(picture.size, AFFINE, (1, 0, by, 0, 1, by), filter)


as_seen = True
for name in ("BILINEAR", "BICUBIC"):
    filter = Image.Resampling[name]
    cut = loss(moved(photo, 0.4, filter), moved(in_float, 0.4, filter))
    rounded = loss(photo.resize((200, 200), filter), in_float.resize((200, 200), filter))
    print(f"{name} transform: {cut:+.3f} levels, resize: {rounded:+.3f}")
    as_seen &= -0.52 < cut < -0.48 and abs(rounded) < 0.05
flat = Image.new("L", (64, 64), 100)
unchanged = set(np.asarray(moved(flat, 0.4, Image.Resampling.BICUBIC)).ravel().tolist()) == {100}
print("flat picture:", "unchanged" if unchanged else "changed")
kept, lost = in_float, photo
for number in range(20):
    by = 0.5 if number % 2 == 0 else -0.5
    kept, lost = (moved(each, by, Image.Resampling.BICUBIC) for each in (kept, lost))
of_lost, of_kept = loss(lost, photo), loss(kept, in_float)
print(f"20 BICUBIC moves there and back: 8-bit {of_lost:+.2f} levels, mode F {of_kept:+.2f}")
as_seen &= unchanged and of_lost < -5 and abs(of_kept) < 0.1
sys.exit(0 if as_seen else 1)
PYTHON
