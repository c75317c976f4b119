// @ts-check
// removal - deletes pictures a while after it was asked to, so that it can be undone: until then
// the server knows nothing of it, and a tab that is closed meanwhile deletes nothing.

import { button, el, put, show } from '../../view/dom.js';

/** @typedef {import('../../wire.js').Message} Message */
/** @typedef {import('../../state.js').Failure} Failure */

const WAIT_MS = 8000;
const AT_ONCE = 4; // on their way to the server

export class Removal {
  /** @param {{ask: (m: Message) => Promise<Message>, gone: (jobs: ReadonlySet<string>) => void,
   *   changed: () => void, fail: (failure: Failure) => void,
   *   text: () => import('../../i18n/text.js').Text}} acts */
  constructor(acts) {
    this.acts = acts;
    /** About to be deleted. @type {Set<string>} */ this.jobs = new Set();
    /** On their way to the server. @type {Set<string>} */ this.sent = new Set();
    this.timer = 0;
    this.words = el('p', { role: 'status' });
    this.back = button('back', () => this.undo(), 'strong');
    this.now = button(null, () => this.#send());
    this.element = el('div', { class: 'gallery-undo', hidden: '' }, this.words, this.back.element,
      this.now.element);
    // who reads or reaches for it needs the time
    for (const type of ['pointerenter', 'focusin']) {
      this.element.addEventListener(type, () => clearTimeout(this.timer));
    }
    for (const type of ['pointerleave', 'focusout']) {
      this.element.addEventListener(type, () => this.#wait());
    }
  }

  /** @param {string} job */
  has(job) {
    return this.jobs.has(job) || this.sent.has(job);
  }

  /** @param {readonly string[]} jobs */
  add(jobs) {
    for (const job of jobs) if (!this.sent.has(job)) this.jobs.add(job);
    this.#wait();
    this.#show();
  }

  undo() {
    clearTimeout(this.timer);
    this.jobs.clear();
    this.#show();
  }

  translate() {
    const text = this.acts.text();
    put(this.back.label, text.say('notice.undo'));
    put(this.now.label, text.say('gallery.undo.now'));
    this.#show();
  }

  #wait() {
    clearTimeout(this.timer);
    if (this.jobs.size) this.timer = setTimeout(() => this.#send(), WAIT_MS);
  }

  #show() {
    show(this.element, this.jobs.size > 0);
    put(this.words, this.jobs.size
      ? this.acts.text().say('gallery.undo', { n: this.jobs.size }) : '');
    this.acts.changed();
  }

  async #send() {
    clearTimeout(this.timer);
    const all = [...this.jobs];
    this.jobs.clear();
    for (const job of all) this.sent.add(job);
    this.#show();
    /** @type {Failure[]} */ const failures = [];
    for (let i = 0; i < all.length; i += AT_ONCE) {
      await this.#delete(all.slice(i, i + AT_ONCE), failures);
    }
    if (failures[0]) this.acts.fail(failures[0]);
    this.acts.changed();
  }

  /** @param {readonly string[]} jobs @param {Failure[]} failures */
  async #delete(jobs, failures) {
    const gone = new Set();
    await Promise.all(jobs.map(async (job) => {
      try {
        await this.acts.ask({ type: 'delete', job });
        gone.add(job);
      } catch (failure) {
        const known = /** @type {Failure} */ (failure);
        if (known.code === 'not_found') gone.add(job);
        else failures.push(known);
      }
      this.sent.delete(job);
    }));
    if (gone.size) this.acts.gone(gone);
  }
}
