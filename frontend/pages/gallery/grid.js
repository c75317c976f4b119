// @ts-check
// grid - thousands of pictures in a list box of which only the cells on view are in the page.
//
// The page scrolls, not the grid: its height is that of all rows. Cells are taken off one end and
// put on at the other. While the scroll is quick no picture is asked for: it would be gone before
// it came. The list box has the focus, whatever cells come and go, and names the active one.

import { attribute, brief, el, pictureUrl, put } from '../../view/dom.js';
import { gridOf, moved, placeOf, rangeOf } from './layout.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** What a grid needs of its page. @typedef {Object} Acts
 * @property {() => number} count
 * @property {(i: number) => Row | undefined} row
 * @property {(first: number, last: number) => void} want
 * @property {(i: number) => void} open
 * @property {(i: number, to: 'one' | 'range') => void} select
 * @property {() => void} selectAll
 * @property {() => boolean} clear the selection; false: there was none
 * @property {(i: number) => void} favourite
 * @property {(i: number) => void} remove
 * @property {(job: string) => boolean} selected
 * @property {(job: string) => boolean} going whether it is about to be deleted */

const QUICK = 1.2; // cells that one frame scrolls by, from which on pictures wait
const CALM_MS = 90; // without a scroll, until they are asked for

/** @param {Row} row */
export function thumbnailUrl({ result }) {
  return pictureUrl(result.url).replace(/^i\/([0-9a-f]+)\.png$/, 't/$1.jpg');
}

class Cell {
  /** @param {number} n */
  constructor(n) {
    this.check = el('span', { class: 'cell-check', 'aria-hidden': 'true' });
    this.mark = el('span', { class: 'cell-mark', 'aria-hidden': 'true', text: '♥' });
    this.element = el('div', { class: 'cell', role: 'option', id: `cell-${n}` }, this.check,
      this.mark);
    /** @type {HTMLImageElement | null} */ this.image = null;
    this.index = -1;
    this.shown = ''; // the digest of the picture in it
  }

  /** @param {number} i @param {import('./layout.js').Grid} grid */
  place(i, grid) {
    const { x, y } = placeOf(grid, i);
    this.index = i;
    this.element.style.transform = `translate(${x}px, ${y}px)`;
  }

  clear() {
    this.image?.remove();
    this.image = null;
    this.shown = '';
  }

  /** @param {Row | undefined} row @param {boolean} load also its picture */
  draw(row, load) {
    if (this.shown && this.shown !== row?.result.digest) this.clear();
    if (!row || this.shown || !load) return;
    this.shown = row.result.digest;
    const image = el('img', { alt: '', decoding: 'async', draggable: 'false' });
    image.addEventListener('error', () => {
      const whole = pictureUrl(row.result.url);
      if (image.getAttribute('src') !== whole) image.setAttribute('src', whole);
      else this.element.dataset.broken = 'true';
    });
    delete this.element.dataset.broken;
    image.setAttribute('src', thumbnailUrl(row));
    this.image = image;
    this.element.prepend(image);
  }
}

export class Grid {
  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
    this.element = el('div', { class: 'cells', role: 'listbox', tabindex: '0',
      'aria-multiselectable': 'true' });
    /** @type {Map<number, Cell>} */ this.cells = new Map();
    /** @type {Cell[]} */ this.spare = [];
    this.made = 0;
    this.active = -1;
    this.anchor = -1; // where a range begins
    this.grid = gridOf(1, 0);
    this.width = 0;
    this.shownCount = -1;
    /** @type {Text | null} */ this.text = null;
    this.frame = 0;
    this.calm = 0; // timer
    this.quick = false;
    this.lastTop = 0;
    this.scrolled = () => this.#soon();
    this.resized = () => this.draw();
    this.#listen();
  }

  /** The page is on view, or not any more. @param {boolean} on */
  live(on) {
    if (on) {
      addEventListener('scroll', this.scrolled, { passive: true });
      addEventListener('resize', this.resized);
      return;
    }
    removeEventListener('scroll', this.scrolled);
    removeEventListener('resize', this.resized);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.calm);
    this.frame = 0;
    this.quick = false;
  }

  #listen() {
    const { element } = this;
    element.addEventListener('keydown', (event) => this.#key(event));
    element.addEventListener('focus', () => {
      if (this.active < 0 && this.acts.count()) this.active = this.#first();
      this.draw();
    });
    element.addEventListener('blur', () => this.draw());
    element.addEventListener('click', (event) => {
      const cell = /** @type {HTMLElement} */ (event.target).closest('.cell');
      const i = [...this.cells].find(([, one]) => one.element === cell)?.[0];
      if (i === undefined) return;
      this.active = i;
      const marks = /** @type {HTMLElement} */ (event.target).classList.contains('cell-check');
      if (event.shiftKey) this.acts.select(i, 'range');
      else if (marks || event.ctrlKey || event.metaKey) this.acts.select(i, 'one');
      else this.acts.open(i);
    });
  }

  /** The first cell that is wholly on view. */
  #first() {
    const step = this.grid.cell + this.grid.gap;
    const hidden = this.#inset() - this.#top() - this.grid.cell / 4; // a little of it may be
    const row = Math.max(0, Math.ceil(hidden / step));
    return Math.min(this.acts.count() - 1, row * this.grid.columns);
  }

  #top() {
    return this.element.getBoundingClientRect().top;
  }

  /** Pixels at the window's top that something covers. */
  #inset() {
    const bar = document.querySelector('.page-gallery .gallery-bar');
    return Math.max(0, bar?.getBoundingClientRect().bottom ?? 0);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { acts } = this;
    const count = acts.count();
    if (event.altKey || !count) return;
    const at = this.active < 0 ? this.#first() : this.active;
    if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) acts.selectAll();
    else if (event.ctrlKey || event.metaKey) return;
    else if (event.key === 'Enter') acts.open(at);
    else if (event.key === ' ') acts.select(at, event.shiftKey ? 'range' : 'one');
    else if (event.key === 'f') acts.favourite(at);
    else if (event.key === 'Delete') acts.remove(at);
    else if (event.key === 'Escape') {
      if (!acts.clear()) return;
    } else if (!this.#move(event, at, count)) return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event @param {number} at @param {number} count */
  #move(event, at, count) {
    const step = this.grid.cell + this.grid.gap;
    const page = Math.floor((innerHeight - this.#inset()) / step);
    const next = moved(event.key, at, count, this.grid.columns, page);
    if (next === null) return false;
    this.active = next;
    if (event.shiftKey) this.acts.select(next, 'range');
    this.reveal(next);
    this.draw();
    return true;
  }

  /** Scroll until this cell is on view. @param {number} i */
  reveal(i) {
    const top = this.#top() + placeOf(this.grid, i).y;
    const inset = this.#inset() + this.grid.gap;
    const bottom = top + this.grid.cell;
    if (top < inset) scrollBy({ top: top - inset, behavior: 'instant' });
    else if (bottom > innerHeight - 8) {
      scrollBy({ top: bottom - innerHeight + 8, behavior: 'instant' });
    }
  }

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const top = this.#top();
      this.quick = Math.abs(top - this.lastTop) > QUICK * this.grid.cell;
      this.lastTop = top;
      this.draw(false);
      clearTimeout(this.calm);
      if (!this.quick) return;
      this.calm = setTimeout(() => {
        this.quick = false;
        this.draw(false);
      }, CALM_MS);
    });
  }

  /** @param {Text} text */
  translate(text) {
    this.text = text;
    attribute(this.element, 'aria-label', text.say('gallery.list'));
  }

  /** Show what is on view now. @param {boolean} [all] also cells that show their picture: their
   * rows may have changed */
  draw(all = true) {
    const count = this.acts.count();
    const box = this.element.getBoundingClientRect();
    if (!box.width) return;
    if (box.width !== this.width || count !== this.shownCount) this.#measure(box.width, count);
    const { first, last } = rangeOf(this.grid, count, -box.top, innerHeight - box.top);
    for (const [i, cell] of this.cells) if (i < first || i > last) this.#drop(i, cell);
    for (let i = first; i <= last; i++) {
      if (all || !this.cells.get(i)?.shown) this.#cell(i, count);
    }
    if (this.active >= count) this.active = count - 1;
    const active = this.cells.get(this.active);
    const focused = document.activeElement === this.element;
    attribute(this.element, 'aria-activedescendant', active && focused ? active.element.id : null);
    for (const [i, cell] of this.cells) {
      cell.element.classList.toggle('active', focused && i === this.active);
    }
    if (!this.quick && count) this.acts.want(first, last);
  }

  /** @param {number} width @param {number} count */
  #measure(width, count) {
    this.width = width;
    this.shownCount = count;
    this.grid = gridOf(width, count);
    this.element.style.height = `${this.grid.height}px`;
    this.element.style.setProperty('--cell', `${this.grid.cell}px`);
    for (const [i, cell] of this.cells) cell.place(i, this.grid);
  }

  /** @param {number} i @param {Cell} cell */
  #drop(i, cell) {
    this.cells.delete(i);
    cell.clear();
    cell.element.remove();
    this.spare.push(cell);
  }

  /** @param {number} i @param {number} count */
  #cell(i, count) {
    let cell = this.cells.get(i);
    if (!cell) {
      cell = this.spare.pop() ?? new Cell(this.made++);
      cell.place(i, this.grid);
      this.cells.set(i, cell);
      this.element.append(cell.element);
    }
    const row = this.acts.row(i);
    cell.draw(row, !this.quick);
    this.#name(cell, row, i, count);
  }

  /** @param {Cell} cell @param {Row | undefined} row @param {number} i @param {number} count */
  #name(cell, row, i, count) {
    const { element } = cell;
    const text = /** @type {Text} */ (this.text);
    const selected = !!row && this.acts.selected(row.job);
    const going = !!row && this.acts.going(row.job);
    const key = going ? 'gallery.cell.going' : row?.favourite ? 'gallery.cell.favourite'
      : 'gallery.cell';
    attribute(element, 'aria-label', row ? text.say(key, { prompt: brief(row.spec.prompt),
      size: `${row.result.width} × ${row.result.height}` }) : text.say('gallery.cell.loading'));
    attribute(element, 'title', row ? brief(row.spec.prompt) : null);
    attribute(element, 'aria-selected', String(selected));
    attribute(element, 'aria-setsize', String(count));
    attribute(element, 'aria-posinset', String(i + 1));
    element.classList.toggle('going', going);
    element.classList.toggle('favoured', !!row?.favourite);
    put(cell.check, selected ? '✓' : '');
  }
}
