// What an edit hides, as a program for the graphics card: the same arithmetic as splat_worker/edit/crop.py, change both.
// Pure text and numbers; viewer.ts hands them to the engine. Crops are uniforms, so that a slider compiles nothing.
import type { Crop } from "../../../../shared/contracts/edit.ts";
import { multiply, rotate, inverse, type Turn } from "../turn.ts";
import type { Vec3 } from "../cameras.ts";

/** How much of what a crop in the making will remove is still seen, in red. */
const GHOST = 0.05;
/** Texels in a row of the texture that holds the cells of the floaters. */
export const CELLS_PER_ROW = 1024;
export interface Program {
  readonly glsl: string;
  readonly wgsl: string;
}

/** count: how many crops; the last of them is in the making if `draft`. floaters: whether cells are hidden, too. */
export function programOf(count: number, draft: boolean, floaters: boolean): Program {
  const each = (line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join("\n");
  const last = count - 1;
  return {
    glsl: `
${each((i) => `uniform mat4 uCropFrame${i};\nuniform vec4 uCropSize${i};\nuniform vec4 uCropEdge${i};`)}
${floaters ? "uniform mat4 uCellFrame;\nuniform vec4 uCellSize;\nuniform sampler2D uCells;" : ""}
float cropWeight(vec3 p, vec4 size, vec4 edge) {
  float depth = size.w > 0.5 ? size.x - length(p) : min(min(size.x - abs(p.x), size.y - abs(p.y)), size.z - abs(p.z));
  depth *= edge.y;
  if (edge.x <= 0.0) return depth >= 0.0 ? 1.0 : 0.0;
  float t = clamp(depth / edge.x, 0.0, 1.0);
  return t * t * (3.0 - 2.0 * t);
}
void modifySplatCenter(inout vec3 center) {}
void modifySplatRotationScale(vec3 originalCenter, vec3 modifiedCenter, inout vec4 rotation, inout vec3 scale) {}
void modifySplatColor(vec3 center, inout vec4 color) {
  float weight = 1.0;
${floaters ? `  vec3 c = (uCellFrame * vec4(center, 1.0)).xyz;
  float r = length(c);
  if (r > 1.0) c *= (2.0 - 1.0 / r) / r;
  ivec3 cell = clamp(ivec3(floor((c + 2.0) * uCellSize.x * 0.25)), ivec3(0), ivec3(int(uCellSize.x) - 1));
  int number = cell.x + int(uCellSize.x) * (cell.y + int(uCellSize.x) * cell.z);
  weight *= 1.0 - step(0.5, texelFetch(uCells, ivec2(number % ${CELLS_PER_ROW}, number / ${CELLS_PER_ROW}), 0).r);` : ""}
${each((i) => `  float w${i} = cropWeight((uCropFrame${i} * vec4(center, 1.0)).xyz, uCropSize${i}, uCropEdge${i});${i === last && draft ? `\n  color.rgb = mix(vec3(0.9, 0.1, 0.15), color.rgb, w${i});\n  w${i} = max(w${i}, ${GHOST});` : ""}\n  weight *= w${i};`)}
  color.a *= weight;
}`,
    wgsl: `
${each((i) => `uniform uCropFrame${i}: mat4x4f;\nuniform uCropSize${i}: vec4f;\nuniform uCropEdge${i}: vec4f;`)}
${floaters ? "uniform uCellFrame: mat4x4f;\nuniform uCellSize: vec4f;\nvar uCells: texture_2d<f32>;" : ""}
fn cropWeight(p: vec3f, size: vec4f, edge: vec4f) -> f32 {
  var depth = min(min(size.x - abs(p.x), size.y - abs(p.y)), size.z - abs(p.z));
  if (size.w > 0.5) { depth = size.x - length(p); }
  depth *= edge.y;
  if (edge.x <= 0.0) { return select(0.0, 1.0, depth >= 0.0); }
  let t = clamp(depth / edge.x, 0.0, 1.0);
  return t * t * (3.0 - 2.0 * t);
}
fn modifySplatCenter(center: ptr<function, vec3f>) {}
fn modifySplatRotationScale(originalCenter: vec3f, modifiedCenter: vec3f, rotation: ptr<function, vec4f>, scale: ptr<function, vec3f>) {}
fn modifySplatColor(center: vec3f, color: ptr<function, vec4f>) {
  var weight: f32 = 1.0;
${floaters ? `  var c = (uniform.uCellFrame * vec4f(center, 1.0)).xyz;
  let r = length(c);
  if (r > 1.0) { c *= (2.0 - 1.0 / r) / r; }
  let side = i32(uniform.uCellSize.x);
  let cell = clamp(vec3i(floor((c + 2.0) * uniform.uCellSize.x * 0.25)), vec3i(0), vec3i(side - 1));
  let number = cell.x + side * (cell.y + side * cell.z);
  weight *= 1.0 - step(0.5, textureLoad(uCells, vec2i(number % ${CELLS_PER_ROW}, number / ${CELLS_PER_ROW}), 0).r);` : ""}
${each((i) => `  var w${i} = cropWeight((uniform.uCropFrame${i} * vec4f(center, 1.0)).xyz, uniform.uCropSize${i}, uniform.uCropEdge${i});${i === last && draft ? `\n  *color = vec4f(mix(vec3f(0.9, 0.1, 0.15), (*color).rgb, w${i}), (*color).a);\n  w${i} = max(w${i}, ${GHOST});` : ""}\n  weight *= w${i};`)}
  (*color).a *= weight;
}`,
  };
}

/** The values of one crop. upright: from the file's axes to the viewer's, in which the engine holds the middles. */
export function cropValues(crop: Crop, upright: Turn): { frame: number[]; size: number[]; edge: number[] } {
  const local: Turn = crop.shape === "box" ? [crop.quat[1], crop.quat[2], crop.quat[3], crop.quat[0]] : [0, 0, 0, 1];
  // From the viewer to the crop's own axes: out of the viewer, then out of the crop's turn, about its centre.
  const turn = multiply(inverse(local), inverse(upright));
  const shift = rotate(inverse(local), crop.centre.map((v) => -v) as Vec3);
  const size = crop.shape === "box" ? [...crop.half, 0] : [crop.radius, 0, 0, 1];
  return { frame: matrix(turn, shift), size, edge: [crop.soft, crop.keep === "outside" ? -1 : 1, 0, 0] };
}

export const cellFrame = (upright: Turn): number[] => matrix(inverse(upright), [0, 0, 0]);

/** By columns, as the graphics card takes it. */
function matrix(turn: Turn, shift: Vec3): number[] {
  const axes: Vec3[] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  return [...axes.flatMap((axis) => [...rotate(turn, axis), 0]), ...shift, 1];
}
