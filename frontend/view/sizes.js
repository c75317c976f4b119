// @ts-check
// sizes - the picture's size: the model's presets, or width and height as numbers.

import { byId, el, put, show } from './dom.js';

/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {{name: string, min: number, max: number, step?: number, default?: number}} Field */
/** @typedef {{width: number, height: number}} Size */
/** The server's rules for sizes.
 * @typedef {{presets: readonly Size[], width: Field, height: Field, aspect: number}} Rules */

const FRAME_PX = 26; // longest side of the frame drawn on a preset
const SIDES = /** @type {const} */ (['width', 'height']);

const same = (/** @type {Size} */ a, /** @type {Size} */ b) =>
  a.width === b.width && a.height === b.height;

/** The legal side that is nearest to `value`. @param {number} value @param {Field} field */
export function nearest(value, { min, max, step = 1 }) {
  return Math.min(max, Math.max(min, Math.round(value / step) * step));
}

/** The smallest size that the model was made for, of its presets and its own size; null when there
 * is none. @param {readonly Size[]} sizes @returns {Size | null} */
export function smallest(sizes) {
  const known = sizes.filter(({ width, height }) => width > 0 && height > 0);
  return known.sort((a, b) => area(a) - area(b))[0] ?? null;
}

const area = (/** @type {Size} */ { width, height }) => width * height;

/** What is wrong with a size: the side, the message's key and its values; null when it is legal.
 * @param {Size} size @param {Rules} rules
 * @returns {{side: 'width' | 'height', key: string, values: Record<string, string>} | null} */
export function sizeFault(size, rules) {
  for (const side of SIDES) {
    const { min, max, step = 1 } = rules[side];
    const value = size[side];
    if (value >= min && value <= max && value % step === 0) continue;
    const numbers = { min, max, step, near: nearest(value || 0, rules[side]) };
    return { side, key: 'compose.error.side',
      values: Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, String(n)])) };
  }
  const [long, short] = size.width > size.height ? SIDES
    : /** @type {const} */ (['height', 'width']);
  if (size[long] <= size[short] * rules.aspect) return null;
  const { step = 1 } = rules[long];
  return { side: long, key: 'compose.error.aspect',
    values: { aspect: String(rules.aspect),
      near: String(Math.floor(size[short] * rules.aspect / step) * step) } };
}

export class Sizes {
  constructor() {
    this.list = byId('sizes');
    this.sides = { width: /** @type {HTMLInputElement} */ (byId('width')),
      height: /** @type {HTMLInputElement} */ (byId('height')) };
    /** @type {Size | null} */ this.size = null; // null until the first hello
    /** @type {Rules | null} */ this.rules = null;
    /** @type {Size | null} */ this.least = null; // below it the model ignores words
    /** @type {Text | null} */ this.text = null;
    /** @type {Text | null} */ this.built = null; // the language of the tiles
    this.list.addEventListener('input', (event) => {
      const [width, height] = /** @type {HTMLInputElement} */ (event.target).value.split('x')
        .map(Number);
      this.choose({ width, height });
    });
    for (const side of SIDES) this.sides[side].addEventListener('input', () => this.#typed());
  }

  /** Take the rules of a hello. @param {Rules} rules
   * @param {Size} fallback when no size was chosen, or an illegal one
   * @param {boolean} anew replace the chosen size by the fallback */
  setRules(rules, fallback, anew) {
    this.rules = rules;
    this.least = smallest([fallback, ...rules.presets]);
    for (const side of SIDES) {
      const { min, max, step = 1 } = rules[side];
      Object.assign(this.sides[side], { min, max, step });
    }
    this.choose(this.size && !anew && !sizeFault(this.size, rules) ? this.size : fallback);
  }

  /** @param {Text} text */
  translate(text) {
    this.text = text;
    this.#build();
  }

  /** @param {Size} size */
  choose(size) {
    this.size = { width: size.width, height: size.height };
    for (const side of SIDES) this.sides[side].value = String(size[side]);
    this.#build();
  }

  /** The fault of the typed width and height, null when they are legal. */
  fault() {
    return this.rules && sizeFault(this.#read(), this.rules);
  }

  /** Whether the size is a preset; an error about it is then shown there. */
  preset() {
    const { size } = this;
    return !!size && !!this.rules?.presets.some((preset) => same(preset, size));
  }

  #read() {
    return { width: Number(this.sides.width.value), height: Number(this.sides.height.value) };
  }

  #typed() {
    if (!this.rules || this.fault()) return;
    this.size = this.#read();
    this.#build();
  }

  #build() {
    const { text, size, rules } = this;
    if (!text || !size || !rules) return;
    const { min, max, step = 1 } = rules.width;
    const limits = { step: String(step), min: String(min), max: String(max) };
    this.#warn(text, size);
    put(byId('side-help'), text.say('compose.sides.help', { ...limits, aspect: rules.aspect }));
    const all = this.preset() ? rules.presets : [...rules.presets, size];
    const value = (/** @type {Size} */ s) => `${s.width}x${s.height}`;
    const inputs = [...this.list.querySelectorAll('input')];
    const present = inputs.map((input) => input.value).join();
    if (this.built === text && present === all.map(value).join()) {
      for (const input of inputs) input.checked = input.value === value(size);
      return;
    }
    this.built = text;
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...all.map((one) => this.#tile(one, text, same(one, size))));
    if (focused) {
      /** @type {HTMLElement | null} */ (this.list.querySelector('input:checked'))?.focus();
    }
  }

  /** Say when the size is smaller than what the model was made for. @param {Text} text
   * @param {Size} size */
  #warn(text, size) {
    const { least } = this;
    const small = least && area(size) < area(least);
    put(byId('size-small'), small ? text.say('compose.size.small',
      { width: String(least.width), height: String(least.height) }) : '');
    show(byId('size-small'), !!small);
  }

  /** @param {Size} size @param {Text} text @param {boolean} checked */
  #tile({ width, height }, text, checked) {
    const shape =
      text.say(`compose.size.${width === height ? 'square' : width > height ? 'wide' : 'tall'}`);
    const input = el('input', { type: 'radio', name: 'size', value: `${width}x${height}`,
      'aria-label': text.say('compose.size.name',
        { shape, width: String(width), height: String(height) }) });
    input.checked = checked;
    const frame = el('i', { 'aria-hidden': 'true' });
    const largest = Math.max(...(this.rules?.presets ?? []).flatMap((s) => [s.width, s.height]),
      width, height);
    const longer = Math.max(width, height);
    const scale = FRAME_PX / longer * (0.6 + 0.4 * longer / largest);
    frame.style.width = `${width * scale}px`;
    frame.style.height = `${height * scale}px`;
    return el('label', { class: 'size' }, input,
      el('span', { class: 'size-face', 'aria-hidden': 'true' }, frame,
        el('span', { text: `${width} × ${height}` })));
  }
}
