// @ts-check
// timeline - draws the queue as bars over time: one's own with their names, others' without.

import { attribute, el, put, show } from '../../view/dom.js';
import { barsOf, ticksOf } from './line.js';

/** @typedef {import('../../state.js').State} State */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('./line.js').Row} Row */

export class Line {
  constructor() {
    this.words = el('p', { class: 'line-words' });
    this.bars = el('div', { class: 'line-bars' });
    this.ticks = el('div', { class: 'line-ticks' });
    this.picture = el('div', { class: 'line-picture', 'aria-hidden': 'true' }, this.bars,
      this.ticks);
    this.legend = { mine: el('span', { class: 'line-mine' }),
      others: el('span', { class: 'line-others' }) };
    this.heading = el('h3', { class: 'sr', id: 'line-title' });
    this.keys = el('p', { class: 'line-legend', 'aria-hidden': 'true' }, this.legend.mine,
      this.legend.others);
    this.element = el('section', { class: 'line', 'aria-labelledby': 'line-title' }, this.heading,
      this.words, this.picture, this.keys);
    /** @type {HTMLElement[]} */ this.elements = [];
    /** @type {{rows: Row[], cap: number, at: number} | null} */ this.shown = null;
    /** @type {Text | null} */ this.text = null;
    this.drawnTicks = '';
  }

  /** @param {State} state @param {Text} text @param {number} now
   * @param {(row: Row) => string | null} name of a job of one's own */
  update({ stats, connection, hello }, text, now, name) {
    const rows = /** @type {Row[]} */ (stats?.jobs ?? []);
    this.text = text;
    this.name = name;
    put(this.heading, text.say('queue.line'));
    put(this.legend.mine, text.say('queue.mine'));
    put(this.legend.others, text.say('queue.others'));
    this.shown = stats ? { rows, cap: stats.cap ?? hello?.concurrency?.cap ?? 1, at: stats.at }
      : null;
    put(this.words, lineWords(stats, connection.state === 'open', text));
    show(this.picture, rows.length > 0);
    show(this.keys, rows.length > 0);
    this.tick(now);
  }

  /** @param {number} now */
  tick(now) {
    const { shown, text } = this;
    if (!shown || !text) return;
    const { bars, tracks, span } = barsOf(shown.rows, shown.cap, now - shown.at);
    this.bars.style.height = `calc(${tracks} * var(--track))`;
    while (this.elements.length > bars.length) this.elements.pop()?.remove();
    while (this.elements.length < bars.length) {
      this.elements.push(el('div', { class: 'line-bar' }, el('span')));
      this.bars.append(/** @type {HTMLElement} */ (this.elements.at(-1)));
    }
    bars.forEach((bar, i) => {
      const element = this.elements[i];
      const own = bar.own ? this.name?.(bar.row) ?? '' : '';
      element.dataset.own = String(bar.own);
      element.dataset.state = bar.row.state;
      element.style.left = `${(100 * bar.from / span).toFixed(2)}%`;
      element.style.width = `${(100 * (bar.to - bar.from) / span).toFixed(2)}%`;
      element.style.top = `calc(${bar.track} * var(--track))`;
      put(/** @type {Element} */ (element.firstElementChild), own);
      attribute(element, 'title', own || null);
    });
    this.#ticks(span, text);
  }

  /** @param {number} span @param {Text} text */
  #ticks(span, text) {
    const moments = ticksOf(span);
    const key = `${text.lang} ${moments.join()}`;
    if (key !== this.drawnTicks) {
      this.drawnTicks = key;
      this.ticks.replaceChildren(...moments.map((ms) =>
        el('span', {}, el('b', { text: tickWords(ms, text) }))));
    }
    [...this.ticks.children].forEach((tick, i) => {
      /** @type {HTMLElement} */ (tick).style.left = `${(100 * moments[i] / span).toFixed(2)}%`;
    });
  }
}

/** @param {number} ms @param {Text} text */
function tickWords(ms, text) {
  if (ms === 0) return text.say('queue.now');
  const s = ms / 1000;
  if (s < 60) return text.say('queue.time.s', { s });
  const [m, rest] = [Math.floor(s / 60), s % 60];
  if (m >= 60) return text.say('queue.time.h', { h: Math.floor(m / 60), m: m % 60 });
  return rest ? text.say('queue.time.min.s', { m, s: rest }) : text.say('queue.time.min', { m });
}

/** @param {any} stats @param {boolean} connected @param {Text} text */
function lineWords(stats, connected, text) {
  if (!stats || !connected) return connected ? '' : text.say('queue.line.away');
  const values = { running: stats.running, waiting: stats.queued };
  if (stats.running + stats.queued === 0) return text.say('queue.line.idle');
  const ends = stats.jobs.map((/** @type {Row} */ row) => row.eta_ms);
  if (!ends.length || ends.some((/** @type {any} */ end) => typeof end !== 'number')) {
    return text.say('queue.line.unknown', values);
  }
  return text.say('queue.line.words', { ...values, time: text.about(Math.max(...ends)) });
}
