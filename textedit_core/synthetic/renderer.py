"""Draws scenes with OpenGL 3.3 in a window-less EGL context (a GPU, or Mesa's llvmpipe on a CPU)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic import camera, shaders
from textedit_core.synthetic.assets import AssetTree
from textedit_core.synthetic.figure import Part, collar_of, parts
from textedit_core.synthetic.graphics import open_context, set_uniform
from textedit_core.synthetic.lighting import Lighting, lighting
from textedit_core.synthetic.meshes import Points
from textedit_core.synthetic.motion import Motion, MotionPass, stage
from textedit_core.synthetic.rendering import Image8, Rendering
from textedit_core.synthetic.scene import SKINS, SceneParameters, hair_color, skin_weights
from textedit_core.synthetic.wardrobe import Wardrobe

_SHADOW_SIDE = 512
# Below every hair.
_UNCUT = -100.0
# In the order of their texture units.
_SAMPLERS = ("albedo_map", "second_map", "third_map", "view_depth", "shadow_depth", "fourth_map", "grain_map")
_SKIN_UNITS = (0, 1, 2, 5)


@dataclass(frozen=True)
class _Drawable:
    buffer: moderngl.Buffer
    depth: moderngl.VertexArray
    surfaces: dict[bool, moderngl.VertexArray]


class Renderer:
    """Draws photos of scenes; one per process."""

    def __init__(self, assets: Path, *, resolution: int = 256, cache: Path | None = None) -> None:
        """Opens the graphics context and loads the assets.

        Args:
            assets: asset root.
            resolution: image side in pixels; drawn at twice that.
            cache: folder for parsed targets.

        Raises:
            UserError: assets or graphics driver are missing.
        """
        self._wardrobe = Wardrobe(AssetTree(assets), cache)
        self._gl = open_context()
        self._side = resolution
        self._drawables: dict[str, _Drawable] = {}
        self._textures: dict[str, moderngl.Texture] = {}
        self._motion: MotionPass | None = None
        self._compile()
        self._allocate()
        side = self._wardrobe.grain.shape[0]
        self._grain = self._gl.texture((side, side), 4, self._wardrobe.grain.tobytes())
        self._grain.build_mipmaps()

    def _compile(self) -> None:
        gl = self._gl
        self._depth_program = gl.program(shaders.MESH_VERTEX, shaders.DEPTH_FRAGMENT)
        self._surfaces = {
            (kind, opaque): gl.program(shaders.MESH_VERTEX, shaders.surface_fragment(kind, opaque=opaque))
            for kind in range(7)
            for opaque in (True, False)
            if (opaque and kind != shaders.LENS) or (not opaque and kind in shaders.SOFT)
        }
        self._background = gl.program(shaders.SCREEN_VERTEX, shaders.BACKGROUND_FRAGMENT)
        self._finish = gl.program(shaders.SCREEN_VERTEX, shaders.FINISH_FRAGMENT)
        screen = gl.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self._background_quad = gl.vertex_array(self._background, [(screen, "2f", "in_position")])
        self._finish_quad = gl.vertex_array(self._finish, [(screen, "2f", "in_position")])

    def _allocate(self) -> None:
        gl, double = self._gl, (2 * self._side, 2 * self._side)
        self._view_depth = gl.depth_texture(double)
        self._shadow_depth = gl.depth_texture((_SHADOW_SIDE, _SHADOW_SIDE))
        for texture in (self._view_depth, self._shadow_depth):
            texture.compare_func = ""
        self._shadow_target = gl.framebuffer(depth_attachment=self._shadow_depth)
        self._picture = gl.texture(double, 4, dtype="f2")
        # Both targets share the picture, since depth is copied only between targets of one shape.
        self._view_target = gl.framebuffer([self._picture], self._view_depth)
        self._view_target.color_mask = (False,) * 4
        self._picture_target = gl.framebuffer([self._picture], gl.depth_renderbuffer(double))
        self._output = gl.framebuffer([gl.texture((self._side, self._side), 4)])

    def draw(self, scene: SceneParameters, framing: SceneParameters | None = None) -> Rendering:
        """Draws a scene as a photo, with depth and landmarks.

        Args:
            scene: what to draw.
            framing: the same person with the expression that decides the crop, so that pictures of several expressions
                lie on each other; None fits the crop to the scene, as a detector of landmarks would.
        """
        points = self._wardrobe.points(scene)
        items = parts(scene, self._wardrobe)
        for item in items:
            self._upload(item, scene, points)
        landmarks = self._wardrobe.finder.landmarks
        framed = None if framing is None else landmarks(self._wardrobe.points(framing))
        view = camera.portrait(landmarks(points), scene.yaw, scene.pitch, framed)
        light = lighting(scene)
        sun = camera.orthographic(2.1, 1.0, 12.0) @ camera.look_at(
            view.centre + 6.0 * light.directions[0], view.centre
        )
        collar = collar_of(self._wardrobe, points)
        self._gl.enable_only(moderngl.DEPTH_TEST)
        self._gl.depth_func = "<="
        self._cut_hair(items, float(self._wardrobe.finder.chin(points)[1]))
        self._depth_pass(self._shadow_target, items, view.model, sun, collar, cards=False)
        self._depth_pass(self._view_target, items, view.model, view.view_projection, collar, cards=True)
        self._color_pass(scene, items, view, light, sun, collar, float(self._mouth_front(points)))
        photo = self._develop(light.exposure)
        return Rendering(photo, self._read_depth(view), view.landmarks * self._side)

    def motion(
        self,
        before: SceneParameters,
        after: SceneParameters,
        before_framing: SceneParameters | None = None,
        after_framing: SceneParameters | None = None,
    ) -> Motion:
        """The exact motion between the drawings of two scenes of one person; framings as in `draw`."""
        if self._motion is None:
            self._motion = MotionPass(self._gl, self._side, self._wardrobe, self._texture)
        return self._motion.motion(stage(self._wardrobe, before, before_framing), stage(self._wardrobe, after, after_framing))

    def _upload(self, part: Part, scene: SceneParameters, points: Points) -> None:
        rows = self._wardrobe.buffer(part.name, scene, points)
        if part.name not in self._drawables:
            self._drawables[part.name] = self._create(part, rows)
        self._drawables[part.name].buffer.write(rows.tobytes())

    def _create(self, part: Part, rows: Points) -> _Drawable:
        gl = self._gl
        vertices = gl.buffer(reserve=rows.nbytes, dynamic=True)
        order = gl.buffer(self._wardrobe.mesh(part.name).indices.tobytes())
        layout: list[tuple[Any, ...]] = [(vertices, "3f 3f 2f", "in_position", "in_normal", "in_uv")]
        depth = gl.vertex_array(self._depth_program, layout, order, skip_errors=True)
        if part.kind == shaders.SKIN:
            layout.append((gl.buffer(self._wardrobe.zones.tobytes()), "4f", "in_zones"))
        surfaces = {
            opaque: gl.vertex_array(program, layout, order, skip_errors=True)
            for (kind, opaque), program in self._surfaces.items()
            if kind == part.kind
        }
        return _Drawable(vertices, depth, surfaces)

    def _texture(self, name: str) -> moderngl.Texture:
        if name not in self._textures:
            pixels = self._wardrobe.textures[name].pixels
            texture = self._gl.texture((pixels.shape[1], pixels.shape[0]), 4, pixels.tobytes())
            texture.build_mipmaps()
            self._textures[name] = texture
        return self._textures[name]

    def _cut_hair(self, items: list[Part], chin: float) -> None:
        heights = [chin + part.cut for part in items if part.cut is not None]
        for program in (self._depth_program, *self._surfaces.values()):
            set_uniform(program, "cut", heights[0] if heights else _UNCUT)

    def _mouth_front(self, points: Points) -> float:
        return float(self._wardrobe.proxies["teeth"].fit(points)[:, 2].max())

    def _depth_pass(
        self,
        target: moderngl.Framebuffer,
        items: list[Part],
        model: camera.Matrix,
        projection: camera.Matrix,
        collar: tuple[float, float, float],
        *,
        cards: bool,
    ) -> None:
        target.use()
        target.clear(depth=1.0)
        program = self._depth_program
        set_uniform(program, "model", model.T)
        set_uniform(program, "view_projection", projection.T)
        for item in items:
            # Cornea and lenses must stay see-through, and the mouth is dark without shadows of teeth.
            if item.kind in (shaders.EYE, shaders.LENS) or (not cards and item.kind in (shaders.CARD, shaders.TEETH)):
                continue
            cutout = item.kind in (shaders.HAIR, shaders.CARD)
            if cutout:
                self._texture(item.texture).use(0)
            set_uniform(program, "cutout", cutout)
            set_uniform(program, "collar", collar if item.name == "body" else (0.0, 0.0, 0.0))
            self._drawables[item.name].depth.render()

    def _color_pass(
        self,
        scene: SceneParameters,
        items: list[Part],
        view: camera.Portrait,
        light: Lighting,
        sun: camera.Matrix,
        collar: tuple[float, float, float],
        mouth_front: float,
    ) -> None:
        gl = self._gl
        target = self._picture_target
        # Starts from the finished depth, so that every pixel is shaded once.
        gl.copy_framebuffer(target, self._view_target)
        target.use()
        gl.disable(moderngl.DEPTH_TEST)
        # The backdrop keeps its brightness whatever the face needs.
        set_uniform(self._background, "base", tuple(c / light.exposure for c in scene.background))
        set_uniform(self._background, "slope", scene.backdrop_slope)
        self._background_quad.render(vertices=3)
        gl.enable(moderngl.DEPTH_TEST)
        self._view_depth.use(3)
        self._shadow_depth.use(4)
        self._frame_uniforms(scene, view, light, sun, mouth_front)
        self._draw_items(scene, items, collar)

    def _frame_uniforms(
        self, scene: SceneParameters, view: camera.Portrait, light: Lighting, sun: camera.Matrix, mouth_front: float
    ) -> None:
        samplers = {name: unit for unit, name in enumerate(_SAMPLERS)}
        values: dict[str, object] = {
            **samplers,
            "model": view.model.T,
            "view_projection": view.view_projection.T,
            "light_projection": sun.T,
            "camera": tuple(view.eye),
            "directions": light.directions,
            "window": tuple(light.window),
            "lights": light.colors,
            "sky": tuple(light.sky),
            "ground": tuple(light.ground),
            "range": (view.near, view.far),
            "mouth_front": mouth_front,
            "side": float(2 * self._side),
            "cloth": scene.cloth,
        }
        for program in self._surfaces.values():
            for name, value in values.items():
                set_uniform(program, name, value)

    def _draw_items(self, scene: SceneParameters, items: list[Part], collar: tuple[float, float, float]) -> None:
        gl = self._gl
        gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        for soft in (False, True):
            self._picture_target.depth_mask = not soft
            self._picture_target.use()
            for item in items:
                if (item.kind, not soft) not in self._surfaces:
                    continue
                program = self._surfaces[item.kind, not soft]
                set_uniform(program, "tint", item.tint)
                set_uniform(program, "tone", item.tone)
                set_uniform(program, "collar", collar if item.name == "body" else (0.0, 0.0, 0.0))
                self._bind(scene, item, program)
                if soft or item.kind == shaders.EYE:
                    gl.enable(moderngl.BLEND)
                self._drawables[item.name].surfaces[not soft].render()
                gl.disable(moderngl.BLEND)
        self._picture_target.depth_mask = True

    def _bind(self, scene: SceneParameters, item: Part, program: moderngl.Program) -> None:
        if item.kind != shaders.SKIN:
            if item.texture:
                self._texture(item.texture).use(0)
            return
        chosen = sorted(((w, n) for n, w in zip(SKINS, skin_weights(scene), strict=True) if w > 0), reverse=True)
        weights = [weight for weight, _ in chosen] + [0.0] * (len(_SKIN_UNITS) - len(chosen))
        for unit, (_, name) in zip(_SKIN_UNITS, chosen, strict=False):
            self._texture(name).use(unit)
        self._grain.use(_SAMPLERS.index("grain_map"))
        set_uniform(program, "blend", tuple(weights))
        set_uniform(program, "complexion", (scene.lipstick, scene.freckles, scene.stubble, float(scene.bald)))
        set_uniform(program, "beard", tuple(0.35 * channel for channel in hair_color(scene)))

    def _develop(self, exposure: float) -> Image8:
        self._gl.disable(moderngl.DEPTH_TEST)
        self._output.use()
        self._picture.use(0)
        set_uniform(self._finish, "picture", 0)
        set_uniform(self._finish, "exposure", exposure)
        set_uniform(self._finish, "pixel", 0.5 / self._side)
        self._finish_quad.render(vertices=3)
        raw = np.frombuffer(self._output.read(components=3, alignment=1), np.uint8)
        return np.ascontiguousarray(raw.reshape(self._side, self._side, 3)[::-1])

    def _read_depth(self, view: camera.Portrait) -> NDArray[np.float32]:
        side = 2 * self._side
        raw = np.frombuffer(self._view_depth.read(alignment=4), np.float32).reshape(side, side)[::-1][::2, ::2]
        span = view.far - view.near
        linear = 2 * view.near * view.far / (view.far + view.near - (2 * raw - 1) * span)
        return np.where(raw >= 1.0, np.inf, linear).astype(np.float32)
