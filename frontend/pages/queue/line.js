// @ts-check
// line - the queue in numbers: who runs and waits when, on which track, under which ticks; one's
// own jobs in their order, and what moving one means. No DOM.

/** A row of the statistics. @typedef {{job?: string, user?: string, state: 'running' | 'queued',
 *   position?: number, phase?: string, overall?: number, eta_ms: number | null,
 *   eta_range_ms?: [number, number] | null, start_ms?: number | null, device?: number,
 *   why?: string, lane?: string, parent?: string, cell?: number, width: number,
 *   height: number}} Row */
/** A bar of the time line: milliseconds from now.
 * @typedef {{row: Row, own: boolean, track: number, from: number, to: number}} Bar */
/** A job that one may see, as `list` tells of it.
 * @typedef {{job: string, state: string, created_ms: number, position?: number, user?: string,
 *   private?: boolean, shared_until_ms?: number, counts?: {cells: number},
 *   spec: import('../../state.js').Spec}} Listed */
/** What the page shows of one job, or of one sweep with all its cells. place: in the queue, from 1;
 * 0: none. @typedef {Object} Own
 * @property {string} job @property {Listed} listed @property {'running' | 'queued' | 'held'} state
 * @property {number} place @property {number | null} start @property {number | null} end
 * @property {[number, number] | null} range @property {string | null} why
 * @property {string | null} phase @property {number} overall @property {string} lane */
/** Others' jobs between two of one's own.
 * @typedef {{others: number, running: boolean, end: number | null}} Others */

const SPAN_MS_MIN = 10_000;
const STEPS_S = Object.freeze([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  14_400, 43_200, 86_400, 172_800, 604_800]);
const TICKS_MAX = 6;

/** The bars. Each that runs has a track; one that waits stands on the track that is free first.
 * A row without times has none. @param {readonly Row[]} rows @param {number} cap jobs at a time
 * @param {number} passed ms since the rows were sent
 * @returns {{bars: Bar[], tracks: number, span: number}} */
export function barsOf(rows, cap, passed = 0) {
  const running = rows.filter((row) => row.state === 'running');
  const waiting = rows.filter((row) => row.state === 'queued' && typeof row.eta_ms === 'number'
    && typeof row.start_ms === 'number');
  /** @type {Bar[]} */ const bars = running.map((row, track) => ({ row, own: !!row.job, track,
    from: 0, to: Math.max(0, (row.eta_ms ?? 0) - passed) }));
  const ends = bars.map(({ to }) => to);
  for (const row of [...waiting].sort((a, b) => Number(a.start_ms) - Number(b.start_ms))) {
    const least = ends.length ? Math.min(...ends) : 0;
    const track = ends.length < cap && least > 0 ? ends.length : Math.max(0, ends.indexOf(least));
    // forecasts may overlap by a little; bars do not
    const from = Math.max(Number(row.start_ms) - passed, ends[track] ?? 0);
    const to = Math.max(from, Number(row.eta_ms) - passed);
    ends[track] = to;
    bars.push({ row, own: !!row.job, track, from, to });
  }
  return { bars, tracks: Math.max(1, ends.length), span: Math.max(SPAN_MS_MIN, ...ends) };
}

/** Moments to write under the time line, ms from now. @param {number} span */
export function ticksOf(span) {
  const fits = STEPS_S.find((s) => span / (1000 * s) < TICKS_MAX);
  const step = fits ? 1000 * fits : span / TICKS_MAX;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, i) => i * step);
}

/** @param {(number | null | undefined)[]} times */
const known = (times) => times.filter((time) => typeof time === 'number');
/** @param {(number | null | undefined)[]} times */
const first = (times) => (known(times).length ? Math.min(.../** @type {number[]} */ (known(times)))
  : null);
/** @param {(number | null | undefined)[]} times */
const last = (times) => (known(times).length ? Math.max(.../** @type {number[]} */ (known(times)))
  : null);

/** One's own jobs: those that run, those that wait in their order, those that are held.
 * @param {readonly Listed[]} listed @param {readonly Row[]} rows @returns {Own[]} */
export function ownOf(listed, rows) {
  const all = listed.map((one) => ownJob(one, rows.filter((row) =>
    row.job === one.job || row.parent === one.job))).filter((own) => own !== null);
  const order = { running: 0, queued: 1, held: 2 };
  return all.sort((a, b) => order[a.state] - order[b.state] || a.place - b.place
    || a.listed.created_ms - b.listed.created_ms);
}

/** Null: it is over, or the statistics do not tell of it yet. @param {Listed} listed
 * @param {Row[]} rows its own, or its cells' @returns {Own | null} */
function ownJob(listed, rows) {
  const running = rows.find((row) => row.state === 'running');
  const waiting = rows.filter((row) => row.state === 'queued')
    .sort((a, b) => Number(a.position) - Number(b.position));
  const held = listed.state === 'queued' && !rows.length && !listed.position;
  if (!rows.length && !held) return null;
  return { job: listed.job, listed, state: held ? 'held' : running ? 'running' : 'queued',
    place: running ? 0 : waiting[0]?.position ?? 0,
    start: running ? 0 : first(waiting.map((row) => row.start_ms)),
    end: last(rows.map((row) => row.eta_ms)),
    range: rows.length === 1 ? rows[0].eta_range_ms ?? null : null,
    why: held ? 'held' : running ? null : waiting[0]?.why ?? null,
    phase: rows.length === 1 ? running?.phase ?? null : null, overall: running?.overall ?? 0,
    lane: listed.spec.lane ?? 'normal' };
}

/** One's own jobs with the others between them. @param {readonly Own[]} own
 * @param {readonly Row[]} rows @returns {(Own | Others)[]} */
export function linesOf(own, rows) {
  /** @type {(Own | Others)[]} */ const lines = [];
  const left = new Set(own);
  /** @type {Others | null} */ let others = null;
  for (const row of rows) {
    const mine = own.find((one) => one.job === row.job || one.job === row.parent);
    if (mine && left.delete(mine)) {
      others = null;
      lines.push(mine);
    } else if (!mine) {
      if (!others || others.running !== (row.state === 'running')) {
        others = { others: 0, running: row.state === 'running', end: null };
        lines.push(others);
      }
      others.others += 1;
      others.end = last([others.end, row.eta_ms]);
    }
  }
  return [...lines, ...left];
}

/** The jobs that this one can change places with, itself included, in their order.
 * @param {readonly Own[]} own @param {Own} job @returns {Own[]} */
export function matesOf(own, job) {
  if (job.state !== 'queued' || job.listed.counts) return [];
  return own.filter((one) => one.state === 'queued' && !one.listed.counts && one.lane === job.lane
    && one.listed.user === job.listed.user);
}

/** What `reorder` is to be told so that the job is number `to` of its mates.
 * @param {readonly Own[]} mates @param {Own} job @param {number} to
 * @returns {{before: string | null} | null} null: it stands there */
export function moveTo(mates, job, to) {
  const at = mates.indexOf(job);
  const place = Math.max(0, Math.min(mates.length - 1, to));
  if (at < 0 || place === at) return null;
  const others = mates.filter((one) => one !== job);
  return { before: others[place]?.job ?? null };
}

/** What has to be asked for anew when it changes: which jobs there are, and in which state.
 * @param {{jobs?: readonly Row[], held?: number} | null} stats */
export function signature(stats) {
  const rows = (stats?.jobs ?? []).filter((row) => row.job);
  return `${stats?.held ?? 0} ${rows.map((row) => `${row.parent ?? row.job} ${row.state}`)
    .filter((word, i, all) => all.indexOf(word) === i).sort().join()}`;
}
