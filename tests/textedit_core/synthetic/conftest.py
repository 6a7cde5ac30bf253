"""What the tests of rendering share: the assets as one packed file, and a graphics context or a reason to skip."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def graphics() -> None:
    """Skips where no window-less OpenGL context can be opened."""
    moderngl = pytest.importorskip("moderngl", reason="moderngl is missing")
    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:  # the driver decides what is raised
        pytest.skip(f"no EGL context: {error}")


@pytest.fixture(scope="session")
def packed_assets(asset_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset tree as one file, which renderers open sooner."""
    from textedit_core.synthetic.asset_pack import pack_assets

    out = tmp_path_factory.mktemp("assets") / "faces.assets"
    pack_assets(asset_tree, out)
    return out
