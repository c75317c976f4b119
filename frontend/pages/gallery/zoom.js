// @ts-check
// zoom - which part of a picture is on view, the same for every picture of a comparison. No DOM.
//
// x and y say which point of the picture is in the middle of its frame: 0 to 1 of its width and
// height. scale 1 shows the whole picture.

/** @typedef {{scale: number, x: number, y: number}} View */

export const SCALE_MAX = 16;
export const WHOLE = Object.freeze(/** @type {View} */ ({ scale: 1, x: 0.5, y: 0.5 }));
const STEP = 1.25;
const PAN = 0.12; // of the frame, for one key

/** @param {number} value @param {number} min @param {number} max */
const clamp = (value, min, max) => Math.min(max, Math.max(min, value));

/** The nearest view that shows nothing beside the picture. @param {View} view @returns {View} */
export function legal({ scale, x, y }) {
  const s = clamp(scale, 1, SCALE_MAX);
  const half = 0.5 / s;
  return { scale: s, x: clamp(x, half, 1 - half), y: clamp(y, half, 1 - half) };
}

/** Zoom by a factor, so that the point under (u, v) of the frame, 0 to 1, stays there.
 * @param {View} view @param {number} by @param {number} [u] @param {number} [v] */
export function zoomed(view, by, u = 0.5, v = 0.5) {
  const scale = clamp(view.scale * by, 1, SCALE_MAX);
  const shift = 1 / view.scale - 1 / scale;
  return legal({ scale, x: view.x + (u - 0.5) * shift, y: view.y + (v - 0.5) * shift });
}

/** The picture is dragged by this share of the frame. @param {View} view @param {number} dx
 * @param {number} dy */
export function dragged(view, dx, dy) {
  return legal({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale });
}

/** What a key does; null: nothing. @param {View} view @param {string} key @returns {View | null} */
export function keyed(view, key) {
  switch (key) {
    case '+': case '=': return zoomed(view, STEP);
    case '-': return zoomed(view, 1 / STEP);
    case '0': return WHOLE;
    case 'ArrowLeft': return dragged(view, PAN, 0);
    case 'ArrowRight': return dragged(view, -PAN, 0);
    case 'ArrowUp': return dragged(view, 0, PAN);
    case 'ArrowDown': return dragged(view, 0, -PAN);
    default: return null;
  }
}

/** What two fingers do that were at a and b and are at c and d, in shares of the frame.
 * @param {View} view @param {readonly [[number, number], [number, number]]} before
 * @param {readonly [[number, number], [number, number]]} after */
export function pinched(view, before, after) {
  const apart = (/** @type {typeof before} */ [[ax, ay], [bx, by]]) =>
    Math.max(1e-3, Math.hypot(ax - bx, ay - by));
  const middle = (/** @type {typeof before} */ [[ax, ay], [bx, by]]) =>
    [(ax + bx) / 2, (ay + by) / 2];
  const [from, to] = [middle(before), middle(after)];
  return dragged(zoomed(view, apart(after) / apart(before), from[0], from[1]),
    to[0] - from[0], to[1] - from[1]);
}

/** The transform of an image that fills its frame. @param {View} view */
export function transformOf({ scale, x, y }) {
  const share = (/** @type {number} */ at) => ((0.5 - at) * 100).toFixed(4);
  return `scale(${scale.toFixed(4)}) translate(${share(x)}%, ${share(y)}%)`;
}
