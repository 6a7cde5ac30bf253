"""Crops land where the rule says, and pasting back disturbs nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from textedit_core.alignment import (
    ALIGNMENT_TEMPLATE,
    FFHQ_CROP,
    REFERENCE_CROP,
    CropTransform,
    crop_face,
    landmark_template,
    parse_landmarks,
    similarity_between,
)
from textedit_core.errors import UsageError, UserError
from textedit_core.pasting import paste_back
from textedit_core.synthetic.camera import portrait

# Eyes 40 apart, mouth 40 below them: half a side is max(2 * 40, 1.8 * 40) = 80.
FACE = np.array([[80.0, 90.0], [120.0, 90.0], [100.0, 110.0], [88.0, 130.0], [112.0, 130.0]])


def _smooth_photo(width: int, height: int) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = [np.sin(5 * x + 2 * y), np.cos(4 * y), x * y]
    return Image.fromarray(np.uint8(128 + 100 * np.stack(channels, axis=-1)))


def _noisy_photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def _turned(points: np.ndarray, degrees: float, centre: tuple[float, float]) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (points - centre) @ np.array([[c, s], [-s, c]]) + centre


def test_ffhq_rule_by_hand() -> None:
    _, transform = crop_face(_smooth_photo(300, 300), FACE, 32, FFHQ_CROP)
    # Centre: eyes (100, 90) plus a tenth of 40 down = (100, 94); minus the half side of 80.
    assert transform.origin == pytest.approx((20.0, 14.0))
    assert transform.axis == pytest.approx((160.0, 0.0))


def test_the_crop_turns_with_the_head() -> None:
    turned = _turned(FACE, 30, (150, 150))
    _, transform = crop_face(_smooth_photo(300, 300), turned, 32, FFHQ_CROP)
    assert transform.axis == pytest.approx((160 * math.cos(math.pi / 6), 160 * math.sin(math.pi / 6)))
    assert transform.origin == pytest.approx(tuple(_turned(np.array([[20.0, 14.0]]), 30, (150, 150))[0]))


def test_transform_inverts_itself() -> None:
    transform = CropTransform((3.0, -2.0), (30.0, 40.0))
    points = np.array([[0.0, 0.0], [0.3, 0.9], [1.0, 1.0]])
    assert transform.side == 50.0  # a 3-4-5 triangle
    assert transform.to_photo([[1.0, 0.0]])[0] == pytest.approx([33.0, 38.0])
    assert transform.to_crop(transform.to_photo(points)) == pytest.approx(points)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (15.0, -6.0), (-20.0, 5.0)])
def test_the_renderer_follows_the_reference_rule(yaw: float, pitch: float) -> None:
    # A head whose landmarks form a plausible face; cropping its portrait again must give the whole image.
    head = np.array([[-0.3, 7.3, 1.2], [0.3, 7.3, 1.2], [0.0, 6.95, 1.5], [-0.25, 6.7, 1.25], [0.25, 6.7, 1.25]])
    landmarks = portrait(head, yaw, pitch).landmarks * 256
    _, transform = crop_face(_smooth_photo(256, 256), landmarks, 64, REFERENCE_CROP)
    assert transform.origin == pytest.approx((0.0, 0.0), abs=1e-6)
    assert transform.axis == pytest.approx((256.0, 0.0), abs=1e-6)


def test_the_template_is_a_face_that_the_rule_leaves_in_place() -> None:
    landmarks = np.array(ALIGNMENT_TEMPLATE) * 256
    _, transform = crop_face(_smooth_photo(256, 256), landmarks, 64)
    # The template is a mean over faces, and the rule's maximum is not linear: within 3% of the side.
    assert transform.origin == pytest.approx((0.0, 0.0), abs=0.03 * 256)
    assert transform.side == pytest.approx(256, rel=0.03)


def test_an_aligned_photo_passes_unchanged() -> None:
    photo = _noisy_photo(64, 64)
    crop, transform = crop_face(photo, None, 64)
    assert np.array_equal(np.asarray(crop), np.asarray(photo))
    assert np.array_equal(np.asarray(paste_back(photo, crop, transform)), np.asarray(photo))


def test_without_landmarks_the_central_square_is_taken() -> None:
    photo = _noisy_photo(100, 64)
    crop, _ = crop_face(photo, None, 64)
    assert np.array_equal(np.asarray(crop), np.asarray(photo)[:, 18:82])  # (100 - 64) / 2 = 18


@pytest.mark.parametrize("degrees", [0.0, 25.0, 180.0])
@pytest.mark.parametrize("size", [48, 256])  # below and above the 157 px of the face in the photo
def test_pasting_the_unedited_crop_changes_little_and_nothing_outside(degrees: float, size: int) -> None:
    photo = _smooth_photo(320, 300)
    landmarks = _turned(FACE + [50, 50], degrees, (150, 145))
    crop, transform = crop_face(photo, landmarks, size)
    before, after = np.asarray(photo), np.asarray(paste_back(photo, crop, transform))
    assert crop.size == (size, size)
    assert np.abs(before.astype(int) - after).max() <= 2
    rows, columns = np.mgrid[0:300, 0:320]
    inside = transform.to_crop(np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1))
    outside = ((inside < -0.01) | (inside > 1.01)).any(axis=1).reshape(300, 320)
    edited = np.asarray(paste_back(photo, Image.new("RGB", (size, size), "black"), transform))
    assert outside.sum() > 10_000 and np.array_equal(before[outside], edited[outside])
    assert (edited[int(transform.to_photo([[0.5, 0.5]])[0, 1]), int(transform.to_photo([[0.5, 0.5]])[0, 0])] == 0).all()


def test_a_crop_beyond_the_photo_is_mirrored() -> None:
    photo = _smooth_photo(150, 150)
    # 0.98 * 2 * 40 = 78.4 around the eyes at (30, 90): the crop begins at x = -48.4, y = 11.6.
    crop, transform = crop_face(photo, FACE - [70, 0], 157)
    assert transform.origin == pytest.approx((-48.4, 11.6))
    pixels = np.asarray(crop).astype(int)
    left, mirrored = pixels[60, 28], pixels[60, 68]  # photo x = -19.9 and 20.1
    assert np.abs(left - mirrored).max() <= 3
    assert paste_back(photo, crop, transform).size == (150, 150)


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    crop, _ = crop_face(Image.fromarray(stripes), None, 64)
    # One-pixel stripes average to 127.5; point sampling would give 0 or 255.
    assert np.abs(np.asarray(crop)[4:-4, 4:-4].astype(float) - 127.5).max() < 8


def test_pasting_a_change_keeps_the_photo_where_nothing_changed() -> None:
    photo = _noisy_photo(64, 64)
    _, transform = crop_face(photo, None, 64)
    reconstruction = Image.new("RGB", (32, 32), (100, 100, 100))
    unchanged = paste_back(photo, reconstruction, transform, reconstruction)
    assert np.array_equal(np.asarray(unchanged), np.asarray(photo))
    brighter = paste_back(photo, Image.new("RGB", (32, 32), (110, 100, 90)), transform, reconstruction)
    expected = np.clip(np.asarray(photo)[32, 32].astype(int) + [10, 0, -10], 0, 255)
    assert np.array_equal(np.asarray(brighter)[32, 32], expected)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (FACE + [250, 0], "landmark left_eye at 330,90 lies outside the photo of 300x300"),
        (np.full((5, 2), 50.0), "coincide"),
        (FACE[[1, 0, 2, 4, 3]], "swapped"),
        (FACE[:4], r"shape \[4, 2\]"),
        (np.where(FACE == 80.0, math.nan, FACE), "left_eye at nan,90"),
        (np.array([[0, 0], [300, 0], [150, 150], [0, 300], [300, 300.0]]), "check them"),
    ],
)
def test_bad_landmarks_are_named(landmarks: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        crop_face(_smooth_photo(300, 300), landmarks, 32)


def test_landmarks_from_text() -> None:
    assert parse_landmarks("80,90 120,90 100,110 88,130 112,130").tolist() == FACE.tolist()
    for text in ("80,90", "1 2 3 4 5", "a,b c,d e,f g,h i,j", ""):
        with pytest.raises(UsageError, match="five x,y pairs"):
            parse_landmarks(text)


def test_template_follows_the_rule() -> None:
    assert landmark_template(REFERENCE_CROP).tolist() == [list(point) for point in ALIGNMENT_TEMPLATE]
    # By hand: the reference crop of the template has the half side 0.98 * 2 * 0.25 = 0.49 around the eyes' centre (0.5, 0.5), FFHQ's
    # max(2 * 0.25, 1.8 * 0.259) = 0.5 around a point 0.1 * 0.259 below: (0.375, 0.5) -> (0.01 + 0.98 * 0.375, 0.5 - 0.0259).
    assert landmark_template(FFHQ_CROP)[0] == pytest.approx([0.3775, 0.4741])


def test_similarity_brings_points_back() -> None:
    template = np.array(ALIGNMENT_TEMPLATE)
    given = CropTransform((3.0, -2.0), (30.0, 40.0))
    found = similarity_between(given.to_photo(template), template)
    assert found.origin == pytest.approx(given.origin) and found.axis == pytest.approx(given.axis)


def test_similarity_is_the_least_in_squares() -> None:
    template = np.array(ALIGNMENT_TEMPLATE)
    points = template * 100 + np.random.default_rng(0).normal(0, 5, (5, 2))
    best = similarity_between(points, template)

    def misses(*numbers: float) -> float:
        return float(np.square(CropTransform(numbers[:2], numbers[2:]).to_crop(points) - template).sum())

    # Any step away from a minimum raises the sum.
    for number in range(4):
        for step in (-0.1, 0.1):
            moved = [*best.origin, *best.axis]
            moved[number] += step
            assert misses(*moved) > misses(*best.origin, *best.axis)
