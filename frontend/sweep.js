// @ts-check
// sweep - several pictures in one request: reads lists of values, counts them, and lays the cells
// out as labelled tables. No DOM.

/** The fields of a sweep and their values, the first changing slowest.
 * @typedef {Record<string, (number | string)[]>} Axes */
/** What is asked for besides the spec. seed: a number stands for that many seeds.
 * @typedef {{n?: number, sweep?: Record<string, (number | string)[] | number>}} Several */
/** @typedef {{name: string, min: number, max: number, step?: number}} Rule */
/** @typedef {{code: 'list' | 'range' | 'long', value: string}} ListFault */
/** A table of cells. given: what all of its cells have in common.
 * @typedef {{given: Label[], columns: Label[], rows: {label: Label | null, cells: number[]}[]}}
 * Table */
/** @typedef {{field: string, value: number | string}} Label */

export const CELLS_MAX = 100;
const RANGE = /^(-?[\d.]+)\s*(?:\.\.|…|–|~)\s*(-?[\d.]+)(?:\s*\/\s*([\d.]+))?$/;

/** Text with full-width characters, as input methods for Chinese and Japanese write digits and
 * commas, as ASCII. @param {string} text */
export function halfWidth(text) {
  return text.replace(/[\uff01-\uff5e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0));
}

/** The values of a text as "10, 20", "1..4" or "10..50/10"; a fault when there is one. Equal ones
 * count once. @param {string} text @param {Rule} rule
 * @returns {{values: number[], fault: ListFault | null}} */
export function readList(text, rule) {
  /** @type {number[]} */ const values = [];
  for (const part of halfWidth(text).split(/[,;、\n]+/).map((one) => one.trim()).filter(Boolean)) {
    const [, from, to, by] = RANGE.exec(part) ?? [];
    const run = from === undefined ? [number(part)]
      : range(number(from), number(to), by === undefined ? 1 : number(by));
    if (!run.length || run.some(Number.isNaN)) return fault('list', part);
    for (const value of run) {
      if (!allowed(value, rule)) return fault('range', String(value));
      if (!values.includes(value)) values.push(value);
    }
    if (values.length > CELLS_MAX) return fault('long', String(CELLS_MAX));
  }
  return { values, fault: null };
}

/** @param {ListFault['code']} code @param {string} value
 * @returns {{values: number[], fault: ListFault}} */
const fault = (code, value) => ({ values: [], fault: { code, value } });

/** @param {string} text */
const number = (text) => (/^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN);

/** @param {number} from @param {number} to @param {number} by */
function range(from, to, by) {
  if (!(by > 0) || !(to >= from)) return [];
  const n = Math.floor((to - from) / by + 1e-9) + 1;
  // one more than may be asked for: that it is too long is found by who counts
  return Array.from({ length: Math.min(n, CELLS_MAX + 1) },
    (_, i) => Number((from + i * by).toFixed(6)));
}

/** @param {number} value @param {Rule} rule */
function allowed(value, { min, max, step }) {
  if (value < min || value > max) return false;
  return !step || Number.isInteger((value - min) / step) || Number.isInteger(value / step);
}

/** How many pictures that is. @param {Several} several */
export function countOf({ n = 1, sweep = {} }) {
  return Object.values(sweep).reduce((/** @type {number} */ all, values) =>
    all * (typeof values === 'number' ? values : values.length), n);
}

/** What to send: a field with one value is no axis, but a value of the spec.
 * @param {import('./state.js').Spec} spec @param {Axes} lists @param {number} n
 * @returns {{spec: import('./state.js').Spec, several: Several}} */
export function requestOf(spec, lists, n) {
  const one = Object.entries(lists).filter(([, values]) => values.length === 1);
  const more = Object.entries(lists).filter(([, values]) => values.length > 1);
  const given = { ...spec, ...Object.fromEntries(one.map(([name, [value]]) => [name, value])) };
  return { spec: given, several: { ...(n > 1 ? { n } : {}),
    ...(more.length ? { sweep: Object.fromEntries(more) } : {}) } };
}

/** The tables of a sweep: the last field as columns, the one before it as rows, and a table for
 * each combination of the others. @param {Axes} axes @returns {Table[]} */
export function tablesOf(axes) {
  const fields = Object.entries(axes).map(([field, values]) =>
    values.map((value) => ({ field, value })));
  const columns = fields.pop() ?? [];
  const rows = fields.pop() ?? [null];
  /** @type {Label[][]} */ let groups = [[]];
  for (const labels of fields) groups = groups.flatMap((g) => labels.map((label) => [...g, label]));
  return groups.map((given, g) => ({ given, columns,
    rows: rows.map((label, r) => ({ label,
      cells: columns.map((_, c) => (g * rows.length + r) * columns.length + c) })) }));
}

/** The spec of one cell: that of the sweep with the cell's values.
 * @param {import('./state.js').Spec} spec @param {Axes} axes @param {number} cell
 * @returns {import('./state.js').Spec} */
export function cellSpec(spec, axes, cell) {
  let rest = cell;
  const values = Object.entries(axes).reverse().map(([field, list]) => {
    const value = list[rest % list.length];
    rest = Math.floor(rest / list.length);
    return [field, value];
  });
  return { ...spec, ...Object.fromEntries(values) };
}
