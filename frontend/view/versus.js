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
  /** @param {{changed: () => void, compare: (jobs: readonly string[]) => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.on = false;
    /** The pairs that are drawn, by the keys of their jobs. @type {[string, string][]} */
    this.pairs = [];
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
    this.on = !this.on;
    show(this.box, this.on);
    attribute(this.toggle, 'aria-expanded', String(this.on));
    if (this.on) this.prompt.focus();
    this.acts.changed();
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
    this.pairs.push(keys);
  }

  /** Show a pair when it is done, unless one of the two came to nothing.
   * @param {readonly Job[]} jobs @param {() => boolean} isFree whether nothing else is on view */
  look(jobs, isFree) {
    this.pairs = this.pairs.filter((keys) => {
      const pair = keys.map((key) => jobs.find((job) => job.key === key));
      const ids = pair.flatMap((job) => (job?.id && job.state === 'done' ? [job.id] : []));
      const over = pair.every((job) => !job || OVER.has(job.state));
      const free = ids.length === 2 && isFree();
      if (free) this.acts.compare(ids);
      return !over || (ids.length === 2 && !free);
    });
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
