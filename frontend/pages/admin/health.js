// @ts-check
// health - whether the server is ready, what it lacks, and what it is.

import { capMessages, capWords } from '../../view/cap.js';
import { el, put, show } from '../../view/dom.js';
import { Part } from './part.js';

/** @typedef {import('../../pages.js').Host} Host */

const ROWS = /** @type {const} */ (['ready', 'version', 'model', 'device', 'cap', 'rates',
  'totals']);

export class Health extends Part {
  /** @param {Host} host */
  constructor(host) {
    super(host, 'health');
    /** @type {any} */ this.ready = null;
    this.rows = Object.fromEntries(ROWS.map((row) =>
      [row, { term: this.words('dt', `admin.health.${row}`), value: el('dd') }]));
    this.said = el('p', { class: 'help', lang: 'en' }); // of what fails, as it was logged
    this.body.append(el('dl', { class: 'admin-facts' }, ...ROWS.map((row) =>
      el('div', { data: { row } }, this.rows[row].term, this.rows[row].value))), this.said);
  }

  async ask() {
    try {
      const answer = await fetch(new URL('readyz', document.baseURI), { cache: 'no-store' });
      this.ready = await answer.json();
    } catch {
      this.ready = null;
    }
    this.redraw();
  }

  /** @param {import('../../state.js').State} state
   * @param {import('../../i18n/text.js').Text} text */
  draw({ hello, stats }, text) {
    const { ready } = this;
    const number = (/** @type {unknown} */ n) =>
      (typeof n === 'number' ? text.number.format(Math.round(n * 10) / 10) : '–');
    const rates = stats?.rates ?? {};
    const values = {
      ready: ready?.ok ? text.say('admin.health.ok')
        : (ready?.lacks ?? ['unreachable']).map((/** @type {string} */ lack) =>
          text.say(`admin.lacks.${lack}`)).join(' '),
      version: hello?.version ?? '–',
      model: hello ? `${hello.model?.name} (${hello.model?.dtype})` : '–',
      device: hello?.model?.device ?? '–',
      cap: stats ? text.say('admin.health.cap.value', { n: stats.cap, why: capWords(stats, text) })
        : '–',
      rates: text.say('admin.health.rates.value', { tokens: number(rates.tokens_per_s),
        steps: number(rates.steps_per_s), pictures: number(rates.pictures_per_min) }),
      totals: text.say('admin.health.totals.value', { done: number(stats?.done),
        failed: number(stats?.failed), cancelled: number(stats?.cancelled) }),
    };
    for (const row of ROWS) put(this.rows[row].value, values[row]);
    put(this.said, [stats?.disk ?? '', capMessages(stats)].filter((one) => one).join(' · '));
    show(this.said, this.said.textContent !== '');
    this.element.dataset.ok = String(!!ready?.ok);
  }
}
