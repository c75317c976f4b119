// @ts-check
// stored - reads what this browser stored: by this version of the page, an older or a newer one, or
// damaged. What has another shape is left out, all else is kept. No DOM.

import { TERMINAL, newCell, newJob } from './state.js';
import { countOf } from './sweep.js';

/** @typedef {import('./state.js').Job} Job */
/** @typedef {import('./state.js').Spec} Spec */
/** @typedef {import('./state.js').JobState} JobState */

const KEY = /^[\x21-\x7e]{1,64}$/;
const ID = /^[0-9a-f]{16}$/;
const STATES = Object.freeze(['sending', 'queued', 'running', ...TERMINAL]);
const SPEC_NUMBERS = /** @type {const} */ (['width', 'height', 'steps', 'guidance', 'seed',
  'noise_seed']);
const SPEC_WORDS = /** @type {const} */ ({ prompt: 'string', lane: 'string',
  prior_from: 'string' });

/** The object in a text, null when there is none. @param {string | null} text @returns {any} */
export function parseObject(text) {
  try {
    const value = JSON.parse(text ?? 'null');
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** The members of `value` that have the wanted type. @param {any} value
 * @param {Record<string, 'string' | 'number'>} types @returns {any} */
function typed(value, types) {
  const kept = Object.entries(types).filter(([name, type]) => Object.hasOwn(value, name)
    && typeof value[name] === type && (type !== 'number' || Number.isFinite(value[name])));
  return Object.fromEntries(kept.map(([name]) => [name, value[name]]));
}

/** @param {any} value @returns {Spec | null} null without a prompt */
export function specOf(value) {
  if (!isObject(value) || typeof value.prompt !== 'string') return null;
  const numbers = Object.fromEntries(SPEC_NUMBERS.map((name) => [name, 'number']));
  const spec = typed(value, { ...SPEC_WORDS, .../** @type {any} */ (numbers) });
  const images = Array.isArray(value.images)
    ? value.images.filter((/** @type {any} */ one) => /^[0-9a-f]{64}$/.test(one)) : [];
  return images.length ? { ...spec, images } : spec;
}

/** Fields and values of a sweep. @param {any} value @returns {import('./sweep.js').Axes | null} */
function axesOf(value) {
  if (!isObject(value)) return null;
  const fine = Object.values(value).every((list) => Array.isArray(list) && list.length
    && list.every((one) => typeof one === 'string' || Number.isFinite(one)));
  return fine && Object.keys(value).length ? value : null;
}

/** @param {any} value @returns {import('./state.js').More} */
function moreOf(value) {
  if (!isObject(value)) return {};
  const { n, sweep } = value;
  const fine = isObject(sweep) && Object.values(sweep).every((list) => Number.isFinite(list)
    || Array.isArray(list));
  return { ...(Number.isInteger(n) ? { n } : {}), ...(fine ? { sweep } : {}) };
}

/** @param {any} value @returns {import('./state.js').Cell[]} */
function cellsOf(value) {
  return (Array.isArray(value) ? value : []).filter((one) => ID.test(one?.id)).map((one) => {
    const result = resultOf(one.result);
    const over = TERMINAL.has(one.state) && (one.state !== 'done' || result !== null);
    return { ...newCell(one.id), result, state: over ? one.state : 'queued' };
  });
}

/** A sweep and its cells, when there are as many as its fields have values: the server tells the
 * rest. @param {any} kept @returns {Pick<Job, 'sweep' | 'cells'>} */
function sweepOf(kept) {
  const [sweep, cells] = [axesOf(kept.sweep), cellsOf(kept.cells)];
  const whole = sweep && countOf({ sweep }) === cells.length;
  return whole ? { sweep, cells } : { sweep: null, cells: [] };
}

/** @param {any} value @returns {import('./state.js').Result | null} */
function resultOf(value) {
  if (!isObject(value)) return null;
  const types = /** @type {const} */ ({ url: 'string', digest: 'string', width: 'number',
    height: 'number', seed: 'number', seconds: 'number' });
  const result = typed(value, types);
  return Object.keys(types).every((name) => name in result) ? result : null;
}

/** @param {any} value @returns {import('./state.js').Failure | null} */
function failureOf(value) {
  if (!isObject(value) || typeof value.code !== 'string') return null;
  const values = Object.entries(isObject(value.values) ? value.values : {})
    .filter(([, one]) => typeof one === 'string' || Number.isFinite(one));
  return { ...typed(value, { code: 'string', message: 'string', hint: 'string', field: 'string',
    retry_after_ms: 'number' }), ...(values.length ? { values: Object.fromEntries(values) } : {}) };
}

/** The state to go on from. What has not ended is watched or submitted again, and so is what is
 * damaged as long as the server can tell. @param {any} kept @param {string | null} id
 * @param {boolean} pictured @returns {JobState} */
function stateOf(kept, id, pictured) {
  const state = STATES.includes(kept.state) ? kept.state : pictured ? 'done' : 'lost';
  if (state === 'done' && !pictured) return id ? 'queued' : 'lost';
  if (state === 'lost' && state !== kept.state && id) return 'queued';
  return TERMINAL.has(state) ? state : id ? 'queued' : 'sending';
}

/** A stored job. One that has not ended starts at sequence number 0, so that the server sends its
 * whole present state with the last preview. Null when the text holds no job.
 * @param {string} key its name in the storage @param {string | null} text @returns {Job | null} */
export function storedJob(key, text) {
  const kept = parseObject(text);
  const asked = specOf(kept?.asked);
  if (!kept || !asked || !KEY.test(key)) return null;
  const id = typeof kept.id === 'string' && ID.test(kept.id) ? kept.id : null;
  const result = resultOf(kept.result);
  const { sweep, cells } = sweepOf(kept);
  const state = stateOf(kept, id, result !== null || sweep !== null);
  const created = Number.isFinite(kept.created) ? kept.created : 0;
  return { ...newJob(key, asked, created, moreOf(kept.more)), id, state, sweep, cells,
    spec: specOf(kept.spec) ?? asked, result: state === 'done' ? result : null,
    error: TERMINAL.has(state) ? failureOf(kept.error) : null,
    sent: kept.sent === true, cancelling: !TERMINAL.has(state) && kept.cancelling === true };
}

/** What was in the form; spec is null when nothing was. @param {string | null} text
 * @returns {{spec: Spec | null, lost: boolean}} lost: the words that were typed cannot be read */
export function storedDraft(text) {
  if (text === null) return { spec: null, lost: false };
  const kept = parseObject(text);
  const lost = typeof kept?.prompt !== 'string';
  const draft = kept && specOf(lost ? { ...kept, prompt: '' } : kept);
  if (!draft) return { spec: null, lost };
  const side = (/** @type {unknown} */ x) => Number.isInteger(x) && Number(x) > 0
    && Number(x) <= 65_536;
  const { width, height, ...rest } = draft;
  return { spec: side(width) && side(height) ? { ...rest, width, height } : rest, lost };
}

/** What was in the form besides the spec, as it was typed: the fields of several pictures, and the
 * second prompt, null without one. @param {string | null} text
 * @returns {{several: Record<string, string>, second: string | null}} */
export function storedLists(text) {
  const kept = parseObject(text);
  const several = Object.entries(isObject(kept?.several) ? kept.several : {})
    .filter(([, words]) => typeof words === 'string');
  return { several: Object.fromEntries(several),
    second: typeof kept?.second === 'string' ? kept.second : null };
}

/** The pairs of jobs that are drawn to be compared, by their keys. @param {string | null} text
 * @returns {[string, string][]} */
export function storedPairs(text) {
  const { pairs } = parseObject(text) ?? {};
  return (Array.isArray(pairs) ? pairs : []).filter((pair) => Array.isArray(pair)
    && pair.length === 2 && pair.every((key) => typeof key === 'string' && KEY.test(key)));
}

/** A hello with every member that the page uses in its proper shape: a stored one, or that of a
 * server of another version. @param {any} hello @returns {any} null when it is none */
export function tidyHello(hello) {
  if (!isObject(hello)) return null;
  const object = (/** @type {any} */ x) => (isObject(x) ? x : {});
  const list = (/** @type {any} */ x) => (Array.isArray(x) ? x : []);
  const field = { name: 'string', min: 'number', max: 'number', step: 'number', default: 'number' };
  const side = /** @type {const} */ ({ width: 'number', height: 'number' });
  const device = { why: 'string', cap: 'number', fits: 'number', ...side, picture_bytes: 'number',
    bytes: 'number', tries: 'number', message: 'string' };
  const all = (/** @type {any[]} */ rows, /** @type {any} */ types,
      /** @type {string[]} */ needed) => rows.filter(isObject).map((row) => typed(row, types))
    .filter((row) => needed.every((name) => name in row));
  return { ...hello,
    model: { name: '', device: '', ...typed(object(hello.model), { name: 'string', device: 'string',
      dtype: 'string' }) },
    concurrency: { ...typed(object(hello.concurrency), { cap: 'number', disk: 'string' }),
      devices: all(list(object(hello.concurrency).devices), device, ['why']) },
    fields: all(list(hello.fields), field, ['name', 'min', 'max'])
      .map(({ step, ...rest }) => (step > 0 ? { ...rest, step } : rest)),
    sizes: all(list(hello.sizes), side, ['width', 'height']),
    examples: list(hello.examples).filter((one) => typeof one === 'string'),
    defaults: typed(object(hello.defaults), { ...side, steps: 'number', guidance: 'number',
      seed: 'number' }),
    limits: typed(object(hello.limits), { message_bytes: 'number', aspect_max: 'number',
      queue: 'number', pictures: 'number', cells: 'number' }) };
}
