// @ts-check
// queue - what runs and waits, of all users: whose, how far, why; cancel one, pause all.

import { el, put, show } from '../../view/dom.js';
import { Part, labelCells, table } from './part.js';

/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../i18n/text.js').Text} Text */

const COLUMNS = /** @type {const} */ (['place', 'user', 'size', 'time', 'why', 'act']);

export class Queue extends Part {
  /** @param {Host} host */
  constructor(host) {
    super(host, 'queue');
    this.table = table(COLUMNS.length);
    /** By the job's id. @type {Map<string, Row>} */ this.rows = new Map();
    this.none = this.words('p', 'admin.queue.none', { class: 'admin-none' });
    this.more = el('p', { class: 'admin-none' });
    this.paused = this.words('p', 'admin.queue.paused', { class: 'warning' });
    this.body.append(el('div', { class: 'admin-acts' },
      this.button('admin.pause', () => this.send({ type: 'pause' }, 'admin.paused')),
      this.button('admin.resume', () => this.send({ type: 'resume' }, 'admin.resumed'))),
    this.paused, this.table.element, this.none, this.more);
  }

  /** @param {import('../../state.js').State} state @param {Text} text */
  draw({ stats, hello }, text) {
    const jobs = (stats?.jobs ?? []).filter((/** @type {any} */ job) => job.job);
    put(this.table.caption, text.say('admin.queue'));
    this.table.element.setAttribute('aria-label', text.say('admin.queue'));
    COLUMNS.forEach((column, i) => put(this.table.heads[i], text.say(`admin.queue.${column}`)));
    const kept = new Set(jobs.map((/** @type {any} */ job) => job.job));
    for (const [id, row] of this.rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    let place = this.table.body.firstElementChild;
    for (const job of jobs) {
      const row = this.#row(job.job);
      if (row.element !== place) this.table.body.insertBefore(row.element, place);
      else place = place.nextElementSibling;
      row.update(job, text, hello?.user?.name ?? '');
    }
    labelCells(this.table);
    this.table.element.dataset.users = String(!!hello?.user);
    show(this.table.element, jobs.length > 0);
    show(this.none, jobs.length === 0);
    show(this.paused, jobs.some((/** @type {any} */ job) => job.why === 'paused'));
    put(this.more, stats?.more ? text.say('status.more', { n: stats.more }) : '');
    show(this.more, !!stats?.more);
  }

  /** @param {string} id */
  #row(id) {
    const row = this.rows.get(id) ?? new Row(() => this.send({ type: 'cancel', job: id }));
    this.rows.set(id, row);
    return row;
  }
}

class Row {
  /** @param {() => void} cancel */
  constructor(cancel) {
    this.cells = COLUMNS.map(() => el('td'));
    this.cancel = el('button', { type: 'button', class: 'quiet', on: { click: cancel } });
    this.cells[5].append(this.cancel);
    this.element = el('tr', {}, ...this.cells);
  }

  /** @param {any} job @param {Text} text @param {string} me */
  update(job, text, me) {
    const running = job.state === 'running';
    const size = text.say('params.size', { width: String(job.width), height: String(job.height) });
    const words = [running ? text.percent(job.overall ?? 0) : text.place(job.position),
      job.user || me || '–', size,
      typeof job.eta_ms === 'number' ? text.about(job.eta_ms) : text.say('card.unknown'),
      running || !job.why ? '' : text.say(`admin.why.${job.why}`)];
    words.forEach((word, i) => put(this.cells[i], word));
    this.element.dataset.kind = job.state;
    put(this.cancel, text.say('act.cancel'));
    this.cancel.setAttribute('aria-label', text.say('admin.queue.cancel',
      { place: words[0], user: words[1] }));
  }
}
