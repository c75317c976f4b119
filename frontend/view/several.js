// @ts-check
// several - the parts of the form beside one picture's settings: how many and which values to
// compare (a sweep), the lane, and whether it is private.

import { CELLS_MAX, countOf, readList, requestOf } from '../sweep.js';
import { attribute, byId, el, put, show } from './dom.js';

/** @typedef {import('../state.js').Spec} Spec */
/** @typedef {import('../state.js').More} More */
/** @typedef {import('../i18n/text.js').Text} Text */

const PICTURES_MAX = 10;
const LISTS = /** @type {const} */ (['steps', 'guidance', 'seed']);
const LANES = Object.freeze(['urgent', 'normal', 'batch']);

export class Several {
  constructor() {
    this.box = /** @type {HTMLDetailsElement} */ (byId('several'));
    const list = { type: 'text', class: 'number list', autocomplete: 'off', spellcheck: 'false' };
    this.n = el('input', { id: 'several-n', class: 'number', type: 'number', min: '1', value: '1',
      step: '1', inputmode: 'numeric', 'aria-describedby': 'several-n-error' });
    this.lists = Object.fromEntries(LISTS.map((name) => [name, el('input', { ...list,
      id: `several-${name}`, 'aria-describedby': `several-${name}-error several-help` })]));
    this.prompts = el('textarea', { id: 'several-prompt', rows: '2', dir: 'auto',
      'aria-describedby': 'several-prompt-error' });
    this.lane = el('select', { id: 'lane', class: 'choice', 'aria-describedby': 'lane-help' },
      ...LANES.map((value) => el('option', { value })));
    this.private = el('input', { id: 'private', type: 'checkbox', 'aria-describedby':
      'private-error' });
    /** @type {Map<string, HTMLElement>} */ this.labels = new Map();
    byId('several-body').append(this.#field(this.n), ...LISTS.map((name) =>
      this.#field(this.lists[name])), el('p', { class: 'help', id: 'several-help' }),
    this.#field(this.prompts));
    this.laneField = this.#field(this.lane, el('p', { class: 'help', id: 'lane-help' }));
    byId('advanced-body').append(this.laneField, this.#field(this.private));
    /** @type {any} */ this.hello = null;
    /** @type {Text | null} */ this.text = null;
  }

  /** @param {HTMLElement} input @param {HTMLElement | null} [help] */
  #field(input, help = null) {
    const label = el('label', { for: input.id });
    this.labels.set(input.id, label);
    const error = el('p', { class: 'field-error', id: `${input.id}-error` });
    show(error, false);
    return el('div', { class: 'field' }, label, input, error, help);
  }

  /** The elements that show errors, by field. @returns {Record<string, string>} */
  get places() {
    const ids = ['several-n', ...LISTS.map((name) => `several-${name}`), 'several-prompt',
      'private'];
    return Object.fromEntries(ids.map((id) => [id, `${id}-error`]));
  }

  /** What the form asks for. @param {Spec} spec of one picture
   * @returns {{spec: Spec, more: More}} */
  request(spec) {
    const { lists } = this.#read();
    const lane = this.lane.value;
    const asked = requestOf(spec, lists, Number(this.n.value || 1));
    const more = this.private.checked ? { ...asked.several, private: true } : asked.several;
    return { spec: lane !== 'normal' && this.#lanes().includes(lane)
      ? { ...asked.spec, lane } : asked.spec, more };
  }

  /** The wrong fields. @param {Spec} spec @returns {Map<string, () => string>} */
  check(spec) {
    const { lists, faults } = this.#read();
    const pictures = this.hello?.limits?.pictures ?? PICTURES_MAX;
    const n = Number(this.n.value || 1);
    if (!Number.isInteger(n) || n < 1 || n > pictures) {
      faults.set('several-n', () => this.text?.say('compose.error.whole',
        { name: this.text.say('several.n'), min: 1, max: pictures }) ?? '');
    }
    if (faults.size) return faults;
    const all = countOf(requestOf(spec, lists, n).several);
    const max = this.hello?.limits?.cells ?? CELLS_MAX;
    const say = (/** @type {string} */ key) => () => this.text?.say(key, { n: all, max }) ?? '';
    if (all > max) faults.set('several-n', say('several.error.many'));
    else if (all > 1 && this.private.checked) faults.set('private', say('several.error.private'));
    return faults;
  }

  #read() {
    /** @type {Map<string, () => string>} */ const faults = new Map();
    /** @type {import('../sweep.js').Axes} */ const lists = {};
    for (const name of LISTS) {
      const rule = this.#rule(name);
      const { values, fault } = readList(this.lists[name].value, rule);
      if (values.length) lists[name] = values;
      if (!fault) continue;
      faults.set(`several-${name}`, () => this.text?.say(`several.error.${fault.code}`,
        { value: fault.value, min: rule.min, max: rule.max }) ?? '');
    }
    const own = /** @type {HTMLTextAreaElement} */ (byId('prompt')).value.trim();
    const prompts = this.prompts.value.split('\n').map((line) => line.trim()).filter(Boolean);
    const all = [...new Set([own, ...prompts])];
    return { lists: prompts.length ? { prompt: all, ...lists } : lists, faults };
  }

  /** @param {string} name @returns {import('../sweep.js').Rule} */
  #rule(name) {
    const field = (this.hello?.fields ?? []).find((/** @type {any} */ f) => f.name === name);
    const max = { steps: 200, guidance: 20, seed: Number.MAX_SAFE_INTEGER }[name] ?? 0;
    return { name, min: name === 'steps' ? 1 : 0, max: field?.max ?? max,
      ...(name === 'guidance' ? {} : { step: 1 }) };
  }

  /** The lanes that who is connected may use. @returns {readonly string[]} */
  #lanes() {
    return this.hello?.user?.lanes ?? LANES;
  }

  /** Ask for as many as then; {}: for one. @param {More} more */
  fill({ n = 1, sweep = {} }) {
    const values = (/** @type {string} */ name) =>
      (Array.isArray(sweep[name]) ? /** @type {(string | number)[]} */ (sweep[name]) : []);
    this.n.value = String(n);
    this.prompts.value = values('prompt').slice(1).join('\n');
    for (const name of LISTS) this.lists[name].value = values(name).join(', ');
    if (n > 1 || Object.keys(sweep).length) this.box.open = true;
  }

  /** Its inputs by a short name. @returns {Record<string, HTMLInputElement | HTMLTextAreaElement
   * | HTMLSelectElement>} */
  get #inputs() {
    return { ...this.lists, n: this.n, prompt: this.prompts, lane: this.lane };
  }

  /** What is typed and chosen, for restore(); what is as it was at first is left out.
   * @returns {Record<string, string>} */
  draft() {
    const typed = Object.entries(this.#inputs).map(([name, { value }]) => [name, value]);
    const first = /** @type {Record<string, string>} */ ({ n: '1', lane: 'normal' });
    const some = typed.filter(([name, value]) => value !== (first[name] ?? ''));
    return { ...Object.fromEntries(some), ...(this.private.checked ? { private: 'on' } : {}) };
  }

  /** @param {Record<string, string>} draft */
  restore(draft) {
    for (const [name, input] of Object.entries(this.#inputs)) {
      if (!Object.hasOwn(draft, name)) continue;
      const before = input.value;
      input.value = draft[name];
      if (input === this.lane && !input.value) input.value = before; // no such lane any more
      else if (input !== this.lane) this.box.open = true;
    }
    this.private.checked = draft.private === 'on';
  }

  /** @param {any} hello @param {Text} text @param {Spec} spec */
  update(hello, text, spec) {
    const changed = text !== this.text || hello !== this.hello;
    this.text = text;
    this.hello = hello;
    this.summary(spec);
    if (!changed) return;
    for (const [id, label] of this.labels) put(label, text.say(`form.${id}`));
    put(byId('several-help'), text.say('several.help'));
    put(byId('lane-help'), text.say('form.lane.help'));
    this.prompts.placeholder = text.say('several.prompt.example');
    for (const name of LISTS) this.lists[name].placeholder = EXAMPLES[name];
    this.n.max = String(hello?.limits?.pictures ?? PICTURES_MAX);
    const lanes = this.#lanes();
    for (const option of this.lane.options) {
      put(option, text.say(`lane.${option.value}`));
      option.disabled = !lanes.includes(option.value);
    }
    if (!this.lane.selectedOptions[0] || this.lane.selectedOptions[0].disabled) {
      this.lane.value = lanes.includes('normal') ? 'normal' : lanes[0] ?? 'normal';
    }
    if (!this.chosen) this.lane.value = lanes.includes('normal') ? 'normal' : lanes[0] ?? 'normal';
    this.chosen = true;
    show(this.laneField, lanes.length > 1);
  }

  /** How many pictures, in a few words. @param {Spec} spec */
  summary(spec) {
    const { lists, faults } = this.#read();
    const { several } = requestOf(spec, lists, Number(this.n.value || 1));
    const all = faults.size ? 0 : countOf(several);
    put(byId('several-now'), all > 1 ? this.text?.say('several.now', { n: all }) ?? '' : '');
    attribute(this.box, 'data-some', all > 1 ? 'true' : null);
  }
}

const EXAMPLES = Object.freeze({ steps: '10, 20, 40', guidance: '1..2/0.5', seed: '1..4' });
