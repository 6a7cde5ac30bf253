"""The compositor's training: from rendered partners, from pairs and from plain photographs; people kept apart are not learned from."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index, write_part
from textedit_core.compositor import guides_of
from textedit_core.compositor.network import FLOW, FLOW_UNIT, PLANES
from textedit_core.config import DecoderConfig, around_decoder, tiny
from textedit_core.decoder import build_decoder
from textedit_core.encoder import build_encoder
from textedit_core.errors import UsageError, UserError
from textedit_core.face_editor import FaceEditor
from textedit_core.latents import level_groups
from textedit_core.photo_pairs import CHANGED, LANDMARKS_NAME, REST, read_pairs
from textedit_core.synthetic.partners import DRAWN, INDEX_NAME, STYLED
from textedit_core.synthetic.shards import SHARD_FOLDER, shard_bytes, write_atomically
from textedit_core.training.compositor.examples import Examples
from textedit_core.training.compositor.objective import CompositorWeights, drawn, objective
from textedit_core.training.compositor.pairs import face_region, motion_between
from textedit_core.training.compositor.partners import PartnerFolder, Partners
from textedit_core.training.compositor.placement import placed
from textedit_core.training.compositor.plain import bend, figure_of, random_change
from textedit_core.training.compositor_stage import STAGE, CompositorStage, CompositorTraining
from textedit_core.training.distributed import Team
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=16, log_steps=2, bfloat16=False)
SIDE = 32


def _smooth(rng: np.random.Generator, side: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side, 3)), (side / 16, side / 16, 0))
    return (127 + 100 * noise / np.abs(noise).max()).astype(np.uint8)


@pytest.fixture(scope="module")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs of 120 px: a smooth picture, and the same moved by two pixels to the right, as `to_smiling` says."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    listed = {}
    for number in range(6):
        picture = _smooth(rng, 120)
        points = 60 + 20 * rng.uniform(-1, 1, (189, 2))
        points[[0, 1, 54, 60, 87, 93]] = [[45, 50], [75, 50], [58, 65], [62, 65], [50, 80], [70, 80]]
        for kind, pixels in ((REST, picture), (CHANGED, np.roll(picture, 2, 1))):
            (folder / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{number:03d}.jpg", quality=95)
        listed[f"{REST}/{number:03d}.jpg"] = {"points": points.tolist(), "to_smiling": [[1, 0, 2], [0, 1, 0]]}
    (folder / LANDMARKS_NAME).write_text(json.dumps(listed))
    return folder


@pytest.fixture(scope="module")
def partner_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people of noise in two shards, as `render --partners` writes them."""
    folder, rng = tmp_path_factory.mktemp("partners"), np.random.default_rng(0)

    def npy(array: np.ndarray) -> bytes:
        stream = io.BytesIO()
        np.save(stream, array)
        return stream.getvalue()

    def png() -> bytes:
        stream = io.BytesIO()
        Image.fromarray(_smooth(rng, SIDE)).save(stream, format="PNG")
        return stream.getvalue()

    def person() -> dict[str, bytes]:
        planes = {"figure": len(DRAWN), "visible": len(DRAWN) - 1}
        masks = {f"{name}.npy": npy(np.full((count, SIDE, SIDE // 8), 255, np.uint8)) for name, count in planes.items()}
        flow = npy(np.zeros((len(DRAWN) - 1, SIDE, SIDE, 2), np.float16))
        return {**{f"{name}.png": png() for name in DRAWN + STYLED}, "flow.npy": flow, **masks, "json": b"{}"}

    for shard in range(2):
        samples = [(f"{4 * shard + number:06d}", person()) for number in range(4)]
        write_atomically(folder / SHARD_FOLDER / f"partners-{shard:05d}.tar", shard_bytes(samples))
    (folder / INDEX_NAME).write_text("{}")
    return folder


@pytest.fixture
def run_folder(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Path:
    shutil.copytree(tiny_checkpoint.directory, tmp_path / "run" / "checkpoint")
    return tmp_path / "run"


def _train(data: Path, out: Path, **recipe: object) -> Checkpoint:
    return train(TrainRequest(STAGE, "tiny", data, out, PACE, {"compositor": CompositorTraining(**recipe)}))  # type: ignore[arg-type]


def test_partners_and_pairs_train_a_compositor_that_edits_use(partner_set: Path, pair_folder: Path, run_folder: Path) -> None:
    checkpoint = _train(partner_set, run_folder, pairs=str(pair_folder))
    assert checkpoint.has_compositor
    told = checkpoint.provenance["compositor"]
    # Every third pair is kept apart.
    assert told["people"] == ["000", "001", "003", "004"] and told["people_kept_apart"] == ["002", "005"]
    with FaceEditor.open(run_folder / "checkpoint") as editor:
        session = editor.photo(Image.fromarray(_smooth(np.random.default_rng(1), 64)))
        prompt = next(iter(checkpoint.prompts))
        assert session.edit({prompt: 0.0}).tobytes() == session.photo.tobytes()


def test_plain_photographs_suffice(photo_folder: Path, run_folder: Path) -> None:
    checkpoint = _train(photo_folder, run_folder)
    assert checkpoint.has_compositor and "people" not in checkpoint.provenance["compositor"]


def test_what_was_computed_is_kept_for_the_next_run(partner_set: Path, pair_folder: Path, run_folder: Path) -> None:
    _train(partner_set, run_folder, pairs=str(pair_folder))
    (cache,) = (run_folder / "cache").glob("compositor-*")
    made = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    (run_folder / "state" / "compositor.pt").unlink()
    _train(partner_set, run_folder, pairs=str(pair_folder))
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == made


def test_other_photographs_of_the_same_names_are_told_apart(pair_folder: Path, partner_set: Path, run_folder: Path, tmp_path: Path) -> None:
    _train(partner_set, run_folder, pairs=str(pair_folder))
    others = shutil.copytree(pair_folder, tmp_path / "others")
    Image.fromarray(_smooth(np.random.default_rng(9), 120)).save(others / REST / "000.jpg")
    (run_folder / "state" / "compositor.pt").unlink()
    (cache,) = (run_folder / "cache").glob("compositor-*")
    before = set(cache.iterdir())
    _train(partner_set, run_folder, pairs=str(others))
    # Three views of the one pair that differs, the motion asked for in each, and the photograph by itself.
    assert len(set(cache.iterdir()) - before) == 7


def test_a_decoder_larger_than_its_photos_is_served_without_editors(photo_folder: Path, tmp_path: Path) -> None:
    config = tiny()
    decoder = DecoderConfig("mobile", 64, 16, channels=((4, 16), (8, 16), (16, 16), (32, 8)))
    config = dataclasses.replace(around_decoder("tiny", decoder, config.encoder, config.editor), compositor=config.compositor)
    directory = tmp_path / "run" / "checkpoint"
    write_part(directory, "encoder", build_encoder(config.encoder))
    write_part(directory, "decoder", build_decoder(config.decoder))
    # As an import leaves it: no preset describes it, and nobody has trained an editor.
    write_index(directory, config, [], {"imported": {}})
    checkpoint = _train(photo_folder, tmp_path / "run")
    w_plus = torch.randn(1, config.latent.num_ws, config.latent.w_dim, generator=torch.Generator().manual_seed(0))
    before, after = (checkpoint.load_decoder()(each) for each in (w_plus, w_plus + 1))
    assert checkpoint.load_compositor()(guides_of(torch.zeros(1, 3, 32, 32), before, after, 32)).shape == (1, PLANES, 32, 32)


def test_a_random_change_moves_one_group_of_levels_towards_another_face() -> None:
    face, others = torch.zeros(1, 12, 4), torch.ones(3, 12, 4)
    for seed in range(5):
        changed = random_change(face, others, np.random.default_rng(seed))[0].mean(1)
        moved = [name for name, levels in level_groups(12).items() if changed[levels].abs().max() > 0]
        assert len(moved) == 1 and 0.5 < changed[level_groups(12)[moved[0]]].min() == changed.max() < 1.3


def test_partners_of_another_size_and_none_are_refused(partner_set: Path, run_folder: Path) -> None:
    with pytest.raises(UserError, match="holds no couple"):
        _train(partner_set, run_folder, people=1)
    guides = SimpleNamespace(size=64, editors={}, latents=lambda pictures: torch.zeros(len(pictures), 1, 1))
    guides.decodes = lambda w_plus: np.zeros((len(w_plus), SIDE, SIDE, 3), np.uint8)
    with pytest.raises(UserError, match="has pictures of 32 px; render with --resolution 64"):
        Partners(partner_set, guides, run_folder / "cache", 4)  # type: ignore[arg-type]


def test_processes_that_train_together_see_different_examples(partner_set: Path, run_folder: Path) -> None:
    checkpoint, seen = open_checkpoint(run_folder / "checkpoint"), []
    for rank in range(2):
        team = Team(rank=rank, size=2)
        stage = CompositorStage(CompositorTraining(), CompositorWeights(), PartnerFolder(partner_set, 8), 8, checkpoint, team)
        stage.prepare()
        stage.compositor.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        stage._losses(torch.Generator().manual_seed(0), 0.0)
    assert seen[0].shape == seen[1].shape == (4, 9, SIDE, SIDE) and not torch.equal(seen[0], seen[1])


def test_latents_alone_are_refused(run_folder: Path) -> None:
    with pytest.raises(UsageError, match="the compositor stage needs faces; give a folder with --data"):
        train(TrainRequest(STAGE, "tiny", None, run_folder, PACE))


def test_damaged_pairs_are_named(pair_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no landmarks.json"):
        read_pairs(tmp_path)
    copy = shutil.copytree(pair_folder, tmp_path / "pairs")
    (copy / CHANGED / "002.jpg").unlink()
    with pytest.raises(UserError, match="002.jpg' is missing"):
        read_pairs(copy)
    (copy / LANDMARKS_NAME).write_text('{"neutral/001.jpg": {"points": [[1, 2]], "to_smiling": [[1, 0, 0], [0, 1, 0]]}}')
    with pytest.raises(UserError, match="points of neutral/001.jpg are"):
        read_pairs(copy)
    (copy / LANDMARKS_NAME).write_text("{}")
    with pytest.raises(UserError, match="no pairs"):
        read_pairs(copy)


def test_the_changed_crop_lies_on_the_one_at_rest(pair_folder: Path, tiny_checkpoint: Checkpoint) -> None:
    rest, changed = (np.asarray(crop, float) for crop in read_pairs(pair_folder)[0].crops(64, tiny_checkpoint.config.crop))
    # The pictures are the same but for the shift that `to_smiling` takes back; JPEG leaves a few levels.
    assert np.abs(rest - changed)[8:-8, 8:-8].mean() < 3


def _examples(side: int = 32) -> Examples:
    """One edit that moves the picture by two pixels to the left."""
    photo = torch.from_numpy(_smooth(np.random.default_rng(3), side)).permute(2, 0, 1)[None] / 127.5 - 1
    flow = torch.zeros(1, 2, side, side)
    flow[:, 0] = 2 / side
    ones = torch.ones(1, 1, side, side)
    target = torch.roll(photo, -2, 3)
    return Examples(photo, target, photo, target, flow, ones, torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))


def _fields(flow: torch.Tensor) -> torch.Tensor:
    """Fields that move the photo and paint nothing."""
    planes = torch.zeros(1, PLANES, *flow.shape[2:])
    planes[:, FLOW] = flow / FLOW_UNIT
    return planes


def test_the_right_fields_cost_least() -> None:
    examples = _examples()
    still, right = _fields(torch.zeros_like(examples.flow)), _fields(examples.flow)
    inside = (slice(None), slice(None), slice(None), slice(4, -4))
    assert (drawn(examples.photo, examples.after, right) - examples.target)[inside].abs().max() < 1e-4
    costs = [float(objective(fields, examples, CompositorWeights())["loss"]) for fields in (still, right)]
    assert costs[1] < 0.5 * costs[0]


def test_placing_turns_the_motion_with_the_picture() -> None:
    # Wherever an example is placed, its motion still carries the photo onto the target.
    examples = placed(_examples(64), torch.Generator().manual_seed(2))
    middle = (slice(None), slice(None), slice(20, 44), slice(20, 44))
    error = (drawn(examples.photo, examples.after, _fields(examples.flow)) - examples.target)[middle].abs().mean()
    nothing = (examples.photo - examples.target)[middle].abs().mean()
    # Both pictures were resampled, which costs a little.
    assert error < 0.25 * nothing


def test_bends_are_smooth_and_still_at_the_rim() -> None:
    field = bend(64, np.random.default_rng(0))
    assert np.abs(field).max() > 0.01 and np.abs(field[[0, -1]]).max() < 1e-6 and np.abs(field[:, [0, -1]]).max() < 1e-6
    # Less than one pixel per pixel: the picture is bent, not folded.
    assert np.abs(np.diff(field, axis=0)).max() * 64 < 1


def test_figures_are_found_before_plain_backdrops_only() -> None:
    picture = np.full((64, 64, 3), 200, np.uint8)
    picture[16:, 16:48] = 60
    figure = figure_of(picture)
    assert figure is not None and figure[40, 32] and not figure[5, 5]
    assert figure_of(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)) is None


def test_optical_flow_finds_a_known_motion() -> None:
    pytest.importorskip("skimage", reason="scikit-image is missing; pip install 'textedit[render]'")
    later = _smooth(np.random.default_rng(5), 128)
    # The earlier picture lies one pixel further to the right.
    flow, believed = motion_between(np.roll(later, 1, 1), later)
    assert believed.mean() > 0.9
    assert np.abs(flow[20:-20, 20:-20].astype(float) - [1 / 128, 0]).max() < 0.5 / 128


def test_the_face_region_is_the_landmarks_hull() -> None:
    region = face_region(np.array([[20.0, 20.0], [44.0, 20.0], [44.0, 44.0], [20.0, 44.0], [32.0, 32.0]]), 64)
    assert region[32, 32] == 1 and region[2, 2] == 0 and 0 < region[32, 46] < 1
