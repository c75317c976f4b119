// @ts-check
// session - the page's jobs on the server: submits, watches, resumes and stores them. No DOM.

import { promptFault, promptLimits } from './prompt.js';
import { EMPTY, TERMINAL, newJob, reduce } from './state.js';
import { parseObject, storedJob } from './stored.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Action} Action */
/** @typedef {import('./state.js').Job} Job */
/** @typedef {import('./state.js').Spec} Spec */
/** @typedef {import('./wire.js').Message} Message */

const PREFIX = 'darkroom.job.';
const KEPT_MAX = 200; // jobs that one browser stores
// a submit without an answer: is the connection alive, send it again, say that there is none
const PROBE_AFTER_MS = 2000;
const AGAIN_AFTER_MS = 10_000;
const SILENT_AFTER_MS = 30_000;
const PREVIEW = Object.freeze({ type: 'previews', every_ms: 80, max_px: 384, format: 'jpeg' });

/** Holds the state; calls every listener with (state, before) after each change. */
export class Store {
  constructor() {
    /** @type {State} */ this.state = EMPTY;
    /** @type {Set<(state: State, before: State) => void>} */ this.listeners = new Set();
  }

  /** @param {Action} action */
  dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    if (this.state !== before) for (const listen of this.listeners) listen(this.state, before);
  }
}

/** A random idempotency key; works without a secure context. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** What is stored of a job. @param {Job} job */
export function toRecord({ key, id, asked, more, sweep, cells, spec, created, state, result, error,
    sent, cancelling }) {
  const kept = cells.map((cell) => ({ id: cell.id, state: cell.state, result: cell.result }));
  return JSON.stringify({ key, id, asked, spec, created, state, result, error, sent, cancelling,
    ...(Object.keys(more).length ? { more } : {}), ...(sweep ? { sweep, cells: kept } : {}) });
}

export class Session {
  /** @param {{store: Store, storage: Storage | null, now: () => number, date?: () => number,
   *           send: (message: Message) => boolean, probe?: () => void}} env */
  constructor({ store, storage, now, date = Date.now, send, probe = () => {} }) {
    this.store = store;
    this.storage = storage;
    this.now = now;
    this.date = date;
    this.sendNow = send;
    this.probe = probe;
    /** Submits without an answer, by key: when they were sent on this connection, and what was
     * done about it. @type {Map<string, {at: number, probed: boolean, again: boolean}>} */
    this.unanswered = new Map();
    /** @type {Map<string, string>} */ this.saved = new Map(); // what is stored, by key
    store.listeners.add((state, before) => this.#remember(state, before));
    store.listeners.add((state, before) => this.#followCells(state, before));
  }

  /** Load the stored jobs, newest first; those over KEPT_MAX are removed. */
  load() {
    /** @type {Job[]} */ const jobs = [];
    let unread = 0;
    for (const [name, text] of this.#records()) {
      const job = storedJob(name.slice(PREFIX.length), text);
      if (job) {
        jobs.push(job);
        this.saved.set(job.key, text);
      } else {
        unread += 1;
        // another version may be able to read an object
        if (!parseObject(text)) this.storage?.removeItem(name);
      }
    }
    jobs.sort((a, b) => b.created - a.created);
    const old = jobs.splice(KEPT_MAX);
    for (const { key } of old) this.#erase(key);
    this.store.dispatch({ do: 'adopt', jobs });
    this.#news('unread', unread);
    this.#news('dropped', old.length);
  }

  /** Every stored record with its name. @returns {[string, string][]} */
  #records() {
    const { storage } = this;
    const names = Array.from({ length: storage?.length ?? 0 }, (_, i) => storage?.key(i) ?? '');
    return names.filter((name) => name.startsWith(PREFIX))
      .map((name) => [name, storage?.getItem(name) ?? '']);
  }

  /** @param {'unread' | 'dropped'} kind @param {number} n */
  #news(kind, n) {
    if (n) this.store.dispatch({ do: 'news', news: { kind, n, at: this.now() } });
  }

  /** Handle one message from the wire. @param {Message} message */
  receive(message) {
    this.store.dispatch({ do: 'message', message, at: this.now() });
    if (message.type === 'hello') this.#resume();
    if (message.type === 'accepted') this.#accepted(message);
  }

  /** Submit a job: at once, or as soon as the connection is open. @param {Spec} spec
   * @param {import('./state.js').More} [more] @returns {string} its key */
  submit(spec, more = {}) {
    const job = newJob(randomKey(), spec, this.date(), more);
    this.store.dispatch({ do: 'submit', job });
    this.#submit(job);
    return job.key;
  }

  /** Submit a job once more that was never answered: with the same key. @param {string} key */
  again(key) {
    this.store.dispatch({ do: 'again', key });
    const job = this.#job(key);
    if (job) this.#submit(job);
  }

  /** @param {string} key */
  cancel(key) {
    if (this.#job(key)?.cancelling) return;
    this.store.dispatch({ do: 'cancel', key });
    const job = this.#job(key);
    if (job?.id && job.cancelling) this.sendNow({ type: 'cancel', job: job.id });
  }

  /** Remove jobs from this page; the server keeps them. @param {readonly string[]} keys
   * @returns {Job[]} the removed jobs */
  forget(keys) {
    const gone = this.store.state.jobs.filter((job) => keys.includes(job.key));
    this.store.dispatch({ do: 'forget', keys, at: this.now() });
    return gone;
  }

  /** Add removed jobs again, or jobs that another tab stored. @param {readonly Job[]} jobs */
  adopt(jobs) {
    this.store.dispatch({ do: 'adopt', jobs });
    for (const job of jobs) this.#pursue(job);
  }

  /** Another tab changed the storage.
   * @param {{key: string | null, newValue: string | null}} event */
  storageChanged(event) {
    if (!event.key?.startsWith(PREFIX)) return;
    const key = event.key.slice(PREFIX.length);
    if (event.newValue === null) this.store.dispatch({ do: 'forget', keys: [key], at: this.now() });
    const job = event.newValue === null ? null : storedJob(key, event.newValue);
    // a job without an id is still being submitted by the other tab
    if (job?.id && !this.#job(key)) this.adopt([job]);
  }

  /** Ask for an estimate of place and time; the reply arrives in state.quote. False without a
   * connection. @param {Spec} spec @param {import('./sweep.js').Several} [several] */
  quote(spec, several = {}) {
    const sent = this.sendNow({ type: 'quote', ref: 'quote', spec, ...several });
    if (!sent) this.store.dispatch({ do: 'unquote' });
    return sent;
  }

  /** @param {string} key */
  #job(key) {
    return this.store.state.jobs.find((job) => job.key === key);
  }

  /** Called a few times a second: no submit stays without an answer for ever. */
  tick() {
    for (const [key, sent] of this.unanswered) {
      const job = this.#job(key);
      const open = this.store.state.connection.state === 'open';
      if (job?.state !== 'sending' || !open) this.unanswered.delete(key);
      else this.#remind(job, sent, this.now() - sent.at);
    }
  }

  /** @param {Job} job @param {{probed: boolean, again: boolean}} sent @param {number} age */
  #remind(job, sent, age) {
    if (age >= PROBE_AFTER_MS && !sent.probed) {
      sent.probed = true;
      this.probe();
    }
    if (age >= AGAIN_AFTER_MS && !sent.again) {
      sent.again = true;
      this.#send(job); // with the same key: the server makes it once
    }
    if (age < SILENT_AFTER_MS) return;
    this.store.dispatch({ do: 'refuse', key: job.key, error: { code: 'no_answer' } });
  }

  #resume() {
    this.sendNow({ ...PREVIEW });
    this.sendNow({ type: 'stats', on: true });
    for (const job of [...this.store.state.jobs].reverse()) this.#pursue(job);
  }

  /** @param {Job} job */
  #pursue(job) {
    if (job.state === 'sending') this.#submit(job);
    else this.#follow(job);
  }

  /** @param {Job} job */
  #submit(job) {
    const fault = promptFault(job.asked.prompt, promptLimits(this.store.state.hello));
    if (fault) {
      const error = { code: fault.code, values: fault.values };
      this.store.dispatch({ do: 'refuse', key: job.key, error });
      return;
    }
    if (!this.#send(job)) return;
    this.unanswered.set(job.key, { at: this.now(), probed: false, again: false });
    this.store.dispatch({ do: 'sent', key: job.key });
  }

  /** @param {Job} job */
  #send({ key, asked, more }) {
    return this.sendNow({ type: 'submit', ref: key, key, spec: asked, ...more });
  }

  /** @param {Job} job */
  #follow(job) {
    if (!job.id || TERMINAL.has(job.state)) return;
    this.sendNow({ type: 'watch', job: job.id, seq: job.seq });
    if (job.cancelling) this.sendNow({ type: 'cancel', job: job.id });
    for (const cell of job.cells) if (cell.state === 'running') this.#followCell(cell);
  }

  /** @param {import('./state.js').Cell} cell */
  #followCell({ id, seq }) {
    this.sendNow({ type: 'watch', job: id, seq });
  }

  /** Follow the cells of sweeps that run: for their previews. @param {State} state
   * @param {State} before */
  #followCells(state, before) {
    if (state.jobs === before.jobs || state.connection.state !== 'open') return;
    const old = new Map(before.jobs.map((job) => [job.key, job]));
    for (const job of state.jobs) {
      const was = old.get(job.key)?.cells;
      if (!job.cells.length || was === job.cells || TERMINAL.has(job.state)) continue;
      job.cells.forEach((cell, i) => {
        if (cell.state === 'running' && was?.[i]?.state !== 'running') this.#followCell(cell);
      });
    }
  }

  /** Send a cancel that was requested before the server had accepted the job.
   * @param {Message} message */
  #accepted(message) {
    const job = this.store.state.jobs.find((j) => j.id === message.job);
    if (job?.cancelling && message.ref) this.sendNow({ type: 'cancel', job: message.job });
  }

  /** @param {State} state @param {State} before */
  #remember(state, before) {
    if (state.jobs === before.jobs) return;
    const now = new Set(state.jobs.map((job) => job.key));
    const gone = before.jobs.filter((job) => !now.has(job.key));
    for (const job of gone) this.#erase(job.key);
    const old = new Set(before.jobs);
    // removed ones make room for those that were not stored
    for (const job of state.jobs) {
      if (!old.has(job) || (gone.length && !this.saved.has(job.key))) this.#save(job);
    }
    const n = state.jobs.filter((job) => !this.saved.has(job.key) && !job.more.private).length;
    this.store.dispatch({ do: 'unsaved', n });
  }

  /** @param {Job} job */
  #save(job) {
    const record = toRecord(job);
    // a private picture is not on a disk, and so not on this one either
    if (!this.storage || job.more.private || this.saved.get(job.key) === record) return;
    try {
      this.storage.setItem(PREFIX + job.key, record);
      this.saved.set(job.key, record);
    } catch {
      // storage is full or forbidden: an older record of the job stays, or it is unsaved
    }
  }

  /** @param {string} key */
  #erase(key) {
    this.saved.delete(key);
    try {
      this.storage?.removeItem(PREFIX + key);
    } catch {
      // forbidden
    }
  }
}
