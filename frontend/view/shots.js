// @ts-check
// shots - the images of one print: the newest preview over the one before, then the picture.
//
// Previews are decoded off the page's thread, one at a time for each print, and only while it is on
// the screen: those that come meanwhile replace each other.

import { el } from './dom.js';
import { unwatch, watch } from './onscreen.js';

const FADE_MS = 500; // as in style.css; a preview that comes sooner takes the place of the last

/** @typedef {import('../state.js').Preview} Preview */

export class Shots {
  /** @param {HTMLElement} print @param {Element} top of it, above all images
   * @param {() => void} missing the picture cannot be loaded */
  constructor(print, top, missing) {
    this.print = print;
    this.top = top;
    this.missing = missing;
    /** @type {HTMLImageElement | null} */ this.final = null;
    /** @type {Preview | null} */ this.next = null;
    this.seq = 0;
    this.run = 0; // another one: what is still being decoded is not shown
    this.decoding = false;
    this.visible = false;
    this.shownAt = -Infinity;
    watch(print, (visible) => {
      this.visible = visible;
      this.#decode();
    });
  }

  /** The newest preview. @param {Preview} preview */
  preview(preview) {
    if (preview.seq <= this.seq || this.final) return;
    this.seq = preview.seq;
    this.next = preview;
    this.#decode();
  }

  /** The run was started again, or cancelled. */
  clear() {
    if (!this.seq || this.final) return;
    this.#forget();
    for (const image of this.print.querySelectorAll('img')) image.remove();
    this.#mark();
  }

  /** The picture: over the preview once it is loaded; without a preview (after a reload) at once,
   * loaded when it scrolls into view. @param {string} url */
  finish(url) {
    if (this.final) return;
    const first = !this.print.querySelector('img');
    this.#forget();
    const final = el('img', { class: 'final', alt: '', decoding: 'async',
      loading: first ? 'lazy' : 'eager', on: { error: () => {
        final.remove();
        this.#mark();
        this.missing();
      } } });
    this.final = final;
    if (first) this.#add(final);
    else {
      final.addEventListener('load', () => this.#cover(final), { once: true });
      final.addEventListener('animationend', () => this.#alone(final), { once: true });
    }
    final.src = url;
  }

  /** The print is removed. */
  drop() {
    this.#forget();
    unwatch(this.print);
  }

  #forget() {
    this.seq = 0;
    this.next = null;
    this.run += 1;
  }

  async #decode() {
    const { next, run } = this;
    if (!next || this.decoding || !this.visible) return;
    this.next = null;
    this.decoding = true;
    const url = URL.createObjectURL(blobOf(next));
    const image = el('img', { class: 'shot', alt: '', src: url });
    try {
      await image.decode();
      if (run === this.run) this.#show(image);
    } catch {
      // damaged: the next one may be whole
    }
    URL.revokeObjectURL(url);
    this.decoding = false;
    this.#decode();
  }

  /** Put a preview over the last: fading in where that has stood for a while.
   * @param {HTMLImageElement} image */
  #show(image) {
    const now = performance.now();
    const calm = now - this.shownAt >= FADE_MS;
    this.shownAt = now;
    if (calm) this.#cover(image);
    else {
      image.classList.add('base');
      this.#add(image);
      this.#alone(image);
    }
  }

  /** Lay an image over the uppermost, which stays below it, opaque, while it fades in.
   * @param {HTMLImageElement} image */
  #cover(image) {
    const below = this.print.querySelector('img:last-of-type');
    if (below) {
      this.#alone(below);
      below.classList.add('base');
    }
    this.#add(image);
  }

  /** @param {HTMLImageElement} image */
  #add(image) {
    this.top.before(image);
    this.#mark();
  }

  /** @param {Element} image the only one that stays */
  #alone(image) {
    for (const other of this.print.querySelectorAll('img')) if (other !== image) other.remove();
  }

  #mark() {
    this.print.dataset.shot = String(this.print.querySelector('img') !== null);
  }
}

/** @param {Preview} preview */
export function blobOf({ image, mime }) {
  return new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (image)], mime ? { type: mime } : {});
}
