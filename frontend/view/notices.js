// @ts-check
// notices - the place for notices at the bottom of every page: what holds for a while, each with
// what to do and a button that removes it, above the notice of the connection.

import { standing } from '../notices.js';
import { attribute, button, byId, el, put } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {import('../notices.js').Standing} Standing */

export class Notices {
  constructor() {
    this.box = byId('notices');
    this.list = byId('standing');
    /** @type {Map<string, {notice: Standing, element: HTMLElement, words: HTMLElement,
     *   todo: HTMLElement, close: ReturnType<typeof button>}>} */ this.shown = new Map();
    /** @type {Set<string>} */ this.dismissed = new Set();
    /** @type {State | null} */ this.state = null;
    /** @type {Text | null} */ this.text = null;
    // what sticks to the bottom of the window stands above the notices (style.css)
    new ResizeObserver(() => document.documentElement.style
      .setProperty('--notice', `${this.box.offsetHeight}px`)).observe(this.box);
  }

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    this.state = state;
    this.text = text;
    this.#settle();
    const all = standing(state);
    const ids = new Set(all.map(({ id }) => id));
    if (state.connection.state === 'open') { // one that comes again is another one
      for (const id of this.dismissed) if (!ids.has(id)) this.dismissed.delete(id);
    }
    const wanted = all.filter(({ id }) => !this.dismissed.has(id));
    for (const [id, { element }] of this.shown) {
      if (wanted.some((one) => one.id === id)) continue;
      element.remove();
      this.shown.delete(id);
    }
    let place = this.list.firstElementChild;
    for (const notice of wanted) {
      const row = this.shown.get(notice.id) ?? this.#add(notice);
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
      row.notice = notice;
      row.element.dataset.tone = notice.tone;
      put(row.todo, notice.todo(text));
      put(row.close.label, text.say('stand.close'));
    }
    this.tick(now);
  }

  /** Stand before what the page shows, so that Tab goes on there. */
  #settle() {
    const room = (document.documentElement.dataset.page ?? 'room') === 'room';
    const [home, before] = room ? [byId('pictures'), byId('unsaved')]
      : [byId('page'), byId('page').firstElementChild];
    if (this.box.parentElement !== home) home.insertBefore(this.box, before);
  }

  /** @param {number} now */
  tick(now) {
    const { text } = this;
    if (!text) return;
    for (const { notice, words, close } of this.shown.values()) {
      put(words, notice.words(text, now));
      attribute(close.element, 'aria-label', text.say('act.of', { name: text.say('stand.close'),
        prompt: words.textContent ?? '' }));
    }
  }

  /** @param {Standing} notice */
  #add(notice) {
    const words = el('span', { dir: 'auto' });
    const todo = el('span', { class: 'todo' });
    const close = button('close', () => this.#dismiss(notice.id), 'icon');
    const element = el('li', { class: 'notice', data: { kind: notice.id.split(' ')[0] } },
      el('p', {}, words, document.createTextNode(' '), todo), close.element);
    const row = { notice, element, words, todo, close };
    this.shown.set(notice.id, row);
    return row;
  }

  /** @param {string} id */
  #dismiss(id) {
    this.dismissed.add(id);
    const next = [...this.shown.values()].find((row) => row.notice.id !== id);
    if (this.state && this.text) this.update(this.state, this.text, performance.now());
    const main = document.querySelector('main:not([hidden])');
    (next?.close.element ?? /** @type {HTMLElement | null} */ (main))?.focus();
  }
}
