"""GLSL programs. Colours are linear RGB until the final pass."""

from __future__ import annotations

SKIN, EYE, HAIR, CARD, TEETH, FRAME, LENS = range(7)
# Kinds that are blended over the finished picture in a second pass.
SOFT = (HAIR, CARD, LENS)

HEADER = "#version 330\n"

MESH_VERTEX = (
    HEADER
    + """
invariant gl_Position;
in vec3 in_position; in vec3 in_normal; in vec2 in_uv; in vec4 in_zones;  // lips, freckles, stubble, scalp
uniform mat4 model; uniform mat4 view_projection; uniform mat4 light_projection;
uniform vec3 collar;  // height, neck depth, 1 when dressed
out vec3 world; out vec3 normal; out vec2 uv; out vec3 light_position; out float depth_in_head; out float cloth_edge;
out vec4 zones; out float height;
void main() {
  vec3 p = in_position;
  cloth_edge = -1.0;
  if (collar.z > 0.0) {
    float below = (collar.x - p.y) - 0.12 * clamp(p.z - collar.y, -1.0, 0.5);
    if (p.y <= collar.x + 0.45) cloth_edge = below;
    p += in_normal * 0.07 * smoothstep(0.0, 0.2, cloth_edge);
  }
  depth_in_head = in_position.z;
  vec4 w = model * vec4(p, 1.0);
  world = w.xyz;
  normal = mat3(model) * in_normal;
  uv = in_uv;
  height = in_position.y;
  zones = in_zones;
  light_position = (light_projection * w).xyz * 0.5 + 0.5;
  gl_Position = view_projection * w;
}
"""
)

# Hair is cut below a height, along an edge as uneven as the ends of strands.
SCISSORS = """
in float height; uniform float cut;
bool cut_off() { return height < cut + 0.04 * sin(uv.x * 71.0) + 0.03 * sin(uv.x * 233.0); }
"""

DEPTH_FRAGMENT = (
    HEADER
    + "in vec2 uv; uniform sampler2D albedo_map; uniform bool cutout;"
    + SCISSORS
    + "void main() { if (cutout && (texture(albedo_map, uv).a < 0.5 || cut_off())) discard; }"
)

_SURFACE = (
    """
in vec3 world; in vec3 normal; in vec2 uv; in vec3 light_position; in float depth_in_head; in float cloth_edge;
in vec4 zones;
out vec4 color;
"""
    + SCISSORS
    + """
uniform sampler2D albedo_map; uniform sampler2D second_map; uniform sampler2D third_map;
uniform sampler2D fourth_map; uniform sampler2D grain_map;
uniform sampler2D view_depth; uniform sampler2D shadow_depth;
uniform vec4 blend; uniform vec4 complexion; uniform vec3 beard; uniform vec3 tint; uniform vec3 cloth; uniform vec2 tone;
uniform vec3 camera; uniform vec3 window; uniform vec3 directions[3]; uniform vec3 lights[3]; uniform vec3 sky; uniform vec3 ground;
uniform vec2 range; uniform float mouth_front; uniform float side;

const int TAPS = 8;
// Spirals of golden angle steps; the radius grows linearly, or so that every tap covers the same area.
const vec2 SPIRAL[TAPS] = vec2[TAPS](
  vec2(0.0625, 0.0000), vec2(-0.1381, 0.1268), vec2(0.0267, -0.3114),
  vec2(0.2672, 0.3464), vec2(-0.5543, -0.0958), vec2(0.5783, -0.3718), vec2(-0.2064, 0.7858), vec2(-0.4377, -0.8291));
const vec2 DISC[TAPS] = vec2[TAPS](
  vec2(0.2500, 0.0000), vec2(-0.3190, 0.2928), vec2(0.0478, -0.5570),
  vec2(0.4040, 0.5238), vec2(-0.7390, -0.1278), vec2(0.6975, -0.4484), vec2(-0.2290, 0.8718), vec2(-0.4521, -0.8562));
float metres(float d) { return 2.0 * range.x * range.y / (range.y + range.x - (2.0 * d - 1.0) * (range.y - range.x)); }

// Four fixed rotations in a 2 x 2 tile: the final 2 x 2 average removes the pattern.
mat2 tile_rotation() {
  ivec2 p = ivec2(gl_FragCoord.xy) & 1;
  float a = float(p.x + 2 * p.y) * 0.7854;
  return mat2(cos(a), sin(a), -sin(a), cos(a));
}

float occlusion(mat2 turn) {
  vec2 here = gl_FragCoord.xy / side;
  float z = metres(gl_FragCoord.z), sum = 0.0;
  for (int i = 0; i < TAPS; i++) {
    float r = (float(i) + 0.5) / float(TAPS);
    float d = z - metres(texture(view_depth, here + turn * SPIRAL[i] * 0.075).r);
    if (d > 0.012 + 0.05 * r && d < 0.9) sum += clamp(d / (0.42 * r), 0.0, 1.0) * (1.0 - smoothstep(0.35, 0.9, d));
  }
  return clamp(1.0 - 1.4 * sum / float(TAPS), 0.0, 1.0);
}

float sunlit(mat2 turn, float bias) {
  float sum = 0.0;
  for (int i = 0; i < TAPS; i++) {
    sum += texture(shadow_depth, light_position.xy + turn * DISC[i] * 0.013).r < light_position.z - bias ? 0.0 : 1.0;
  }
  return sum / float(TAPS);
}

// GGX with Schlick's Fresnel and Smith's visibility (Walter et al., 2007; Karis, 2013); F0 of skin.
float highlight(vec3 n, vec3 v, vec3 l, float rough) {
  vec3 h = normalize(v + l);
  float nh = max(dot(n, h), 0.0), nv = max(dot(n, v), 0.05), nl = max(dot(n, l), 0.0);
  float a2 = rough * rough * rough * rough, d = nh * nh * (a2 - 1.0) + 1.0, k = (rough + 1.0) * (rough + 1.0) / 8.0;
  float visibility = 1.0 / ((nv * (1.0 - k) + k) * (nl * (1.0 - k) + k));
  return a2 / (3.1416 * d * d) * visibility * (0.028 + 0.972 * pow(1.0 - max(dot(v, h), 0.0), 5.0)) * 0.25 * nl;
}

vec3 linear(vec3 c) { return pow(c, vec3(2.2)); }

void main() {
  vec4 texel = texture(albedo_map, uv);
  vec3 n = normalize(normal), v = normalize(camera - world);
  if (!gl_FrontFacing) n = -n;
  vec3 albedo = tint, wrap = vec3(0.05);
  bool cloth_here = false;
#if MATERIAL == SKIN_ID
  cloth_here = cloth_edge > 0.0;
  if (cloth_here) albedo = cloth;
  else {
    // Skins are stored as square roots of linear light.
    vec3 c = blend.x * texel.rgb * texel.rgb, other;
    if (blend.y > 0.0) { other = texture(second_map, uv).rgb; c += blend.y * other * other; }
    if (blend.z > 0.0) { other = texture(third_map, uv).rgb; c += blend.z * other * other; }
    if (blend.w > 0.0) { other = texture(fourth_map, uv).rgb; c += blend.w * other * other; }
    // Painted hair is taken off a bald head; 0.5 is the mean of every skin.
    c = mix(c, vec3(0.5), complexion.w * zones.w * 0.9);
    albedo = tint * c;
    if (complexion.y > 0.0 || complexion.z > 0.0) {
      vec2 speck = texture(grain_map, uv * 2.0).rg;
      albedo *= mix(vec3(1.0), vec3(0.60, 0.44, 0.34), complexion.y * zones.y * speck.r);
      albedo = mix(albedo, beard, complexion.z * zones.z * (0.30 + 0.45 * speck.g));
    }
    if (complexion.x > 0.0) {
      float lip_light = dot(c, vec3(0.6, 0.8, 0.6)) * dot(tint, vec3(0.5));
      albedo = mix(albedo, vec3(0.62, 0.07, 0.09) * (0.15 + 0.9 * lip_light), complexion.x * zones.x * 0.75);
    }
    wrap = vec3(0.32, 0.16, 0.10);
  }
#elif MATERIAL == HAIR_ID
  float strand = dot(texel.rgb, vec3(0.35, 0.5, 0.15));
  albedo = tint * pow(max(strand * tone.x, 0.0), tone.y) + tint * 0.04;
  wrap = vec3(0.35);
#elif MATERIAL == EYE_ID || MATERIAL == TEETH_ID
  albedo = linear(texel.rgb) * tint;
#endif
#if MATERIAL == LENS_ID
  // Glass: almost clear, with the soft reflection of two windows at the sides of the key light.
  vec3 mirrored = reflect(-v, n);
  float rim_light = pow(1.0 - max(dot(n, v), 0.0), 4.0);
  float pane = smoothstep(0.86, 0.96, dot(mirrored, window));
  color = vec4(mix(vec3(0.35), vec3(0.9), pane), 0.05 + 0.22 * pane + 0.4 * rim_light);
  return;
#endif
#if MATERIAL == HAIR_ID || MATERIAL == CARD_ID
  if (OPAQUE ? texel.a < 0.5 : (texel.a >= 0.5 || texel.a < 0.02)) discard;
#endif
#if MATERIAL == HAIR_ID
  if (cut_off()) discard;
#endif
  bool skin = MATERIAL == SKIN_ID && !cloth_here;
  mat2 turn = tile_rotation();
  float ao = occlusion(turn), lit = sunlit(turn, skin ? 0.004 : 0.005);
  vec3 key_share = skin ? pow(vec3(lit), vec3(0.75, 1.05, 1.15)) : vec3(lit);
  vec3 diffuse = mix(ground, sky, n.y * 0.5 + 0.5) * (skin ? pow(vec3(ao), vec3(0.75, 1.0, 1.1)) : vec3(ao));
  vec3 shine = vec3(0.0);
  for (int i = 0; i < 3; i++) {
    vec3 l = directions[i];
    vec3 d = clamp((vec3(dot(n, l)) + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0, 1.0);
    diffuse += lights[i] * d * (i == 0 ? key_share : vec3(mix(1.0, ao, 0.7)));
    float seen = i == 0 ? lit : ao;
#if MATERIAL == EYE_ID
    // A catch light from nearly straight ahead keeps the eyes alive in every light.
    vec3 front = normalize(vec3(l.x * 0.5, max(l.y, 0.1) * 0.7 + 0.1, 1.0));
    if (i == 0) shine += lights[i] * mix(0.5, 1.0, lit) * highlight(n, v, front, 0.16) * 2.0;
#elif MATERIAL == FRAME_ID
    shine += lights[i] * seen * highlight(n, v, l, 0.32) * mix(vec3(1.0), 6.0 * tint + 1.0, tone.x) * (1.0 + tone.x);
#elif MATERIAL == TEETH_ID
    shine += lights[i] * seen * highlight(n, v, l, 0.3) * 0.8;
#elif MATERIAL == HAIR_ID
    // Kajiya and Kay (1989): strands run down the head.
    float th = dot(normalize(cross(n, vec3(1.0, 0.15, 0.0))), normalize(v + l));
    shine += lights[i] * seen * pow(max(1.0 - th * th, 0.0), 40.0) * 0.2 * (tint * 2.0 + 0.05) * (0.3 + texel.r);
#elif MATERIAL == SKIN_ID
    if (skin && i < 2) shine += lights[i] * seen * highlight(n, v, l, 0.45);
#endif
  }
#if MATERIAL == EYE_ID
  if (texel.a < 0.5) {  // the transparent cornea only adds its highlight
    float strength = clamp(max(shine.r, max(shine.g, shine.b)), 0.0, 1.0);
    if (strength < 0.01) discard;
    color = vec4(shine, strength);
    return;
  }
  color = vec4(albedo * diffuse * smoothstep(0.1, 0.9, ao) + shine, 1.0);
#elif MATERIAL == TEETH_ID
  float inside = clamp((mouth_front - depth_in_head) / 0.35, 0.0, 1.0);
  color = vec4(albedo * max(diffuse, vec3(0.45)) * mix(1.0, 0.12, inside) * mix(0.6, 1.0, ao), 1.0);
  color.rgb += shine * mix(1.0, 0.1, inside);
#elif MATERIAL == SKIN_ID
  if (skin) shine += pow(1.0 - max(dot(n, v), 0.0), 4.0) * 0.10 * sky * ao;
  color = vec4(albedo * diffuse + shine, 1.0);
#else
  color = vec4(albedo * diffuse + shine, OPAQUE ? 1.0 : min(texel.a * 1.2, 1.0));
#endif
}
"""
)


def surface_fragment(material: int, *, opaque: bool) -> str:
    """Returns the fragment shader of one material; `opaque` is false in the pass for soft edges."""
    names = {"SKIN_ID": SKIN, "EYE_ID": EYE, "HAIR_ID": HAIR, "CARD_ID": CARD, "TEETH_ID": TEETH,
             "FRAME_ID": FRAME, "LENS_ID": LENS}
    defines = "".join(f"#define {name} {value}\n" for name, value in names.items())
    defines += f"#define MATERIAL {material}\n#define OPAQUE {'true' if opaque else 'false'}\n"
    return HEADER + defines + _SURFACE


SCREEN_VERTEX = (
    HEADER
    + """
in vec2 in_position; out vec2 place;
void main() { place = in_position; gl_Position = vec4(in_position, 0.9999, 1.0); }
"""
)

BACKGROUND_FRAGMENT = (
    HEADER
    + """
in vec2 place; out vec4 color; uniform vec3 base; uniform vec2 slope;
void main() { color = vec4(base * (1.0 + 0.18 * place.y) * (1.0 + 0.45 * dot(slope, place)) * (1.0 - 0.16 * dot(place, place)), 1.0); }
"""
)

# Filmic curve: K. Narkowicz, "ACES Filmic Tone Mapping Curve", 2016.
FINISH_FRAGMENT = (
    HEADER
    + """
in vec2 place; out vec4 color; uniform sampler2D picture; uniform float exposure; uniform float pixel;
vec3 film(vec3 x) { x *= exposure; return clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0); }
void main() {
  vec3 sum = vec3(0.0);
  for (int i = 0; i < 2; i++) for (int j = 0; j < 2; j++)
    sum += film(texture(picture, place * 0.5 + 0.5 + (vec2(i, j) - 0.5) * pixel).rgb);
  color = vec4(pow(sum * 0.25, vec3(1.0 / 2.2)), 1.0);
}
"""
)
