// @ts-check
// viewer - one finished picture, large, with all that made it; arrow keys go to its neighbours.

import { attribute, byId, button, el, icon, put } from './dom.js';

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */

const VIEW_VH = 76; // height of the picture in the window

export class Viewer {
  /** @param {{use: (job: Job) => void, finished: () => readonly Job[], text: () => Text}} acts */
  constructor(acts) {
    this.acts = acts;
    this.dialog = /** @type {HTMLDialogElement} */ (byId('viewer'));
    /** @type {Job | null} */ this.job = null;
    this.image = el('img');
    this.title = el('h2', { id: 'viewer-title' });
    this.facts = el('dl', { class: 'facts' });
    this.save = el('a', { class: 'quiet strong', download: '' }, icon('save'), el('span'));
    this.use = button('form', () => this.job && (this.dialog.close(), acts.use(this.job)));
    this.previous = button('back', () => this.#go(-1), 'icon');
    this.next = button('forth', () => this.#go(1), 'icon');
    this.close = button('close', () => this.dialog.close(), 'icon close');
    this.dialog.append(el('div', { class: 'viewer-in' },
      el('div', { class: 'viewer-shot' }, this.image),
      el('div', { class: 'viewer-text' }, this.title, this.facts,
        el('div', { class: 'actions' }, this.save, this.use.element),
        el('div', { class: 'step' }, this.previous.element, this.next.element))),
    this.close.element);
    this.dialog.addEventListener('click', (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowLeft') this.#go(-1);
      if (event.key === 'ArrowRight') this.#go(1);
    });
  }

  /** @param {Job} job */
  open(job) {
    this.#show(job);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** @param {number} step */
  #go(step) {
    const all = this.acts.finished();
    const at = all.findIndex((job) => job.key === this.job?.key);
    const next = all[at + step];
    if (at >= 0 && next) this.#show(next);
  }

  /** @param {Job} job */
  #show(job) {
    const text = this.acts.text();
    const { result, spec } = job;
    if (!result) return;
    this.job = job;
    const all = this.acts.finished();
    const at = all.findIndex((other) => other.key === job.key);
    attribute(this.image, 'src', result.url);
    attribute(this.image, 'alt', spec.prompt);
    attribute(this.image, 'width', String(result.width));
    attribute(this.image, 'height', String(result.height));
    this.image.style.width = `min(100%, ${(VIEW_VH * result.width / result.height).toFixed(2)}vh)`;
    put(this.title, spec.prompt);
    const facts = [['size', `${result.width} × ${result.height}`], ['steps', spec.steps], ['guidance', spec.guidance],
      ['seed', String(result.seed)], ['took', text.exact(result.seconds)]];
    this.facts.replaceChildren(...facts.filter(([, value]) => value !== undefined).map(([name, value]) =>
      el('div', {}, el('dt', { text: text.say(`viewer.${name}`) }), el('dd', { text: String(value) }))));
    attribute(this.save, 'href', `${result.url}?download=1`);
    put(/** @type {Element} */ (this.save.lastElementChild), text.say('act.download'));
    put(this.use.label, text.say('act.use.long'));
    put(this.previous.label, text.say('viewer.previous'));
    put(this.next.label, text.say('viewer.next'));
    put(this.close.label, text.say('act.close'));
    this.previous.element.disabled = at <= 0;
    this.next.element.disabled = at < 0 || at >= all.length - 1;
  }
}
