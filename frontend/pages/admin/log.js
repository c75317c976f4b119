// @ts-check
// log - the newest lines of the server's log, followed while the page is shown.

import { el, put, show } from '../../view/dom.js';
import { addLines } from './model.js';
import { Part } from './part.js';

/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('./model.js').Line} Line */

const NEAR_PX = 24; // scrolled to the end, or nearly

export class Log extends Part {
  /** @param {Host} host */
  constructor(host) {
    super(host, 'log');
    /** @type {Line[]} */ this.lines = [];
    this.list = el('ol', { lang: 'en' });
    this.box = el('div', { class: 'admin-lines', tabindex: '0', role: 'log' }, this.list);
    this.none = this.words('p', 'admin.log.none', { class: 'admin-none' });
    this.body.append(this.box, this.none);
    this.shown = this.lines;
  }

  async ask() {
    const seq = this.lines.at(-1)?.seq ?? 0;
    let answer = await this.send({ type: 'log', seq, limit: 200 });
    // a server that was started again counts from 1
    if (answer && !answer.lines.length && seq) {
      const newest = await this.send({ type: 'log', limit: 1 });
      if (newest && (newest.lines.at(-1)?.seq ?? 0) < seq) {
        answer = await this.send({ type: 'log', limit: 200 });
      }
    }
    if (!answer) return;
    this.lines = addLines(this.lines, answer.lines);
    this.redraw();
  }

  /** @param {import('../../state.js').State} _ @param {import('../../i18n/text.js').Text} text */
  draw(_, text) {
    this.box.setAttribute('aria-label', text.say('admin.log'));
    show(this.none, !this.lines.length);
    show(this.box, this.lines.length > 0);
    if (this.shown === this.lines) return;
    this.shown = this.lines;
    const atEnd = this.box.scrollTop + this.box.clientHeight > this.box.scrollHeight - NEAR_PX;
    const clock = new Intl.DateTimeFormat(text.tag, { timeStyle: 'medium' });
    const had = new Set(Array.from(this.list.children, (li) =>
      /** @type {HTMLElement} */ (li).dataset.seq));
    if (this.lines.length && !had.has(String(this.lines[0].seq))) this.list.replaceChildren();
    for (const line of this.lines) {
      if (this.list.children.length && had.has(String(line.seq))) continue;
      const time = el('time', {});
      put(time, clock.format(line.time_ms));
      this.list.append(el('li', { data: { seq: String(line.seq), level: line.level } }, time,
        el('b', { text: line.level }), el('span', { text: line.text })));
    }
    if (atEnd) this.box.scrollTop = this.box.scrollHeight;
  }
}
