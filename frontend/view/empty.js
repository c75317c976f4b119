// @ts-check
// empty - the gallery without jobs: example prompts to click, and the phases of a job explained.

import { PHASES } from '../wire.js';
import { examplesOf } from './composer.js';
import { attribute, byId, el, icon, languageOf, put, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

export class Empty {
  /** @param {(prompt: string) => void} start submits this prompt */
  constructor(start) {
    this.start = start;
    this.place = byId('empty');
    this.title = el('h3');
    this.words = el('p', { class: 'empty-words' });
    this.papers = el('ul', { class: 'papers' });
    this.steps = PHASES.map(() => ({ name: el('b'), words: el('span') }));
    this.place.append(this.title, this.words, this.papers,
      el('ol', { class: 'ways' },
        ...this.steps.map(({ name, words }) => el('li', {}, name, words))));
    /** @type {string[]} */ this.examples = [];
  }

  /** @param {State} state @param {Text} text */
  update({ jobs, hello }, text) {
    show(this.place, jobs.length === 0);
    if (jobs.length) return;
    const examples = examplesOf(hello, text.lang);
    put(this.title, text.say(examples.length ? 'empty.title' : 'empty.title.bare'));
    put(this.words, text.say(examples.length ? 'empty.text' : 'empty.text.bare'));
    this.steps.forEach(({ name, words }, i) => {
      put(name, text.say(`phase.${PHASES[i]}.short`));
      put(words, text.say(`phase.${PHASES[i]}.about`));
    });
    if (this.examples.join('\n') !== examples.join('\n')) this.#lay(examples);
    for (const [i, paper] of [...this.papers.querySelectorAll('button')].entries()) {
      attribute(paper, 'aria-label',
        text.say('act.of', { name: text.say('compose.generate'), prompt: examples[i] }));
    }
    attribute(this.papers, 'aria-label', text.say('compose.examples'));
  }

  /** @param {string[]} examples */
  #lay(examples) {
    this.examples = examples;
    show(this.papers, examples.length > 0);
    this.papers.replaceChildren(...examples.map((example) => el('li', {},
      el('button', { type: 'button', class: 'paper', on: { click: () => this.start(example) } },
        icon('forth'),
        el('span', { text: example, lang: languageOf(example), dir: 'auto' })))));
  }
}
