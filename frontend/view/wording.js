// @ts-check
// wording - help with the prompt: how the model reads it, the prompts that were used, styles.

import { STYLES_MAX, STYLE_CHARS_MAX, Walk, hasStyle, toggleStyle } from '../phrases.js';
import { attribute, brief, byId, el, languageOf, put, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

export class Wording {
  /** @param {HTMLTextAreaElement} prompt
   * @param {ReturnType<typeof import('../phrases.js').phrasesIn>} phrases
   * @param {(words: string) => void} fill put other words into the form */
  constructor(prompt, phrases, fill) {
    this.prompt = prompt;
    this.phrases = phrases;
    this.fill = fill;
    this.walk = new Walk();
    /** @type {Text | null} */ this.text = null;
    this.reading = byId('reading');
    this.letters = byId('letters');
    this.count = byId('tokens');
    this.styles = byId('styles-list');
    this.newStyle = /** @type {HTMLInputElement} */ (byId('style-new'));
    this.newStyle.maxLength = STYLE_CHARS_MAX;
    prompt.addEventListener('keydown', (event) => this.#key(event));
    prompt.addEventListener('input', () => {
      this.walk.typing();
      this.#press();
    });
    byId('style-add').addEventListener('click', () => this.#add());
    this.newStyle.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.#add();
    });
  }

  /** Up at the beginning of the field, and down at its end, go through what was used.
   * @param {KeyboardEvent} event */
  #key(event) {
    const { selectionStart: from, selectionEnd: to, value } = this.prompt;
    if (event.isComposing || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey
        || from !== to) return;
    const up = event.key === 'ArrowUp' && from === 0;
    const down = event.key === 'ArrowDown' && from === value.length && this.walk.at >= 0;
    if (!up && !down) return;
    const words = this.walk.go(this.phrases.used(), up ? 1 : -1, value);
    if (words === null) return;
    event.preventDefault();
    const { at } = this.walk;
    this.fill(words);
    this.walk.at = at;
    const caret = up ? 0 : words.length;
    this.prompt.setSelectionRange(caret, caret);
  }

  #add() {
    const style = this.newStyle.value.trim();
    const list = this.phrases.styles();
    if (!style) return this.newStyle.focus();
    this.phrases.keepStyles([style, ...list.filter((s) => s !== style)].slice(0, STYLES_MAX));
    this.newStyle.value = '';
    this.#list();
  }

  /** @param {string} style @param {HTMLElement} row */
  #remove(style, row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    this.phrases.keepStyles(this.phrases.styles().filter((s) => s !== style));
    this.#list();
    (next?.querySelector('button') ? this.styles.querySelector('button') : this.newStyle)?.focus();
  }

  #list() {
    const { text } = this;
    if (!text) return;
    this.styles.replaceChildren(...this.phrases.styles().map((style) => {
      const row = el('li', { class: 'style' });
      const use = el('button', { type: 'button', class: 'example style-use', text: style,
        title: style, dir: 'auto', lang: languageOf(style), data: { style },
        on: { click: () => this.fill(toggleStyle(this.prompt.value, style)) } });
      const drop = el('button', { type: 'button', class: 'style-drop', text: '×',
        'aria-label': text.say('styles.remove', { style: brief(style) }),
        on: { click: () => this.#remove(style, row) } });
      row.append(use, drop);
      return row;
    }));
    this.#press();
  }

  /** Show which styles the prompt has. */
  #press() {
    for (const use of this.styles.querySelectorAll('.style-use')) {
      const { style } = /** @type {HTMLElement} */ (use).dataset;
      attribute(use, 'aria-pressed', String(hasStyle(this.prompt.value, style ?? '')));
    }
  }

  /** @param {State} state @param {Text} text */
  update({ quote }, text) {
    if (this.text !== text) {
      this.text = text;
      this.#list();
    }
    const fresh = quote?.spec.prompt === this.prompt.value.trim();
    const known = quote !== null && quote.tokens !== null && this.prompt.value.trim() !== '';
    show(this.reading, known);
    if (!known) return;
    this.reading.dataset.stale = String(!fresh);
    if (!fresh) return; // what is there stays until the answer, dimmed
    put(this.count, text.say('compose.tokens', { n: quote.tokens ?? 0 }));
    const now = Array.from(this.letters.children, (li) => li.textContent);
    const letters = quote.lettering;
    if (now.join('\0') !== letters.join('\0')) {
      this.letters.replaceChildren(...letters.map((words) =>
        el('li', { class: 'letter', text: words, dir: 'auto', lang: languageOf(words) })));
    }
    show(byId('lettering'), letters.length > 0);
  }
}
