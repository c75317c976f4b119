// @ts-check
// comparing - two to four pictures beside one another, or two under a slider, with one zoom for all
// and the parameters that differ.

import { attribute, button, el, pictureUrl, put, quote, show } from '../../view/dom.js';
import { compared } from './facts.js';
import { WHOLE, dragged, keyed, legal, pinched, transformOf, zoomed } from './zoom.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../i18n/text.js').Text} Text */

export const COMPARED_MAX = 4;
const WHEEL = 0.0016; // of a factor's logarithm, for one pixel
const LETTERS = 'ABCD';

export class Comparison {
  /** @param {{text: () => Text, leave: () => void, swap: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    /** @type {Row[]} */ this.rows = [];
    /** @type {import('./zoom.js').View} */ this.view = WHOLE;
    this.sliding = false;
    /** @type {Map<number, [number, number]>} */ this.fingers = new Map();
    this.title = el('h2', { class: 'page-title', tabindex: '-1' });
    this.back = button('back', () => acts.leave());
    this.mode = button(null, () => this.#slide(!this.sliding));
    this.swap = button('again', () => acts.swap());
    this.out = button(null, () => this.#zoom(1 / 1.5), 'zoomer');
    this.in = button(null, () => this.#zoom(1.5), 'zoomer');
    this.whole = button(null, () => this.#set(WHOLE));
    this.panes = el('div', { class: 'panes', role: 'group', tabindex: '0' });
    this.slider = el('input', { type: 'range', class: 'compare-slider', min: '0', max: '100',
      value: '50', step: '0.5', on: { input: () => this.#cut() } });
    this.help = el('p', { class: 'compare-help' });
    this.table = el('table', { class: 'compare-table' });
    this.scale = el('output', { class: 'compare-scale' });
    this.element = el('div', { class: 'compare', hidden: '' },
      el('div', { class: 'gallery-head' }, this.back.element, this.title,
        el('div', { class: 'compare-tools' }, this.mode.element, this.swap.element,
          this.out.element, this.scale, this.in.element, this.whole.element)),
      this.panes, this.slider, this.help, el('div', { class: 'compare-scroll', tabindex: '0',
        role: 'region' }, this.table));
    /** @type {HTMLImageElement[]} */ this.images = [];
    this.#listen();
  }

  #listen() {
    const { panes } = this;
    panes.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const view = keyed(this.view, event.key);
      if (!view) return;
      event.preventDefault();
      this.#set(view);
    });
    panes.addEventListener('wheel', (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
      this.#set(zoomed(this.view, Math.exp(-pixels * WHEEL * (event.ctrlKey ? 4 : 1)),
        ...this.#share(event)));
    }, { passive: false });
    panes.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      panes.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, this.#share(event));
    });
    panes.addEventListener('pointermove', (event) => this.#drag(event));
    for (const type of ['pointerup', 'pointercancel']) {
      panes.addEventListener(type, (event) =>
        this.fingers.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
    panes.addEventListener('dblclick', (event) => this.#set(this.view.scale > 1 ? WHOLE
      : zoomed(this.view, 3, ...this.#share(event))));
  }

  /** Where in its picture an event is, 0 to 1. @param {MouseEvent} event
   * @returns {[number, number]} */
  #share(event) {
    const at = document.elementsFromPoint(event.clientX, event.clientY)
      .find((one) => one.classList.contains('pane'));
    const box = (at ?? this.images[0]?.parentElement ?? this.panes).getBoundingClientRect();
    return [(event.clientX - box.left) / Math.max(1, box.width),
      (event.clientY - box.top) / Math.max(1, box.height)];
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = this.#share(event);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, now);
    this.#set(other ? pinched(this.view, [before, other], [now, other])
      : dragged(this.view, now[0] - before[0], now[1] - before[1]));
  }

  /** @param {number} by */
  #zoom(by) {
    this.#set(zoomed(this.view, by));
  }

  /** @param {import('./zoom.js').View} view */
  #set(view) {
    this.view = legal(view);
    for (const image of this.images) image.style.transform = transformOf(this.view);
    put(this.scale, this.acts.text().percents.format(this.view.scale));
  }

  /** @param {boolean} on */
  #slide(on) {
    this.sliding = on && this.rows.length === 2;
    this.#arrange();
    this.update();
  }

  /** Where the second picture begins under the slider. */
  #cut() {
    const second = this.images[1]?.parentElement;
    if (second) {
      second.style.clipPath = this.sliding ? `inset(0 0 0 ${this.slider.value}%)` : '';
    }
    this.panes.style.setProperty('--cut', `${this.slider.value}%`);
  }

  #arrange() {
    this.panes.dataset.mode = this.sliding ? 'slider' : 'side';
    this.panes.dataset.n = String(this.rows.length);
    show(this.slider, this.sliding);
    show(this.mode.element, this.rows.length === 2);
    show(this.swap.element, this.rows.length === 2);
    this.#cut();
  }

  /** @param {readonly Row[]} rows 2 to COMPARED_MAX */
  open(rows) {
    const same = rows.map(({ job }) => job).join() === this.rows.map(({ job }) => job).join();
    this.rows = [...rows];
    if (!same) {
      this.images = rows.map(({ result, spec }) => el('img', { src: pictureUrl(result.url),
        alt: spec.prompt, draggable: 'false', width: String(result.width),
        height: String(result.height) }));
      const { width, height } = rows[0].result;
      this.panes.style.setProperty('--shape', `${width} / ${height}`);
      this.panes.replaceChildren(...this.images.map((image, i) => el('figure', { class: 'pane' },
        image, el('figcaption', { class: 'pane-name', text: LETTERS[i] }))));
      this.sliding = false;
      this.#set(WHOLE);
    }
    this.#arrange();
    this.update();
  }

  /** The language has changed, or the rows. */
  update() {
    const text = this.acts.text();
    put(this.title, text.say('gallery.compare', { n: this.rows.length }));
    put(this.back.label, text.say('gallery.compare.back'));
    put(this.mode.label, text.say(this.sliding ? 'gallery.compare.side'
      : 'gallery.compare.slider'));
    put(this.swap.label, text.say('gallery.compare.swap'));
    put(this.out.label, '−');
    put(this.in.label, '+');
    put(this.whole.label, text.say('gallery.compare.whole'));
    attribute(this.out.element, 'aria-label', text.say('gallery.compare.out'));
    attribute(this.in.element, 'aria-label', text.say('gallery.compare.in'));
    attribute(this.slider, 'aria-label', text.say('gallery.compare.cut'));
    attribute(this.panes, 'aria-label', text.say('gallery.compare.panes'));
    attribute(/** @type {Element} */ (this.table.parentElement), 'aria-label',
      text.say('gallery.compare.table'));
    put(this.help, text.say('gallery.compare.help'));
    put(this.scale, text.percents.format(this.view.scale));
    this.#tabulate(text);
  }

  /** @param {Text} text */
  #tabulate(text) {
    const lines = compared(this.rows, text);
    const head = el('tr', {}, el('td'), ...this.rows.map((_, i) =>
      el('th', { scope: 'col', text: LETTERS[i] })));
    const body = lines.map(({ name, values, differs }) => {
      const cells = values.map((value) => {
        const cell = el('td');
        const words = differs ? el('mark') : el('span');
        if (name === 'prompt') quote(words, value ?? '');
        else put(words, value ?? '–');
        cell.append(words);
        return cell;
      });
      const title = el('th', { scope: 'row', text: text.say(`gallery.fact.${name}`) });
      const differing = ` (${text.say('gallery.differs')})`;
      if (differs) title.append(el('span', { class: 'sr', text: differing }));
      return el('tr', differs ? { class: 'differs' } : {}, title, ...cells);
    });
    const caption = text.say('gallery.compare.table');
    this.table.replaceChildren(el('caption', { class: 'sr', text: caption }),
      el('thead', {}, head), el('tbody', {}, ...body));
  }
}
