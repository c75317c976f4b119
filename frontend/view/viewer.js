// @ts-check
// viewer - one finished picture, large, with its settings; arrow keys go to its neighbours.

import { copyWords } from './copy.js';
import { attribute, byId, button, el, icon, pictureUrl, put, quote, show } from './dom.js';

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */
/** What can be copied. @typedef {'prompt' | 'seed' | 'link'} Part */

const COPIED_MS = 1800;
const SWIPE_PX = 48;
// characters; a longer prompt scrolls and must be reachable by keyboard
const LONG = 400;

export class Viewer {
  /** @param {{use: (job: Job) => void, vary: (job: Job) => void, begin: (job: Job) => void,
   *   images: () => boolean,
   *   say: (sentence: import('./announcer.js').Sentence) => void,
   *           finished: (shown: Job | null) => readonly Job[], text: () => Text}} acts */
  constructor(acts) {
    this.acts = acts;
    this.dialog = /** @type {HTMLDialogElement} */ (byId('viewer'));
    /** @type {Job | null} */ this.job = null;
    this.image = el('img');
    this.title = el('h2', { id: 'viewer-title' });
    this.facts = el('dl', { class: 'facts' });
    this.save = el('a', { class: 'quiet strong', download: '' }, icon('save'), el('span'));
    this.use = button('form', () => this.#leave(acts.use));
    this.begin = button('add', () => this.#leave(acts.begin));
    this.vary = button('dice', () => this.#leave(acts.vary));
    this.copies = /** @type {const} */ (['prompt', 'seed', 'link'])
      .map((part) => this.#copier(part));
    this.previous = button('back', () => this.#go(-1), 'icon step back');
    this.next = button('forth', () => this.#go(1), 'icon step forth');
    this.count = el('p', { class: 'viewer-count' });
    this.close = button('close', () => this.dialog.close(), 'icon close');
    this.shot = el('div', { class: 'viewer-shot' }, this.image, this.previous.element,
      this.next.element);
    this.dialog.append(el('div', { class: 'viewer-in' }, this.shot,
      el('div', { class: 'viewer-text' }, this.count, this.title, this.facts,
        el('div', { class: 'actions' }, this.save, this.use.element, this.begin.element,
          this.vary.element),
        el('div', { class: 'actions copies' }, ...this.copies.map((copy) => copy.element)))),
    this.close.element);
    this.#listen();
  }

  #listen() {
    this.dialog.addEventListener('click', (event) => event.target === this.dialog
      && this.dialog.close());
    this.dialog.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
      const step = steps[/** @type {keyof typeof steps} */ (event.key)];
      if (step === undefined) return;
      event.preventDefault();
      this.#go(step);
    });
    let from = 0;
    this.shot.addEventListener('touchstart', (event) => { from = event.changedTouches[0].clientX; },
      { passive: true });
    this.shot.addEventListener('touchend', (event) => {
      const moved = event.changedTouches[0].clientX - from;
      if (event.touches.length === 0 && Math.abs(moved) >= SWIPE_PX) this.#go(moved < 0 ? 1 : -1);
    });
  }

  /** @param {Job} job */
  open(job) {
    this.#show(job);
    if (!this.dialog.open) this.dialog.showModal();
    this.save.focus({ preventScroll: true });
  }

  /** @param {(job: Job) => void} act */
  #leave(act) {
    this.dialog.close();
    if (this.job) act(this.job);
  }

  /** A button that copies the prompt, the seed or the link; its label shows the outcome.
   * @param {Part} part */
  #copier(part) {
    const { element, label } = button(part === 'link' ? 'link' : 'copy', async () => {
      const text = this.acts.text();
      const done = this.job !== null && await copyWords(partOf(this.job, part));
      const key = done ? 'act.copied' : 'act.copied.not';
      put(label, text.say(key));
      this.acts.say((t) => t.say(key));
      setTimeout(() => put(label, this.acts.text().say(`act.copy.${part}`)), COPIED_MS);
    });
    return { element, label, part };
  }

  /** @param {number} step */
  #go(step) {
    const all = this.acts.finished(this.job);
    const at = all.findIndex((job) => job.key === this.job?.key);
    const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
    if (at < 0 || !next || next === all[at]) return;
    this.#show(next);
    this.acts.say(() => next.spec.prompt);
  }

  /** @param {Job} job */
  #show(job) {
    const text = this.acts.text();
    const { result, spec } = job;
    if (!result) return;
    this.job = job;
    const all = this.acts.finished(this.job);
    const at = all.findIndex((other) => other.key === job.key);
    attribute(this.image, 'src', pictureUrl(result.url));
    attribute(this.image, 'alt', spec.prompt);
    attribute(this.image, 'width', String(result.width));
    attribute(this.image, 'height', String(result.height));
    const shape = (result.width / result.height).toFixed(4);
    this.image.style.width = `min(100%, ${shape} * var(--tall, 76vh))`;
    quote(this.title, spec.prompt);
    attribute(this.title, 'tabindex', spec.prompt.length > LONG ? '0' : null);
    const facts = [['size', `${result.width} × ${result.height}`], ['steps', spec.steps],
      ['guidance', spec.guidance], ['seed', result.seed], ['took', text.exact(result.seconds)]];
    const known = facts.filter(([, value]) => value !== undefined);
    this.facts.replaceChildren(...known.map(([name, value]) => el('div', {},
      el('dt', { text: text.say(`viewer.${name}`) }), el('dd', { text: String(value) }))));
    attribute(this.save, 'href', pictureUrl(result.url, true));
    put(/** @type {Element} */ (this.save.lastElementChild), text.say('act.download'));
    put(this.use.label, text.say('act.use.long'));
    put(this.begin.label, text.say('act.begin'));
    attribute(this.begin.element, 'title', text.say('act.begin.long'));
    show(this.begin.element, this.acts.images() && result.digest !== '');
    put(this.vary.label, text.say('act.vary'));
    attribute(this.vary.element, 'title', text.say('act.vary.long'));
    for (const { label, part } of this.copies) put(label, text.say(`act.copy.${part}`));
    put(this.previous.label, text.say('viewer.previous'));
    put(this.next.label, text.say('viewer.next'));
    put(this.close.label, text.say('act.close'));
    put(this.count, text.say('viewer.count', { at: at + 1, n: all.length }));
    for (const element of [this.count, this.previous.element, this.next.element]) {
      show(element, all.length > 1);
    }
    // `disabled` would lose the focus
    attribute(this.previous.element, 'aria-disabled', at <= 0 ? 'true' : null);
    attribute(this.next.element, 'aria-disabled', at < 0 || at >= all.length - 1 ? 'true' : null);
  }
}

/** @param {Job} job @param {Part} part */
function partOf({ spec, result }, part) {
  if (part === 'prompt') return spec.prompt;
  return part === 'seed' ? String(result?.seed ?? spec.seed)
    : new URL(pictureUrl(result?.url ?? ''), location.href).href;
}
