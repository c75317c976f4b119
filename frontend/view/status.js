// @ts-check
// status - the server's statistics: counts, jobs at a time, and a row for each job with its time.

import { remaining } from '../state.js';
import { capWords } from './cap.js';
import { Bar, attribute, byId, el, put, quote, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

const ROWS_MAX = 8;
const KINDS = /** @type {const} */ (['running', 'waiting', 'done', 'failed']);

export class Status {
  constructor() {
    this.counts = byId('counts');
    this.traffic = byId('traffic');
    this.line = byId('status-line');
    this.short = byId('status-short');
    this.foot = byId('status-foot');
    this.numbers = Object.fromEntries(KINDS.map((kind) =>
      [kind, { term: el('dt'), number: el('dd', { text: '–' }) }]));
    for (const kind of KINDS) {
      const { term, number } = this.numbers[kind];
      this.counts.append(el('div', { data: { kind } }, term, number));
    }
    /** @type {Row[]} */ this.rows = [];
    this.more = el('li', { class: 'more' });
  }

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    const { stats, hello } = state;
    const cap = stats?.cap ?? hello?.concurrency?.cap;
    put(this.line, cap ? text.say('status.queue', { n: cap }) : '');
    put(this.short,
      stats ? text.say('status.summary', { running: stats.running, waiting: stats.queued }) : '');
    const numbers = { running: stats?.running, waiting: stats?.queued, done: stats?.done,
      failed: stats?.failed };
    for (const kind of KINDS) {
      const { term, number } = this.numbers[kind];
      put(term, text.say(`status.${kind}`));
      put(number, numbers[kind] === undefined ? '–' : text.number.format(numbers[kind]));
      /** @type {HTMLElement} */ (number.parentElement).dataset.some =
        String((numbers[kind] ?? 0) > 0);
    }
    attribute(this.line, 'title', capWords(stats ?? hello?.concurrency, text) || null);
    this.#list(state, text, now);
    put(this.foot, footWords(state, text));
  }

  /** @param {number} now */
  tick(now) {
    for (const row of this.rows) row.tick(now);
  }

  /** @param {State} state @param {Text} text @param {number} now */
  #list({ stats, jobs }, text, now) {
    const shown = (stats?.jobs ?? []).slice(0, ROWS_MAX);
    const names = new Map(jobs.map((job) => [job.id, job.spec.prompt]));
    while (this.rows.length > shown.length) this.rows.pop()?.element.remove();
    while (this.rows.length < shown.length) {
      const row = new Row();
      this.rows.push(row);
      this.traffic.append(row.element);
    }
    shown.forEach((/** @type {any} */ job, /** @type {number} */ i) =>
      this.rows[i].update(job, names.get(job.job) ?? null, text, /** @type {any} */ (stats).at,
        now));
    const rest = (stats ? stats.running + stats.queued : 0) - shown.length;
    put(this.more, rest > 0 ? text.say('status.more', { n: rest }) : '');
    if (rest > 0) this.traffic.append(this.more);
    else this.more.remove();
    show(this.traffic, shown.length > 0);
  }
}

/** One running or waiting job. */
class Row {
  constructor() {
    this.mark = el('span', { class: 'mark' });
    this.who = el('span', { class: 'who' });
    this.time = el('span', { class: 'time' });
    this.bar = new Bar('thin');
    this.element = el('li', {}, this.mark, this.who, this.time, this.bar.element);
    /** @type {import('../state.js').Due | null} */ this.due = null;
    /** @type {Text | null} */ this.text = null;
  }

  /** @param {any} job a row of stats @param {string | null} prompt when it is a job of this page
   * @param {Text} text @param {number} at @param {number} now */
  update(job, prompt, text, at, now) {
    const running = job.state === 'running';
    this.text = text;
    this.due = typeof job.eta_ms === 'number' ? { ms: job.eta_ms, at } : null;
    this.element.dataset.kind = job.state;
    const size = text.say('params.size', { width: String(job.width), height: String(job.height) });
    put(this.mark, running ? text.percent(job.overall ?? 0) : text.place(job.position));
    if (prompt !== null) quote(this.who, prompt);
    else put(this.who, text.say('status.other', { size }));
    this.who.classList.toggle('other', prompt === null);
    show(this.bar.element, running);
    this.bar.set(job.overall ?? 0);
    this.tick(now);
  }

  /** @param {number} now */
  tick(now) {
    put(this.time, this.due && this.text ? this.text.about(remaining(this.due, now)) : '');
  }
}

/** @param {State} state @param {Text} text */
function footWords({ stats, connection }, text) {
  if (connection.state !== 'open') return connection.ever ? text.say('status.unknown') : '';
  return stats && stats.running + stats.queued === 0 ? text.say('status.idle') : '';
}
