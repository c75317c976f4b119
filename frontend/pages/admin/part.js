// @ts-check
// part - one section of the administrator's page: a heading, a line for what went wrong, a body.

import { button, el, put, show } from '../../view/dom.js';
import { failureWords } from '../../view/errors.js';

/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../state.js').State} State */
/** @typedef {import('../../state.js').Failure} Failure */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('../../wire.js').Message} Message */

export class Part {
  /** @param {Host} host @param {string} name of its words: `admin.NAME` is its heading */
  constructor(host, name) {
    this.host = host;
    this.name = name;
    this.heading = el('h3', { id: `admin-${name}` });
    this.failed = el('p', { class: 'field-error', role: 'alert' });
    this.body = el('div', { class: 'admin-body' });
    this.element = el('section', { class: `admin-part admin-${name}`,
      'aria-labelledby': `admin-${name}` }, this.heading, this.body, this.failed);
    /** @type {Text | null} */ this.text = null;
    /** @type {State | null} */ this.state = null;
    /** What went wrong. @type {((text: Text) => string) | null} */ this.fault = null;
    /** The labels of the buttons, by their words. @type {[HTMLElement, string][]} */
    this.labels = [];
  }

  /** A button with its words. @param {string} words @param {() => void} act
   * @param {string} [more] classes */
  button(words, act, more = '') {
    const { element, label } = button(null, act, more);
    this.labels.push([label, words]);
    return element;
  }

  /** An element with its words. @template {keyof HTMLElementTagNameMap} K @param {K} tag
   * @param {string} words @param {Record<string, any>} [properties] */
  words(tag, words, properties = {}) {
    const element = el(tag, properties);
    this.labels.push([element, words]);
    return element;
  }

  /** Ask the server for what is shown. */
  ask() {}

  /** Show it. @param {State} _state @param {Text} _text @param {number} _now */
  draw(_state, _text, _now) {}

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    if (text !== this.text) {
      put(this.heading, text.say(`admin.${this.name}`));
      for (const [element, words] of this.labels) put(element, text.say(words));
    }
    this.text = text;
    this.state = state;
    this.draw(state, text, now);
    this.#showFault();
  }

  /** Send a command, and say when it failed. @param {Message} message @param {string} [done] words
   * for screen readers, and for the notice of those who see
   * @returns {Promise<Message | null>} null: it failed */
  async send(message, done = '') {
    try {
      const answer = await this.host.ask(message);
      this.fault = null;
      this.#showFault();
      if (done) this.host.say((text) => this.text?.say(done) ?? text.say('page.admin'));
      return answer;
    } catch (failure) {
      this.fail(/** @type {any} */ (failure));
      return null;
    }
  }

  /** @param {Failure} failure */
  fail(failure) {
    this.refuse((text) => {
      const { wrong, todo } = failureWords(failure, text);
      return text.sentences([wrong, todo]);
    });
  }

  /** What is wrong with a field. @param {(text: Text) => string} words */
  refuse(words) {
    this.fault = words;
    this.#showFault();
  }

  /** Draw again with what was there last. */
  redraw() {
    if (this.state && this.text) this.draw(this.state, this.text, performance.now());
  }

  #showFault() {
    show(this.failed, !!this.fault);
    if (this.fault && this.text) put(this.failed, this.fault(this.text));
  }
}

/** A table with a caption for screen readers. @param {number} columns */
export function table(columns) {
  const caption = el('caption', { class: 'sr' });
  const heads = Array.from({ length: columns }, () => el('th', { scope: 'col' }));
  const body = el('tbody');
  const element = el('div', { class: 'admin-table', tabindex: '0', role: 'group' },
    el('table', {}, caption, el('thead', {}, el('tr', {}, ...heads)), body));
  return { element, caption, heads, body };
}

/** Each cell with the words of its column, for windows where a row is a block.
 * @param {ReturnType<typeof table>} table */
export function labelCells({ heads, body }) {
  for (const row of body.rows) {
    [...row.cells].forEach((cell, i) => { cell.dataset.label = heads[i].textContent ?? ''; });
  }
}
