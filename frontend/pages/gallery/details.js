// @ts-check
// details - one picture of the gallery, large, with every parameter and what can be done with it.

import { copyWords } from '../../view/copy.js';
import { attribute, button, el, icon, pictureUrl, put, quote, show } from '../../view/dom.js';
import { failureWords } from '../../view/errors.js';
import { takesPictures } from '../../view/sources.js';
import { REQUESTS, factsOf, settingsOf } from './facts.js';
import { drawAgain, film } from './filming.js';
import { fileName } from './zip.js';
import { saveBlob } from './saving.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('../../pages.js').Host} Host */

const LONG = 400; // characters; a longer prompt scrolls and must be reachable by keyboard

export class Details {
  /** @param {{host: Host, text: () => Text, row: (i: number) => Row | undefined,
   *   count: () => number, want: (i: number) => void, favourite: (row: Row, on: boolean) => void,
   *   remove: (row: Row) => void, closed: (i: number) => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.at = -1;
    this.waits = -1; // to be shown when its row is there
    /** @type {Row | null} */ this.row = null;
    this.whole = false; // its row has the whole prompt
    /** @type {AbortController | null} */ this.filming = null;
    this.image = el('img');
    this.title = el('h2', { id: 'details-title' });
    this.facts = el('dl', { class: 'facts' });
    this.status = el('p', { class: 'details-status', role: 'status' });
    this.save = el('a', { class: 'quiet strong', download: '' }, icon('save'), el('span'));
    this.buttons = {
      use: button('form', () => this.#use()),
      begin: button('add', () => this.#begin()),
      favourite: button('heart', () => this.#favourite()),
      again: button('again', () => this.#submit('again')),
      noise: button('dice', () => this.#submit('noise')),
      composition: button('compose', () => this.#submit('composition')),
      film: button('film', () => this.#film()),
      copy: button('copy', () => this.#copy()),
      remove: button('bin', () => this.#remove()),
    };
    const { use, begin, favourite, again, noise, composition, film: lapse, copy,
      remove } = this.buttons;
    this.previous = button('back', () => this.#go(-1), 'icon step back');
    this.next = button('forth', () => this.#go(1), 'icon step forth');
    this.close = button('close', () => this.dialog.close(), 'icon close');
    this.count = el('p', { class: 'viewer-count' });
    this.shot = el('div', { class: 'viewer-shot' }, this.image, this.previous.element,
      this.next.element);
    const groups = [[use, begin, favourite, copy], [again, noise, composition], [lapse, remove]]
      .map((all) => el('div', { class: 'actions copies' }, ...all.map((one) => one.element)));
    groups[0].prepend(this.save);
    this.dialog = el('dialog', { class: 'viewer details', 'aria-labelledby': 'details-title' },
      el('div', { class: 'viewer-in' }, this.shot, el('div', { class: 'viewer-text' }, this.count,
        this.title, this.facts, this.status, ...groups)), this.close.element);
    this.#listen();
  }

  #listen() {
    this.dialog.addEventListener('click', (event) => event.target === this.dialog
      && this.dialog.close());
    this.dialog.addEventListener('close', () => {
      this.filming?.abort();
      this.waits = -1;
      this.acts.closed(this.at);
    });
    this.dialog.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === 'f') this.#favourite();
      else if (event.key === 'Delete') this.#remove();
      else if (step) this.#go(step);
      else return;
      event.preventDefault();
    });
  }

  /** @param {number} i */
  open(i) {
    this.acts.want(i);
    if (!this.#show(i)) return;
    if (!this.dialog.open) this.dialog.showModal();
    this.save.focus({ preventScroll: true });
  }

  /** The rows, or the language, have changed. */
  update() {
    if (this.waits >= 0 && this.acts.row(this.waits)) return void this.open(this.waits);
    if (!this.dialog.open || !this.row) return;
    const { job } = this.row;
    if (this.acts.row(this.at)?.job === job) return void this.#show(this.at);
    for (let i = 0; i < this.acts.count(); i++) {
      if (this.acts.row(i)?.job === job) return void this.#show(i);
    }
  }

  /** @param {number} step */
  #go(step) {
    const next = this.at + step;
    if (next < 0 || next >= this.acts.count()) return;
    this.acts.want(next);
    if (!this.#show(next)) return;
    this.acts.host.say(() => this.row?.spec.prompt ?? '');
  }

  /** @param {number} i @returns {boolean} false: it was not fetched yet */
  #show(i) {
    const row = this.acts.row(i);
    this.waits = row ? -1 : i;
    if (!row) return false;
    const text = this.acts.text();
    const other = row.job !== this.row?.job;
    if (other) {
      this.filming?.abort();
      put(this.status, '');
    }
    this.at = i;
    this.row = this.row?.job === row.job && this.whole ? { ...row, spec: this.row.spec } : row;
    if (other) this.whole = !row.prompt_cut;
    if (!this.whole) this.#complete(row);
    this.#picture(this.row);
    this.#words(this.row, text);
    return true;
  }

  /** Rows have the beginning of a long prompt. @param {Row} row */
  async #complete({ job }) {
    const whole = await this.acts.host.ask({ type: 'job', job }).catch(() => null);
    if (!whole || this.row?.job !== job) return;
    this.whole = true;
    this.row = { ...this.row, spec: whole.spec };
    this.#words(this.row, this.acts.text());
  }

  /** @param {Row} row */
  #picture({ result, spec }) {
    attribute(this.image, 'src', pictureUrl(result.url));
    attribute(this.image, 'alt', spec.prompt);
    attribute(this.image, 'width', String(result.width));
    attribute(this.image, 'height', String(result.height));
    const shape = (result.width / result.height).toFixed(4);
    this.image.style.width = `min(100%, ${shape} * var(--tall, 76vh))`;
    attribute(this.save, 'href', pictureUrl(result.url, true));
  }

  /** @param {Row} row @param {Text} text */
  #words(row, text) {
    quote(this.title, row.spec.prompt);
    attribute(this.title, 'tabindex', row.spec.prompt.length > LONG ? '0' : null);
    this.facts.replaceChildren(...factsOf(row, text).map(([name, value]) => el('div', {},
      el('dt', { text: text.say(`gallery.fact.${name}`) }), el('dd', { text: value }))));
    put(/** @type {Element} */ (this.save.lastElementChild), text.say('act.download'));
    for (const [name, { element, label }] of Object.entries(this.buttons)) {
      put(label, text.say(`gallery.act.${name}`));
      attribute(element, 'title', text.has(`gallery.hint.${name}`)
        ? text.say(`gallery.hint.${name}`) : null);
    }
    const { begin, favourite, film: lapse } = this.buttons;
    show(begin.element, takesPictures(this.acts.host.state().hello));
    attribute(favourite.element, 'aria-pressed', String(!!row.favourite));
    if (this.filming) put(lapse.label, text.say('gallery.film.stop'));
    put(this.count, text.say('viewer.count', { at: this.at + 1, n: this.acts.count() }));
    put(this.previous.label, text.say('viewer.previous'));
    put(this.next.label, text.say('viewer.next'));
    put(this.close.label, text.say('act.close'));
    attribute(this.previous.element, 'aria-disabled', this.at <= 0 ? 'true' : null);
    attribute(this.next.element, 'aria-disabled', this.at >= this.acts.count() - 1 ? 'true' : null);
  }

  #favourite() {
    if (this.row) this.acts.favourite(this.row, !this.row.favourite);
  }

  #use() {
    const { row } = this;
    this.dialog.close();
    if (row) this.acts.host.use(settingsOf(row));
  }

  #begin() {
    const { row } = this;
    this.dialog.close();
    if (row) this.acts.host.begin(row.result.digest);
  }

  /** @param {string} which of REQUESTS */
  #submit(which) {
    if (!this.row) return;
    this.acts.host.submit(REQUESTS[which](this.row));
    put(this.status, this.acts.text().say('gallery.sent'));
  }

  async #copy() {
    const done = !!this.row && await copyWords(this.row.spec.prompt);
    put(this.status, this.acts.text().say(done ? 'act.copied' : 'act.copied.not'));
  }

  #remove() {
    const { row } = this;
    if (!row) return;
    this.acts.remove(row);
    this.dialog.close();
  }

  /** Make the time-lapse and save it; while it is made, stop that. */
  async #film() {
    if (this.filming) return this.filming.abort();
    const { row } = this;
    if (!row) return;
    const stop = new AbortController();
    this.filming = stop;
    this.#words(row, this.acts.text());
    try {
      const blob = await this.#make(row, stop.signal);
      stop.signal.throwIfAborted();
      saveBlob(blob, fileName(row).replace(/\.png$/, ' time-lapse.png'));
      this.#tell(row, (text) => text.say('gallery.film.done'));
    } catch (error) {
      this.#tell(row, (text) => (stop.signal.aborted ? text.say('gallery.film.stopped')
        : failureText(error, text)));
    } finally {
      this.filming = null;
      if (this.row && this.dialog.open) this.#words(this.row, this.acts.text());
    }
  }

  /** @param {Row} row @param {AbortSignal} signal */
  async #make(row, signal) {
    const { host } = this.acts;
    let shots = host.shots(row.job);
    if (shots.length < 2) {
      const drawing = (/** @type {number} */ share) => this.#tell(row, (text) =>
        text.say('gallery.film.drawing', { percent: text.percent(share) }));
      drawing(0);
      shots = await drawAgain(row, host, drawing, signal);
    }
    return film(row, shots, (share) => {
      signal.throwIfAborted();
      this.#tell(row, (text) => text.say('gallery.film.making', { percent: text.percent(share) }));
    });
  }

  /** @param {Row} row @param {(text: Text) => string} words */
  #tell(row, words) {
    if (this.row?.job === row.job) put(this.status, words(this.acts.text()));
  }
}

/** @param {any} error @param {Text} text */
function failureText(error, text) {
  if (typeof error?.code !== 'string') return text.say('gallery.film.failed');
  const { wrong, todo } = failureWords(error, text);
  return `${wrong} ${todo}`;
}
