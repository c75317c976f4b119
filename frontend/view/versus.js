// @ts-check
// versus - "A / B" in the form: a second prompt that is drawn beside the first, with the same seed
// and settings; when both are done they open as a comparison.

import { attribute, byId, el, put, show } from './dom.js';

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../state.js').Spec} Spec */
/** @typedef {import('../i18n/text.js').Text} Text */

const SEED_MAX = 2 ** 31;
const OVER = new Set(['done', 'refused', 'failed', 'cancelled', 'lost']);

export class Versus {
  /** @param {{changed: () => void, compare: (jobs: readonly string[]) => void,
   *   keep: (pairs: readonly [string, string][]) => void}} acts
   * @param {readonly [string, string][]} pairs that were under way */
  constructor(acts, pairs) {
    this.acts = acts;
    this.on = false;
    /** The pairs that are drawn, by the keys of their jobs. */
    this.pairs = pairs;
    this.toggle = el('button', { type: 'button', class: 'quiet small', id: 'versus-toggle',
      'aria-expanded': 'false', 'aria-controls': 'versus', on: { click: () => this.#turn() } });
    this.label = el('label', { class: 'versus-label', for: 'prompt-b' });
    this.prompt = el('textarea', { id: 'prompt-b', rows: '2', autocomplete: 'off', dir: 'auto',
      on: { input: () => acts.changed() } });
    this.help = el('p', { class: 'help' });
    this.box = el('div', { class: 'versus', id: 'versus', hidden: '' }, this.label, this.prompt,
      this.help);
    this.row = el('div', { class: 'prompt-tools' }, this.toggle);
    byId('prompt-error').after(this.box, this.row);
  }

  #turn() {
    this.#open(!this.on);
    if (this.on) this.prompt.focus();
    this.acts.changed();
  }

  /** @param {boolean} on */
  #open(on) {
    this.on = on;
    show(this.box, on);
    attribute(this.toggle, 'aria-expanded', String(on));
  }

  /** The second prompt as it is typed, for restore(); null: it is not asked for. */
  draft() {
    return this.on ? this.prompt.value : null;
  }

  /** Another user comes. */
  forget() {
    this.restore(null);
    this.#keep([]);
  }

  /** @param {string | null} draft */
  restore(draft) {
    this.prompt.value = draft ?? '';
    this.#open(draft !== null);
  }

  /** The second prompt; "": there is none. */
  get second() {
    return this.on ? this.prompt.value.trim() : '';
  }

  /** The two requests: alike but for the prompt. @param {Spec} spec @returns {[Spec, Spec]} */
  split(spec) {
    const picked = crypto.getRandomValues(new Uint32Array(1))[0] % SEED_MAX;
    const seed = spec.seed !== undefined && spec.seed >= 0 ? spec.seed : picked;
    return [{ ...spec, seed }, { ...spec, prompt: this.second, seed }];
  }

  /** Both were submitted. @param {[string, string]} keys */
  follow(keys) {
    this.#keep([...this.pairs, keys]);
  }

  /** @param {readonly [string, string][]} pairs */
  #keep(pairs) {
    if (pairs.length === this.pairs.length && pairs.every((pair, i) => pair === this.pairs[i])) {
      return;
    }
    this.pairs = pairs;
    this.acts.keep(pairs);
  }

  /** Show a pair when it is done, unless one of the two came to nothing; one at a time.
   * @param {readonly Job[]} jobs @param {() => boolean} isFree whether nothing else is on view */
  look(jobs, isFree) {
    if (!this.pairs.length) return;
    const of = (/** @type {string} */ key) => jobs.find((job) => job.key === key);
    const isDone = (/** @type {[string, string]} */ keys) =>
      keys.every((key) => of(key)?.id && of(key)?.state === 'done');
    const left = this.pairs.filter((keys) => isDone(keys)
      || keys.some((key) => !OVER.has(of(key)?.state ?? 'lost')));
    const ready = left.find(isDone);
    const goes = ready && isFree() ? ready : null;
    this.#keep(left.filter((keys) => keys !== goes)); // first: who compares draws, and looks again
    if (goes) this.acts.compare(goes.map((key) => of(key)?.id ?? ''));
  }

  /** @param {Text} text */
  translate(text) {
    put(this.toggle, 'A / B');
    attribute(this.toggle, 'title', text.say('versus.title'));
    attribute(this.toggle, 'aria-label', text.say('versus.label'));
    put(this.label, text.say('versus.second'));
    put(this.help, text.say('versus.help'));
  }
}
