"""The asset tree and its packed form: what is missing, a pointer, foreign or damaged is named, and both hold the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textedit_core.errors import UserError
from textedit_core.synthetic.asset_pack import HASHES_PATH, check_hashes, pack_assets, write_hashes
from textedit_core.synthetic.assets import AssetTree, load_targets
from textedit_core.synthetic.wardrobe import Wardrobe

PARTS = ("makehuman/data", "makehuman-assets/base", "makehuman-fork/data")
SKIN = "makehuman-fork/data/skins/textures/young_lightskinned_female_diffuse2.png"
HAIR = "makehuman-fork/data/hair/long01/long01_diffuse.png"
TEXTURE = "makehuman-fork/data/teeth/materials/teeth.png"


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """An asset tree with one texture of 8 px and nothing else."""
    for part in PARTS:
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / TEXTURE).parent.mkdir(parents=True)
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(tmp_path / TEXTURE)
    return tmp_path


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    (tmp_path / PARTS[0]).mkdir(parents=True)
    with pytest.raises(UserError, match="has no makehuman-assets/base"):
        AssetTree(tmp_path)


def test_a_missing_file_is_named(small_tree: Path) -> None:
    with pytest.raises(UserError, match="gone.png is missing"):
        AssetTree(small_tree).image("makehuman/data/gone.png", 8)


def test_images_begin_with_the_bottom_row_and_shrink_only(small_tree: Path) -> None:
    tree = AssetTree(small_tree)
    full = tree.image(TEXTURE, 100)
    assert full.shape == (8, 8, 4) and full[0, 0].tolist() == [168, 169, 170, 255]  # row 7 of 8 rows of 24 numbers
    assert tree.image(TEXTURE, 4).shape == (4, 4, 4)


def test_a_foreign_file_is_not_packed(small_tree: Path) -> None:
    with pytest.raises(UserError, match="teeth.png is not the upstream file.*docs/faces.md"):
        check_hashes(AssetTree(small_tree), [TEXTURE])


def test_hashes_of_trusted_trees_add_up(small_tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "hashes.json"
    write_hashes(small_tree, path)
    first = hashlib.sha256((small_tree / TEXTURE).read_bytes()).hexdigest()
    assert json.loads(path.read_text()) == {TEXTURE: [first]}
    Image.new("RGB", (8, 8)).save(small_tree / TEXTURE)
    write_hashes(small_tree, path)
    assert json.loads(path.read_text())[TEXTURE][0] == first and len(json.loads(path.read_text())[TEXTURE]) == 2


def test_the_large_textures_of_upstream_are_accepted_by_their_git_id(
    small_tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # `git hash-object` of a file that holds "hello\n".
    (small_tree / TEXTURE).write_bytes(b"hello\n")
    known = tmp_path / "known.json"
    known.write_text(json.dumps({TEXTURE: ["0" * 64, "git:ce013625030ba8dba906f756967f9e9ca394464a"]}))
    monkeypatch.setattr("textedit_core.synthetic.asset_pack.HASHES_PATH", known)
    check_hashes(AssetTree(small_tree), [TEXTURE])
    (small_tree / TEXTURE).write_bytes(b"hello!")
    with pytest.raises(UserError, match="not the upstream file"):
        check_hashes(AssetTree(small_tree), [TEXTURE])


@pytest.mark.parametrize("content", [b"no zip", None])
def test_other_files_are_no_packs(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "faces.assets"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("holiday.txt", "sun")
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="faces.assets.*pack-assets"):
        AssetTree(path)


def test_every_file_of_the_tree_has_a_known_hash(asset_tree: Path) -> None:
    tree = AssetTree(asset_tree)
    known = json.loads(HASHES_PATH.read_text())
    assert set(tree.target_files().values()) <= set(known)
    check_hashes(tree, [name for name in known if name.endswith((".mhclo", ".png")) and "skins" not in name])


def test_the_pack_holds_what_the_tree_holds(asset_tree: Path, packed_assets: Path) -> None:
    tree, pack = AssetTree(asset_tree), AssetTree(packed_assets)
    # Measured 24 MB; the tree has 73 MB.
    assert packed_assets.stat().st_size < 30e6
    assert load_targets(pack).keys() == load_targets(tree).keys()
    assert tree.text("makehuman/data/3dobjs/base.obj") == pack.text("makehuman/data/3dobjs/base.obj")
    # One texture of each kind, at the size that the wardrobe asks for.
    for name, size in ((TEXTURE, 512), (SKIN, 1024), (HAIR, 1024)):
        assert np.array_equal(tree.image(name, size), pack.image(name, size)), name
    assert Wardrobe(pack).textures.keys() >= {"teeth", "lashes"}


def test_a_damaged_pack_is_named(packed_assets: Path, tmp_path: Path) -> None:
    data = bytearray(packed_assets.read_bytes())
    with zipfile.ZipFile(packed_assets) as archive:
        start = archive.getinfo(TEXTURE).header_offset
    data[start + 1000] ^= 255
    path = tmp_path / "faces.assets"
    path.write_bytes(data)
    with pytest.raises(UserError, match="faces.assets is damaged at .*teeth.png.*pack the assets again"):
        AssetTree(path).image(TEXTURE, 512)


def test_packing_a_pack_or_into_nowhere_is_refused(packed_assets: Path) -> None:
    with pytest.raises(UserError, match="is a file already"):
        pack_assets(packed_assets, packed_assets.with_name("again"))
