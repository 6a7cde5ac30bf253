"""Loads the meshes and textures that a scene can choose, once per process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from textedit_core.synthetic.assets import AssetTree, load_targets, parse_mhclo, parse_obj
from textedit_core.synthetic.complexion import grain, skin_zones
from textedit_core.synthetic.eyelids import Eyelids
from textedit_core.synthetic.eyewear import FRAME_STYLES, Eyewear
from textedit_core.synthetic.geometry import (
    LandmarkFinder,
    apply_targets,
    expression_weights,
    macro_weights,
    shape_weights,
)
from textedit_core.synthetic.meshes import Points, Proxy, RenderMesh
from textedit_core.synthetic.scene import BROWS, EYES, HAIRS, SKINS, SceneParameters
from textedit_core.synthetic.shaders import CARD, EYE, HAIR, TEETH
from textedit_core.synthetic.textures import Texture, eye_texture, hair_texture, skin_texture

_EYE_FILES = {"brown": "brown", "blue": "lightblue", "green": "green", "grey": "grey"}
# Old skins are blotched with orange.
_OLD_SKIN_CALM = 0.5
# Hair whose mesh is another's; "" draws none.
HAIR_MESHES = {"bob": "long01", "bald": ""}
# Gain and loss of colour that make the painted irises natural.
_IRIS_TONES = {"brown": (1.0, 0.45), "blue": (0.62, 0.30), "green": (0.85, 0.40), "grey": (0.68, 0.0)}
# The heads are modelled with a stern brow and mouth; this much relaxes them to what people call neutral.
_AT_EASE = {"mouth-corner-puller": 0.08, "eyebrows-up": 0.18, "eyebrows-inner-up": 0.36}
_SKIN_SIZE, _HAIR_SIZE, _SMALL_SIZE = 1024, 1024, 512
# The body below this height (base mesh decimetres) and beyond this half width is outside every crop.
_LOWEST, _WIDEST = 4.9, 2.1


def expression_units(scene: SceneParameters) -> dict[str, float]:
    """Returns expression target activations of a scene, but for the closing of eyes, which is measured on the head."""
    closed, toothy = scene.smile_closed, scene.smile_toothy
    at_ease = 1.0 - max(scene.angry, scene.sad, scene.smile)
    # A closing eye cannot squint as well: its lids would cross.
    squint = (0.12 * closed + 0.22 * toothy + 0.12 * scene.sad + 0.2 * scene.angry) * (1.0 - scene.eyes_closed)
    units = {
        "mouth-corner-puller": 0.95 * closed + 0.5 * toothy + _AT_EASE["mouth-corner-puller"] * at_ease,
        "mouth-retraction": 0.2 * closed,
        "mouth-upward-retraction": 0.68 * toothy,
        "mouth-elevation": 0.1 * toothy,
        "mouth-open": 0.9 * scene.mouth_open * (1.0 - 0.45 * scene.smile),
        "mouth-depression": 0.85 * scene.sad + 0.3 * scene.angry,
        "mouth-compression": 0.55 * scene.angry,
        "nose-compression": 0.7 * scene.angry,
    }
    for side in ("left", "right"):
        units[f"eye-{side}-slit"] = squint
        units[f"eye-{side}-opened-up"] = 0.6 * min(scene.brow_raise, scene.mouth_open) * (1.0 - scene.eyes_closed)
        units[f"eyebrows-{side}-down"] = 1.35 * scene.angry
        units[f"eyebrows-{side}-up"] = 0.9 * scene.brow_raise + _AT_EASE["eyebrows-up"] * at_ease
        units[f"eyebrows-{side}-inner-up"] = _AT_EASE["eyebrows-inner-up"] * at_ease + 1.15 * scene.sad
    return units


class Wardrobe:
    """Meshes, targets and textures of the face world."""

    def __init__(self, tree: AssetTree, cache: Path | None = None) -> None:
        """Reads everything that the narrow world uses.

        Args:
            tree: asset tree.
            cache: folder for parsed targets; None parses them every time.
        """
        base = parse_obj(tree.text("makehuman/data/3dobjs/base.obj"))
        self._tree = tree
        self._base = base.vertices
        self._targets = load_targets(tree, None if cache is None else cache / "targets.npz")
        corners = base.vertices[base.faces]
        near = ((corners[..., 1] > _LOWEST) & (np.abs(corners[..., 0]) < _WIDEST)).all(axis=1)
        body = near & (np.array(base.groups) == "body")
        self.body = RenderMesh(base, body, smooth=True)
        self.zones = self.body.attribute(skin_zones(base.vertices, self._targets))
        self.finder = LandmarkFinder(base, self._targets)
        self.eyewear = Eyewear(base)
        self.eyelids = Eyelids(base, self._targets)
        self.grain = grain()
        self.proxies: dict[str, Proxy] = {}
        self.textures: dict[str, Texture] = {}
        self.kinds: dict[str, int] = {}
        self._load_fixed()
        self._load_choices()
        self._load_skins()

    def points(self, scene: SceneParameters) -> Points:
        """Returns base mesh positions [V, 3] float32 of a scene."""
        # A child's features are less pronounced than those of the adult that it becomes.
        grown = float(np.interp(scene.age_years, [5.0, 16.0], [0.7, 1.0]))
        build = replace(scene.build, weight=0.5 + grown * (scene.weight - 0.5))
        weights = macro_weights(build)
        for name, value in shape_weights([grown * value for value in scene.shape]).items():
            weights[name] = weights.get(name, 0.0) + value
        weights.update(expression_weights(expression_units(scene), scene.ethnicity))
        points = apply_targets(self._base, self._targets, weights)
        if scene.eyes_closed > 0.0:
            closing = self.eyelids.closing_weights(points, scene.ethnicity, scene.eyes_closed)
            points = apply_targets(points, self._targets, closing)
        return points

    def mesh(self, name: str) -> RenderMesh:
        """Returns the mesh of a part by its name."""
        own = {"body": self.body, "glasses": self.eyewear.frame, "lenses": self.eyewear.lenses}
        return own[name] if name in own else self.proxies[name].mesh

    def buffer(self, name: str, scene: SceneParameters, points: Points) -> Points:
        """Returns the vertex buffer [N, 8] of a part on the base mesh positions [V, 3] of a scene."""
        if name in ("glasses", "lenses"):
            fitted = self.eyewear.fit(FRAME_STYLES[scene.glasses - 1], points)
            return self.mesh(name).buffer(fitted[name == "lenses"])
        return self.body.buffer(points) if name == "body" else self.proxies[name].buffer(points)

    def _add(self, name: str, folder: str, kind: int) -> None:
        fitting = parse_mhclo(self._tree.text(f"{folder}/{Path(folder).name}.mhclo"))
        mesh = parse_obj(self._tree.text(f"{folder}/{fitting.obj_file}"))
        self.proxies[name] = Proxy(mesh, fitting, name)
        self.kinds[name] = kind

    def _load_fixed(self) -> None:
        assets, fork = "makehuman-assets/base", "makehuman-fork/data"
        self._add("eyes", "makehuman/data/eyes/high-poly", EYE)
        self._add("teeth", f"{assets}/teeth/teeth_base", TEETH)
        self._add("tongue", f"{assets}/tongue/tongue01", TEETH)
        self._add("lashes", f"{assets}/eyelashes/eyelashes02", CARD)
        self._texture("teeth", f"{fork}/teeth/materials/teeth.png", _SMALL_SIZE)
        self._texture("tongue", f"{fork}/tongue/tongue01/tongue01_diffuse.png", 256)
        self._texture("lashes", f"{fork}/eyelashes/eyelashes02/eyelashes02.png", _SMALL_SIZE)
        for name in EYES:
            owner = "makehuman/data" if name == "brown" else fork
            pixels = self._tree.image(f"{owner}/eyes/materials/{_EYE_FILES[name]}_eye.png", _SMALL_SIZE)
            self.textures[f"eye:{name}"] = eye_texture(pixels, *_IRIS_TONES[name])

    def _load_choices(self) -> None:
        for name in BROWS:
            self._add(name, f"makehuman-assets/base/eyebrows/{name}", CARD)
            self._texture(name, f"makehuman-fork/data/eyebrows/{name}/{name}.png", _SMALL_SIZE)
        for name in sorted({mesh for mesh in (HAIR_MESHES.get(name, name) for name in HAIRS) if mesh}):
            self._add(name, f"makehuman-assets/base/hair/{name}", HAIR)
            pixels = self._tree.image(f"makehuman-fork/data/hair/{name}/{name}_diffuse.png", _HAIR_SIZE)
            self.textures[name] = hair_texture(pixels)

    def _texture(self, name: str, relative: str, size: int) -> None:
        self.textures[name] = Texture(self._tree.image(relative, size))

    def _load_skins(self) -> None:
        buffer = self.body.buffer(self._base.astype(np.float32))
        face = (buffer[:, 1] > 6.4) & (buffer[:, 1] < 7.9) & (buffer[:, 5] > 0.5)
        for name in SKINS:
            pixels = self._tree.image(f"makehuman-fork/data/skins/textures/{name}.png", _SKIN_SIZE)
            calm = _OLD_SKIN_CALM if name.startswith("old") else 0.0
            self.textures[name] = skin_texture(pixels, buffer[face, 6:], calm)
