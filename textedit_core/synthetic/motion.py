"""Where every point of one drawing was in another drawing of the same person: exact, since both share one mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic import shaders
from textedit_core.synthetic.camera import Portrait, portrait
from textedit_core.synthetic.figure import Part, collar_of, parts
from textedit_core.synthetic.graphics import set_uniform
from textedit_core.synthetic.meshes import Points
from textedit_core.synthetic.scene import SceneParameters
from textedit_core.synthetic.wardrobe import Wardrobe

# A point counts as seen in the other drawing if nothing lies more than this nearer to the camera, in window depth: about 2% of a head.
_TOLERANCE = 0.004

# The vertex program of photos, with the same vertex in the other drawing beside it.
MOTION_VERTEX = (
    shaders.HEADER
    + """
invariant gl_Position;
in vec3 in_position; in vec3 in_normal; in vec2 in_uv; in vec3 in_other; in vec3 in_other_normal;
uniform mat4 model; uniform mat4 view_projection; uniform vec3 collar;
uniform mat4 other_model; uniform mat4 other_projection; uniform vec3 other_collar;
out vec2 uv; out float height; out vec4 before;
vec3 dressed(vec3 p, vec3 n, vec3 c) {
  if (c.z <= 0.0) return p;
  float below = (c.x - p.y) - 0.12 * clamp(p.z - c.y, -1.0, 0.5);
  return p + n * 0.07 * smoothstep(0.0, 0.2, below);
}
void main() {
  uv = in_uv;
  height = in_position.y;
  before = other_projection * (other_model * vec4(dressed(in_other, in_other_normal, other_collar), 1.0));
  gl_Position = view_projection * (model * vec4(dressed(in_position, in_normal, collar), 1.0));
}
"""
)

MOTION_FRAGMENT = (
    shaders.HEADER
    + "in vec2 uv; in vec4 before; out vec4 color; uniform sampler2D albedo_map; uniform bool cutout;"
    + shaders.SCISSORS
    + """
void main() {
  if (cutout && (texture(albedo_map, uv).a < 0.5 || cut_off())) discard;
  color = vec4(before.xyz / before.w * 0.5 + 0.5, 1.0);
}
"""
)


@dataclass(frozen=True)
class Motion:
    """Motion between two drawings of one person, as a picture of the later one.

    Attributes:
        flow: [S, S, 2] float32, x right and y down in fractions of the side: the point at p was at p + flow in the earlier drawing; 0 in
            the backdrop.
        visible: [S, S] bool, whether the point was seen there; backdrop counts as seen where it was backdrop.
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


@dataclass(frozen=True)
class Staged:
    """A figure as it was set up for one drawing."""

    view: Portrait
    items: tuple[Part, ...]
    rows: dict[str, Points]
    collar: tuple[float, float, float]
    chin: float


def stage(wardrobe: Wardrobe, scene: SceneParameters, framing: SceneParameters | None) -> Staged:
    """Sets a scene's figure up without drawing it; `framing` as for `Renderer.draw`."""
    points, items = wardrobe.points(scene), parts(scene, wardrobe)
    landmarks = wardrobe.finder.landmarks
    framed = None if framing is None else landmarks(wardrobe.points(framing))
    view = portrait(landmarks(points), scene.yaw, scene.pitch, framed)
    rows = {item.name: wardrobe.buffer(item.name, scene, points) for item in items}
    return Staged(view, tuple(items), rows, collar_of(wardrobe, points), float(wardrobe.finder.chin(points)[1]))


class MotionPass:
    """Draws motion with the meshes and textures of a renderer.

    Args:
        context: of the renderer.
        side: of the pictures in pixels.
        wardrobe: of the renderer.
        texture: the texture of a name.
    """

    def __init__(
        self,
        context: moderngl.Context,
        side: int,
        wardrobe: Wardrobe,
        texture: Callable[[str], moderngl.Texture],
    ) -> None:
        self._gl, self._side, self._wardrobe, self._texture = context, side, wardrobe, texture
        self._program = context.program(MOTION_VERTEX, MOTION_FRAGMENT)
        self._field = context.texture((side, side), 4, dtype="f4")
        self._target = context.framebuffer([self._field], context.depth_renderbuffer((side, side)))
        self._arrays: dict[str, tuple[moderngl.Buffer, moderngl.Buffer, moderngl.VertexArray]] = {}

    def motion(self, earlier: Staged, later: Staged) -> Motion:
        """The motion from one figure to another of the same person."""
        # A drawing of the earlier scene by itself tells what was seen in it.
        seen = self._drawn(earlier, earlier)
        field = self._drawn(later, earlier)
        side = self._side
        centres = (np.arange(side, dtype=np.float32) + 0.5) / side
        figure = field[..., 3] > 0.5
        place = np.where(figure[..., None], np.stack([field[..., 0], 1.0 - field[..., 1]], -1), np.stack(np.meshgrid(centres, centres), -1))
        flow = place - np.stack(np.meshgrid(centres, centres), -1)
        columns, lines = (np.clip((place[..., axis] * side).astype(int), 0, side - 1) for axis in (0, 1))
        there = seen[lines, columns]
        nearest = np.where(there[..., 3] > 0.5, there[..., 2], 1.0)
        inside = (place >= 0.0).all(-1) & (place < 1.0).all(-1)
        visible = np.where(figure, field[..., 2] <= nearest + _TOLERANCE, there[..., 3] < 0.5) & inside
        return Motion(flow.astype(np.float32), visible)

    def _drawn(self, here: Staged, there: Staged) -> NDArray[np.float32]:
        """[S, S, 4] with the top line first: place x right, y up and depth in the other drawing, 0 to 1; 1 where there is a figure."""
        gl, program = self._gl, self._program
        self._target.use()
        self._target.clear(depth=1.0)
        gl.enable_only(moderngl.DEPTH_TEST)
        gl.depth_func = "<="
        for name, view in (("", here.view), ("other_", there.view)):
            set_uniform(program, f"{name}model", view.model.T)
        set_uniform(program, "view_projection", here.view.view_projection.T)
        set_uniform(program, "other_projection", there.view.view_projection.T)
        cuts = [here.chin + item.cut for item in here.items if item.cut is not None]
        set_uniform(program, "cut", cuts[0] if cuts else -100.0)
        for item in here.items:
            # What is not worn in the other drawing has no place there; lenses and the cornea are looked through.
            if item.name in there.rows and item.kind not in (shaders.LENS, shaders.EYE):
                self._draw_part(item, here, there)
        raw = np.frombuffer(self._field.read(), np.float32).reshape(self._side, self._side, 4)
        return raw[::-1].copy()

    def _draw_part(self, item: Part, here: Staged, there: Staged) -> None:
        rows, others = here.rows[item.name], np.ascontiguousarray(there.rows[item.name][:, :6])
        if item.name not in self._arrays:
            gl = self._gl
            buffers = gl.buffer(reserve=rows.nbytes, dynamic=True), gl.buffer(reserve=others.nbytes, dynamic=True)
            layout = [
                (buffers[0], "3f 3f 2f", "in_position", "in_normal", "in_uv"),
                (buffers[1], "3f 3f", "in_other", "in_other_normal"),
            ]
            order = gl.buffer(self._wardrobe.mesh(item.name).indices.tobytes())
            self._arrays[item.name] = (*buffers, gl.vertex_array(self._program, layout, order, skip_errors=True))
        own, other, array = self._arrays[item.name]
        own.write(rows.tobytes())
        other.write(others.tobytes())
        cutout = item.kind in (shaders.HAIR, shaders.CARD)
        if cutout:
            self._texture(item.texture).use(0)
        set_uniform(self._program, "cutout", cutout)
        for name, staged in (("", here), ("other_", there)):
            set_uniform(self._program, f"{name}collar", staged.collar if item.name == "body" else (0.0, 0.0, 0.0))
        array.render()
