// @ts-check
// state - the page's copy of its jobs: a pure function (state, action) -> state. No DOM, socket,
// clock.
//
// A time that counts down is stored as {ms, at}: `ms` after the moment `at` of the page's clock.

import { ORDER } from './wire.js';

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {{prompt: string, width?: number, height?: number, steps?: number, guidance?: number,
 * seed?: number, noise_seed?: number, lane?: string, prior_from?: string,
 * images?: string[]}} Spec */
/** What is asked for besides the spec.
 * @typedef {import('./sweep.js').Several & {private?: boolean, fresh?: boolean}} More */
/** @typedef {{code: string, message?: string, hint?: string, field?: string,
 * retry_after_ms?: number, values?: Record<string, string | number>}} Failure */
/** @typedef {{ms: number, at: number}} Due */
/** @typedef {{url: string, digest: string, width: number, height: number, seed: number,
 * seconds: number}} Result */
/** sending: not accepted yet. refused: by an error message. lost: the server does not know the id.
 * @typedef {'sending' | 'refused' | 'queued' | 'running' | 'done' | 'failed' | 'cancelled' |
 * 'lost'} JobState */

/** An image of a picture that is being drawn; the page makes a Blob of it when it is shown.
 * @typedef {{image: Blob | Uint8Array, seq: number, phase: string, mime?: string}} Preview */

/** One picture of a sweep. @typedef {Object} Cell
 * @property {string} id @property {number} seq
 * @property {JobState} state @property {string | null} phase @property {number} overall
 * @property {Preview | null} preview @property {Result | null} result
 * @property {Failure | null} error */

/** One picture of this page, or one sweep. @typedef {Object} Job
 * @property {string} key chosen by this page; the server accepts it once
 * @property {string | null} id chosen by the server
 * @property {number} seq greatest sequence number seen
 * @property {Spec} asked as it was submitted; sent again with the same key
 * @property {More} more the same
 * @property {import('./sweep.js').Axes | null} sweep its fields and values; null: one picture, or
 *   not accepted yet
 * @property {readonly Cell[]} cells of a sweep
 * @property {boolean} cached the server had the picture already
 * @property {Spec} spec with the server's defaults and seed, once accepted
 * @property {number} created Unix time, ms
 * @property {JobState} state
 * @property {{position: number, ahead: number, why: string, range: [number, number] | null} | null}
 * queue
 * @property {Due | null} due until the result
 * @property {string | null} phase
 * @property {string | null} waits why others are drawn before it goes on; null: it is drawn
 * @property {number} done @property {number} total quanta of the phase
 * @property {number} overall 0 .. 1
 * @property {Preview | null} preview
 * @property {Result | null} result
 * @property {Failure | null} error
 * @property {boolean} sent whether the submit may have reached the server
 * @property {boolean} cancelling */

/** @typedef {import('./diagnosis.js').Diagnosis} Diagnosis */
/** ever: whether it was open since the page was loaded.
 * @typedef {{state: 'connecting' | 'open' | 'waiting' | 'locked', retryAt: number, attempt: number,
 * ever: boolean, diagnosis: Diagnosis | null}} ConnectionState */
/** own: the server wrote the text itself. due: until what it announces.
 * @typedef {{kind: 'drain' | 'message' | 'quota' | 'removed', text: string, own: boolean,
 *   at_ms?: number,
 *   count?: number, due: Due | null}} Notice */
/** @typedef {{kind: 'back' | 'restarted' | 'stopping' | 'error' | 'cleared' | 'filled' | 'unread' |
 * 'dropped' | 'undrafted', n?: number, failure?: Failure, at: number}} News */
/** tokens: of the prompt, null: unknown; lettering: what of it will be written in the picture.
 * @typedef {{spec: Spec, position: number, due: Due | null, cells: number,
 *   tokens: number | null, lettering: string[]}} Quote */

/** @typedef {Object} State
 * @property {ConnectionState} connection
 * @property {Message | null} hello
 * @property {readonly Job[]} jobs newest first
 * @property {(Message & {at: number}) | null} stats
 * @property {Quote | null} quote
 * @property {Failure | null} unquoted why there is no quote
 * @property {readonly Notice[]} notices of the server that hold, one of a kind
 * @property {News | null} news the last event that the notice shows
 * @property {number} unsaved jobs that this browser does not store: a reload loses their cards */

export const TERMINAL = Object.freeze(new Set(['refused', 'done', 'failed', 'cancelled', 'lost']));

export const EMPTY = Object.freeze(/** @type {State} */ ({
  connection: { state: 'connecting', retryAt: 0, attempt: 0, ever: false, diagnosis: null },
  hello: null, jobs: [], stats: null, quote: null, unquoted: null, notices: [], news: null,
  unsaved: 0,
}));

/** A job that has just been submitted. @param {string} key @param {Spec} asked
 * @param {number} created @param {More} [more] @returns {Job} */
export function newJob(key, asked, created, more = {}) {
  return {
    key, id: null, seq: 0, asked, more, sweep: null, cells: [], cached: false, spec: asked,
    created, state: 'sending', queue: null, due: null,
    phase: null, waits: null,
    done: 0, total: 0, overall: 0, preview: null, result: null, error: null, sent: false,
    cancelling: false,
  };
}

/** @param {State} state @param {(job: Job) => boolean} which
 * @param {(job: Job) => Job} change @returns {State} */
function change(state, which, change) {
  let changed = false;
  const jobs = state.jobs.map((job) => {
    const next = which(job) ? change(job) : job;
    changed ||= next !== job;
    return next;
  });
  return changed ? { ...state, jobs } : state;
}

/** @param {string} id @returns {Cell} */
export function newCell(id) {
  return { id, seq: 0, state: 'queued', phase: null, overall: 0, preview: null, result: null,
    error: null };
}

/** Whether it asks for several pictures. @param {Job} job */
export function isSweep(job) {
  return job.sweep !== null || (job.more.n ?? 1) > 1 || job.more.sweep !== undefined;
}

/** A due time from the wire, null when unknown. @param {unknown} ms @param {number} at
 * @returns {Due | null} */
function due(ms, at) {
  return typeof ms === 'number' && Number.isFinite(ms) ? { ms, at } : null;
}

/** How each kind of event changes a job. `at` is the page's clock.
 * @type {Record<string, (job: Job, m: Message, at: number) => Job>} */
const EVENTS = {
  accepted: (job, m) => ({ ...job, id: m.job, spec: m.spec, created: m.created_ms ?? job.created,
    // a submit can be given up as unanswered before its answer comes
    state: ['sending', 'lost', 'refused'].includes(job.state) ? 'queued' : job.state,
    sweep: m.sweep ?? null, cached: m.cached === true,
    cells: job.cells.length ? job.cells : (m.cells ?? []).map(newCell), error: null }),
  // after a run began this means that the server was restarted and runs the job again
  queue: (job, m, at) => ({ ...resetRun(job), state: 'queued',
    queue: { position: m.position, ahead: m.ahead, why: m.why, range: m.eta_range_ms ?? null },
    due: steadyDue(job.due, due(m.eta_ms, at), at) }),
  phase: (job, m) =>
    ({ ...atPhase(job, m.phase), state: 'running', queue: null, phase: m.phase, waits: null,
    done: 0, total: m.total }),
  progress: (job, m, at) => {
    const run = atPhase(job, m.phase);
    return { ...run, state: 'running', queue: null, phase: m.phase ?? null, waits: m.why ?? null,
      done: m.done, total: m.total, overall: Math.max(run.overall, Math.min(1, m.overall)),
        due: steadyDue(run.due, due(m.eta_ms, at), at) };
  },
  preview: (job, m) => ({ ...job, preview: previewOf(m) }),
  cell: (job, m) => withCell(job, m.cell, (cell) => ({ ...cell, state: m.state,
    result: m.result ? resultOf(m.result) : cell.result, error: m.error ?? null,
    preview: m.state === 'running' ? cell.preview : null })),
  result: (job, m) => ({ ...job, overall: 1, due: null, result: resultOf(m) }),
  end: (job, m) =>
    ({ ...job, state: m.state, error: m.error ?? null, queue: null, due: null, cancelling: false,
    cells: m.cells ? endedCells(job.cells, m.cells) : job.cells,
    // a failed picture shows how far it came; a cancelled one is gone
    preview: m.state === 'failed' ? job.preview : null }),
};

/** @param {Message} m @returns {Preview} */
function previewOf({ image, seq, phase, mime }) {
  return /** @type {any} */ ({ image, seq, phase, mime });
}

/** @param {Message} m @returns {Result} */
function resultOf(m) {
  const { url, digest, width, height, seed, seconds } = /** @type {any} */ (m);
  return { url, digest, width, height, seed, seconds };
}

/** @param {Job} job @param {number} at @param {(cell: Cell) => Cell} change @returns {Job} */
function withCell(job, at, change) {
  if (!job.cells[at]) return job;
  return { ...job, cells: job.cells.map((cell, i) => (i === at ? change(cell) : cell)) };
}

/** The cells as the end of their sweep has them: a picture that no `cell` told of has its address
 * alone. @param {readonly Cell[]} cells @param {any[]} ended @returns {Cell[]} */
function endedCells(cells, ended) {
  return ended.map((row, i) => {
    const cell = cells[i] ?? newCell(row.job);
    const result = cell.result ?? (row.url ? { url: row.url, digest: '', width: 0, height: 0,
      seed: -1, seconds: 0 } : null);
    return { ...cell, state: row.state, result, preview: null };
  });
}

/** How the events of a cell, which is followed while it runs, change it.
 * @type {Record<string, (cell: Cell, m: Message) => Cell>} */
const CELL_EVENTS = {
  queue: (cell) => ({ ...cell, state: 'queued', phase: null }),
  phase: (cell, m) => ({ ...cell, state: 'running', phase: m.phase }),
  progress: (cell, m) => ({ ...cell, state: 'running', phase: m.phase,
    overall: Math.max(cell.overall, Math.min(1, m.overall)) }),
  preview: (cell, m) => ({ ...cell, preview: previewOf(m) }),
  result: (cell, m) => ({ ...cell, overall: 1, result: resultOf(m) }),
  end: (cell, m) => ({ ...cell, state: m.state, error: m.error ?? null, preview: null }),
};

/** @param {State} state @param {Message} m @returns {State} */
function cellEvent(state, m) {
  const turn = CELL_EVENTS[m.type];
  if (!turn) return state;
  return change(state, (job) => job.cells.some((cell) => cell.id === m.job),
    (job) => withCell(job, job.cells.findIndex((cell) => cell.id === m.job), (cell) =>
      (m.seq <= cell.seq || TERMINAL.has(cell.state) ? cell : { ...turn(cell, m), seq: m.seq })));
}

/** The job without the progress of its run. @param {Job} job @returns {Job} */
function resetRun(job) {
  return { ...job, phase: null, waits: null, done: 0, total: 0, overall: 0, preview: null };
}

/** The job at the start of `phase`: reset when that phase comes before the present one, because
 * then the run was started again.
 * @param {Job} job @param {string} phase @returns {Job} */
function atPhase(job, phase) {
  return job.phase && ORDER.indexOf(phase) < ORDER.indexOf(job.phase) ? resetRun(job) : job;
}

/** The estimate to show when a new one comes, without jitter: when the new end is later by at most
 * 0.8 s or 8 %, the countdown goes on as it was; every other estimate replaces the old one.
 * @param {Due | null} old @param {Due | null} fresh @param {number} at @returns {Due | null} */
export function steadyDue(old, fresh, at) {
  if (!old || !fresh) return fresh;
  const left = remaining(old, at);
  const later = fresh.ms - left;
  return left > 0 && later > 0 && later <= Math.max(800, left * 0.08) ? { ms: left, at } : fresh;
}

/** Unix time by the server's clock: this device's may be wrong. @param {State} state
 * @param {number} now ms of the page */
export function serverTime({ hello }, now) {
  return typeof hello?.time_ms === 'number' ? hello.time_ms + now - hello.at : Date.now();
}

/** Milliseconds left at `now`, never below 0. @param {Due} due @param {number} now */
export function remaining(due, now) {
  return Math.max(0, due.ms - (now - due.at));
}

/** Apply one event to its job; sequence numbers that were seen before are ignored.
 * @param {State} state @param {Message} m @param {number} at @returns {State} */
function event(state, m, at) {
  const mine = (/** @type {Job} */ job) => job.id === m.job
    || (m.type === 'accepted' && !!m.key && job.key === m.key);
  if (!state.jobs.some(mine)) return cellEvent(state, m);
  return change(state, mine, (job) => {
    if (m.type !== 'accepted' && m.seq <= job.seq) return job;
    if (m.type === 'accepted' && job.id && m.seq <= job.seq) return job;
    const next = TERMINAL.has(job.state) && job.state !== 'lost' && m.type !== 'accepted' ? job
      : EVENTS[m.type](job, m, at);
    return { ...next, seq: Math.max(job.seq, m.seq) };
  });
}

/** An error message: about one submit, one job, or the connection. @param {State} state
 * @param {Message} m @param {number} at
 * @returns {State} */
function failed(state, m, at) {
  const failure = { code: m.code, message: m.message, hint: m.hint, field: m.field,
    retry_after_ms: m.retry_after_ms };
  // the submit is sent again after the reconnect
  if (m.code === 'shutting_down') return { ...state, news: { kind: 'stopping', at } };
  if (m.re === 'submit' && m.ref) {
    return change(state, (job) => job.key === m.ref && job.state === 'sending',
      (job) => ({ ...job, state: 'refused', error: failure, cancelling: false }));
  }
  if (m.re === 'watch' && m.job && m.code === 'not_found') {
    return change(state, (job) => job.id === m.job && !TERMINAL.has(job.state),
      (job) => ({ ...job, state: 'lost', due: null, queue: null, cancelling: false }));
  }
  if (m.re === 'cancel' && m.job) {
    return change(state, (job) => job.id === m.job, (job) => ({ ...job, cancelling: false }));
  }
  if (m.re === 'quote') return { ...state, quote: null, unquoted: failure };
  return { ...state, news: { kind: 'error', failure, at } };
}

/** @param {State} state @param {Message} m @param {number} at @returns {State} */
function hello(state, m, at) {
  const before = state.hello;
  /** @type {News | null} */
  let news = null;
  if (before) news = { kind: before.boot_id === m.boot_id ? 'back' : 'restarted', at };
  return { ...state, hello: { ...m, at }, notices: noticesOf(m.notices, at, m.time_ms),
    news: news ?? state.news };
}

const NOTICES = Object.freeze(['drain', 'message', 'quota', 'removed']);

/** Those that this page knows, and that hold. The clock of this device may be wrong: what counts
 * is the server's. @param {any} list @param {number} at @param {number} [server] its Unix time now
 * @returns {Notice[]} */
function noticesOf(list, at, server) {
  return (Array.isArray(list) ? list : []).filter((one) =>
    NOTICES.includes(one?.kind) && typeof one.text === 'string')
    .map(({ kind, text, own, at_ms, in_ms, count }) => ({ kind, text, own: own === true, at_ms,
      count, due: due(in_ms ?? at_ms - Number(server), at) }));
}

/** Of each kind the newest holds; a text of null ends it. @param {State} state
 * @param {Message} m @param {number} at @returns {State} */
function notice(state, m, at) {
  const others = state.notices.filter(({ kind }) => kind !== m.kind);
  return { ...state, notices: [...others, ...noticesOf([m], at)] };
}

/** @param {State} state @param {Message} m @param {number} at @returns {State} */
function message(state, m, at) {
  if (Object.hasOwn(EVENTS, m.type)) return event(state, m, at);
  switch (m.type) {
    case 'hello': return hello(state, m, at);
    case 'stats': return { ...state, stats: { ...m, at } };
    case 'notice': return notice(state, m, at);
    case 'user': return { ...state, hello: state.hello && { ...state.hello, user: m.user } };
    case 'quote': return { ...state, unquoted: null,
      quote: { spec: m.spec, position: m.position, due: due(m.eta_ms, at), cells: m.cells ?? 1,
        tokens: m.tokens ?? null, lettering: m.lettering ?? [] } };
    case 'error': return failed(state, m, at);
    default: return state; // a kind that only newer servers send
  }
}

/** An action. @typedef {{do: 'message', message: Message, at: number}
 *  | {do: 'connection', connection: import('./wire.js').Connection}
 *  | {do: 'submit', job: Job} | {do: 'sent', key: string} | {do: 'again', key: string}
 *  | {do: 'refuse', key: string, error: Failure} | {do: 'adopt', jobs: readonly Job[]} |
 * {do: 'cancel', key: string}
 *  | {do: 'forget', keys: readonly string[], at: number} | {do: 'news', news: News | null}
 *  | {do: 'diagnosed', diagnosis: Diagnosis}
 *  | {do: 'unquote'} | {do: 'unsaved', n: number}} Action */

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  switch (action.do) {
    case 'message': return message(state, action.message, action.at);
    case 'connection': return connection(state, action.connection);
    case 'submit': return { ...state, jobs: [action.job, ...state.jobs] };
    case 'sent': return change(state, (job) => job.key === action.key && !job.sent,
      (job) => ({ ...job, sent: true }));
    case 'again': return change(state, (job) => job.key === action.key && job.state === 'refused',
      (job) => ({ ...job, state: 'sending', error: null, cancelling: false }));
    case 'refuse': return change(state, (job) => job.key === action.key && job.state === 'sending',
      (job) => ({ ...job, state: 'refused', error: action.error, cancelling: false }));
    case 'adopt': return adopt(state, action.jobs);
    case 'cancel': return change(state, (job) => job.key === action.key && !TERMINAL.has(job.state),
      (job) =>
        (job.sent ? { ...job, cancelling: true }
        : { ...job, state: 'cancelled', due: null, queue: null }));
    case 'forget': {
      const gone = new Set(action.keys);
      return { ...state, jobs: state.jobs.filter((job) => !gone.has(job.key)) };
    }
    case 'news': return { ...state, news: action.news };
    case 'diagnosed': return state.connection.state === 'open' ? state
      : { ...state, connection: { ...state.connection, diagnosis: action.diagnosis } };
    case 'unsaved': return state.unsaved === action.n ? state : { ...state, unsaved: action.n };
    case 'unquote': return state.quote || state.unquoted
      ? { ...state, quote: null, unquoted: null } : state;
  }
}

/** @param {State} state @param {import('./wire.js').Connection} to @returns {State} */
function connection(state, to) {
  const ever = state.connection.ever || to.state === 'open';
  const { retryAt, attempt } = to.state === 'waiting' ? to
    : { retryAt: 0, attempt: state.connection.attempt };
  const next = { ...state,
    connection: { state: to.state, retryAt, attempt: to.state === 'open' ? 0 : attempt, ever,
      diagnosis: to.state === 'open' ? null : state.connection.diagnosis } };
  // statistics and quotes are out of date without a connection
  return to.state === 'open' ? next : { ...next, stats: null, quote: null, unquoted: null };
}

/** Add jobs that this page does not have: from the storage, from another tab, or after "undo".
 * @param {State} state @param {readonly Job[]} jobs @returns {State} */
function adopt(state, jobs) {
  const known = new Set(state.jobs.map((job) => job.key));
  const fresh = jobs.filter((job) => !known.has(job.key));
  if (!fresh.length) return state;
  return { ...state, jobs: [...state.jobs, ...fresh].sort((a, b) => b.created - a.created) };
}
