// @ts-check
// layout - a grid of equal cells in numbers: which of them are on view, and where each is. No DOM.

/** @typedef {{columns: number, cell: number, gap: number, rows: number, height: number}} Grid */

const SIDE_MIN = 148; // of a cell, CSS pixels
const SIDE_MIN_NARROW = 104;
const NARROW = 480;
const AHEAD = 2; // rows before and behind those on view

/** A grid for `count` cells in this width. @param {number} width @param {number} count
 * @returns {Grid} */
export function gridOf(width, count) {
  const gap = width < NARROW ? 4 : 8;
  const least = width < NARROW ? SIDE_MIN_NARROW : SIDE_MIN;
  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const cell = Math.max(1, Math.floor((width - (columns - 1) * gap) / columns));
  const rows = Math.ceil(count / columns);
  return { columns, cell, gap, rows, height: rows ? rows * (cell + gap) - gap : 0 };
}

/** The cells to draw when the window shows from `top` to `bottom` of the grid.
 * @param {Grid} grid @param {number} count @param {number} top @param {number} bottom
 * @returns {{first: number, last: number}} last < first: none */
export function rangeOf(grid, count, top, bottom) {
  const step = grid.cell + grid.gap;
  const from = Math.max(0, Math.floor(top / step) - AHEAD);
  const to = Math.min(grid.rows - 1, Math.floor(bottom / step) + AHEAD);
  return { first: Math.min(from * grid.columns, count),
    last: Math.min(count - 1, (to + 1) * grid.columns - 1) };
}

/** @param {Grid} grid @param {number} i @returns {{x: number, y: number}} */
export function placeOf(grid, i) {
  const step = grid.cell + grid.gap;
  return { x: (i % grid.columns) * step, y: Math.floor(i / grid.columns) * step };
}

/** Where a key leads from cell `at`; null: it is no such key. @param {string} key
 * @param {number} at @param {number} count @param {number} columns @param {number} page rows
 * @returns {number | null} */
export function moved(key, at, count, columns, page) {
  const far = columns * Math.max(1, page);
  /** @type {Record<string, number>} */
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns,
    ArrowDown: at + columns, PageUp: at - far, PageDown: at + far, Home: 0, End: count - 1 };
  if (!(key in to) || count < 1) return null;
  const next = to[key];
  if (next >= 0 && next < count) return next;
  if (key === 'ArrowUp' || key === 'ArrowLeft') return at;
  if (key === 'ArrowDown') return Math.floor(at / columns) < Math.floor((count - 1) / columns)
    ? count - 1 : at;
  return Math.max(0, Math.min(count - 1, next));
}
