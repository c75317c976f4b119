// @ts-check
// controls - the limits of the service, a notice to all, and its orderly end.

import { drainWords } from '../../notices.js';
import { capWords } from '../../view/cap.js';
import { attribute, el, put, show } from '../../view/dom.js';
import { DRAIN_MIN_MAX, drainOf, noticeOf, setOf, wholeIn } from './model.js';
import { Part } from './part.js';

/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../i18n/text.js').Text} Text */

/** The limits that `set` changes, as PROTOCOL.md bounds them. */
const LIMITS = /** @type {const} */ ([['concurrency', 0, 16], ['queue', 1, 4096],
  ['job_seconds', 1, 86400]]);
const DRAIN_MIN = 10;

export class Controls extends Part {
  /** @param {Host} host */
  constructor(host) {
    super(host, 'controls');
    /** What holds now; null: not asked yet. @type {Record<string, number> | null} */
    this.now = null;
    /** The answer's, until there are statistics. @type {any} */ this.concurrency = null;
    this.sure = false; // the drain was asked for once
    this.limits = LIMITS.map(([name, min, max]) => ({ name, min, max,
      input: this.#field(name, { type: 'number', min, max, step: 1, class: 'number' }) }));
    this.why = el('p', { class: 'help' });
    this.notice = this.#field('notice', { rows: 2, maxlength: 1000, dir: 'auto' }, 'textarea');
    this.minutes = this.#field('minutes', { type: 'number', min: 0, max: DRAIN_MIN_MAX, step: 1,
      class: 'number', value: DRAIN_MIN });
    this.words_ = this.#field('words', { rows: 2, maxlength: 1000, dir: 'auto' }, 'textarea');
    this.drainButton = this.button('admin.drain.go', () => this.#drain());
    this.undo = this.button('admin.drain.undo', () => this.#undo());
    this.standing = el('p', { class: 'warning' });
    this.body.append(
      this.#form('limits', () => this.#set(), this.limits.map(({ input }) => input.row), this.why,
        this.button('admin.limits.go', () => this.#set(), 'strong')),
      this.#form('notice', () => this.#say(false), [this.notice.row],
        this.button('admin.notice.go', () => this.#say(false), 'strong'),
        this.button('admin.notice.undo', () => this.#say(true))),
      this.#form('drain', () => this.#drain(), [this.minutes.row, this.words_.row],
        this.words('p', 'admin.drain.about', { class: 'help' }), this.standing, this.drainButton,
        this.undo));
  }

  /** @param {string} name @param {Record<string, any>} properties
   * @param {'input' | 'textarea'} [tag] */
  #field(name, properties, tag = 'input') {
    const id = `admin-${name}-field`;
    const input = /** @type {HTMLInputElement} */ (el(tag, { id, autocomplete: 'off',
      ...properties }));
    const row = el('div', { class: `admin-field ${tag}` },
      this.words('label', `admin.field.${name}`, { for: id }), input);
    return Object.assign(input, { row });
  }

  /** A group of fields and buttons; Enter in a field does what the first button does.
   * @param {string} name @param {() => void} act @param {HTMLElement[]} fields
   * @param {...HTMLElement} others */
  #form(name, act, fields, ...others) {
    const legend = this.words('h4', `admin.${name}`);
    const acts = el('div', { class: 'admin-acts' },
      ...others.filter((e) => e.tagName === 'BUTTON'));
    return el('form', { class: 'admin-form', novalidate: '', on: { submit: (event) => {
      event.preventDefault();
      act();
    } } }, legend, ...fields, ...others.filter((e) => e.tagName !== 'BUTTON'), acts);
  }

  async ask() {
    if (this.now) return;
    const answer = await this.send({ type: 'set' });
    if (answer) this.#hold(answer);
  }

  /** @param {any} answer to `set` */
  #hold(answer) {
    const before = this.now ?? {};
    this.now = answer.set;
    for (const { name, input } of this.limits) {
      // what is being typed stays
      if (input.value === '' || Number(input.value) === before[name]) {
        input.value = String(answer.set[name]);
      }
    }
    this.concurrency = answer.concurrency;
    this.redraw();
  }

  async #set() {
    /** @type {Record<string, number>} */ const wanted = {};
    for (const { name, min, max, input } of this.limits) {
      const value = wholeIn(input.value, min, max);
      attribute(input, 'aria-invalid', value === null ? 'true' : null);
      if (value === null) {
        input.focus();
        return this.refuse((text) => text.say('admin.range',
          { name: text.say(`admin.field.${name}`), min, max }));
      }
      wanted[name] = value;
    }
    const message = setOf(wanted, this.now ?? {}) ?? { type: 'set' };
    const answer = await this.send(message, 'admin.limits.done');
    if (answer) this.#hold(answer);
  }

  /** @param {boolean} remove */
  async #say(remove) {
    const message = noticeOf(remove ? '' : this.notice.value);
    if (!message) return this.refuse((text) => text.say('admin.notice.long'));
    if (!remove && !message.text) return this.notice.focus();
    const done = await this.send(message, remove ? 'admin.notice.gone' : 'admin.notice.done');
    if (done) this.notice.value = '';
  }

  async #drain() {
    const minutes = wholeIn(this.minutes.value, 0, DRAIN_MIN_MAX);
    attribute(this.minutes, 'aria-invalid', minutes === null ? 'true' : null);
    if (minutes === null) {
      this.minutes.focus();
      return this.refuse((text) => text.say('admin.range',
        { name: text.say('admin.field.minutes'), min: 0, max: DRAIN_MIN_MAX }));
    }
    this.sure = !this.sure;
    this.redraw();
    if (this.sure) return this.host.say(() => this.text?.say('admin.drain.sure') ?? '');
    await this.send(drainOf(minutes, this.words_.value), 'admin.drain.done');
  }

  async #undo() {
    this.sure = false;
    this.redraw();
    if (this.#standing()) await this.send({ type: 'drain', cancel: true }, 'admin.drain.undone');
  }

  #standing() {
    return this.state?.notices.find(({ kind }) => kind === 'drain') ?? null;
  }

  /** @param {import('../../state.js').State} state @param {Text} text @param {number} now */
  draw({ stats }, text, now) {
    const standing = this.#standing();
    put(this.drainButton, text.say(this.sure ? 'admin.drain.sure' : 'admin.drain.go'));
    this.drainButton.classList.toggle('danger', this.sure);
    put(this.standing, standing ? drainWords(standing, text, now) : '');
    show(this.standing, !!standing);
    put(this.why, this.now ? capWords(stats ?? this.concurrency, text) : '');
    show(this.undo, !!standing || this.sure);
  }
}
