// @ts-check
// composer - the form: prompt, examples, size, and the settings that are folded away.

import { attribute, byId, el, put, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Spec} Spec */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {{name: string, min: number, max: number, step?: number, default?: number}} Field */

/** Before the first hello the page knows no limits; these only keep the form in shape. @type {Record<string, Field>} */
const UNKNOWN = Object.freeze({
  prompt: { name: 'prompt', min: 1, max: 16384 },
  steps: { name: 'steps', min: 1, max: 200, step: 1 },
  guidance: { name: 'guidance', min: 0, max: 20 },
  seed: { name: 'seed', min: -1, max: Number.MAX_SAFE_INTEGER },
});
const STEPS_SLIDE_MAX = 100; // more is typed
const GUIDANCE_SLIDE_MAX = 8;
const GLYPH_PX = 26; // longest side of a size's little frame
const DICE_MAX = 2 ** 31;
const EXAMPLES_MAX = 6;
const BLAMED = Object.freeze(['prompt', 'size', 'steps', 'guidance', 'seed']); // what can be wrong, as it is laid out

/** Without half characters, which JSON can carry and UTF-8 cannot. @param {string} words */
const wellFormed = (words) => words.replace(/\p{Surrogate}/gu, '\ufffd');

export class Composer {
  /** @param {{submit: (spec: Spec) => void, changed: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.form = /** @type {HTMLFormElement} */ (byId('composer'));
    this.prompt = /** @type {HTMLTextAreaElement} */ (byId('prompt'));
    this.input = {
      steps: /** @type {HTMLInputElement} */ (byId('steps')),
      guidance: /** @type {HTMLInputElement} */ (byId('guidance')),
      seed: /** @type {HTMLInputElement} */ (byId('seed')),
    };
    this.slide = {
      steps: /** @type {HTMLInputElement} */ (byId('steps-slide')),
      guidance: /** @type {HTMLInputElement} */ (byId('guidance-slide')),
    };
    this.sizes = byId('sizes');
    this.size = ''; // "256x256", "" until the server has said what it can do
    /** @type {Text | null} */ this.text = null;
    this.fields = UNKNOWN;
    /** @type {any} */ this.hello = null;
    /** @type {Map<string, () => string>} errors that are shown, as functions so that they follow the language */
    this.errors = new Map();
    this.#listen();
  }

  #listen() {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener('input', (event) => this.#edited(/** @type {HTMLInputElement} */ (event.target)));
    byId('dice').addEventListener('click', () => {
      this.input.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % DICE_MAX);
      this.#edited(this.input.seed);
    });
  }

  /** @param {HTMLElement} target */
  #edited(target) {
    for (const name of /** @type {const} */ (['steps', 'guidance'])) {
      if (target === this.slide[name]) this.input[name].value = this.slide[name].value;
      if (target === this.input[name]) this.slide[name].value = this.input[name].value;
    }
    const sizing = target instanceof HTMLInputElement && target.name === 'size';
    if (sizing) this.size = target.value;
    const id = sizing ? 'size' : target.id.replace('-slide', '');
    if (this.errors.delete(id)) this.#showErrors();
    this.#summary();
    this.acts.changed();
  }

  /** What the form says now, or null; then the first wrong field has the focus and a sentence. @returns {Spec | null} */
  read() {
    const found = this.#check();
    this.errors = found;
    this.#showErrors();
    if (found.size) {
      const first = [...found.keys()][0];
      if (first !== 'prompt') /** @type {HTMLDetailsElement} */ (byId('advanced')).open = true;
      byId(first).focus();
      return null;
    }
    return this.peek();
  }

  /** What the form says, without judging it. @returns {Spec} */
  peek() {
    /** @type {Spec} */
    const spec = { prompt: wellFormed(this.prompt.value.trim()) };
    const [width, height] = this.size.split('x').map(Number);
    if (width && height) Object.assign(spec, { width, height });
    const { steps, guidance, seed } = this.input;
    if (steps.value !== '') spec.steps = Number(steps.value);
    if (guidance.value !== '') spec.guidance = Number(guidance.value);
    spec.seed = seed.value.trim() === '' ? -1 : Number(seed.value.trim());
    return spec;
  }

  /** Whether there is something that could be asked for. */
  sound() {
    return this.#check().size === 0;
  }

  #submit() {
    const spec = this.read();
    if (spec) this.acts.submit(spec);
  }

  /** @returns {Map<string, () => string>} */
  #check() {
    const found = new Map();
    const text = /** @type {Text} */ (this.text);
    const prompt = this.prompt.value.trim();
    const bytes = new TextEncoder().encode(prompt).length;
    const { max } = this.fields.prompt;
    if (!prompt) found.set('prompt', () => this.text?.say('compose.error.empty'));
    else if (bytes > max) found.set('prompt', () => this.text?.say('compose.error.long', { n: bytes, max }));
    for (const name of /** @type {const} */ (['steps', 'guidance'])) {
      const field = this.fields[name];
      const input = this.input[name];
      const value = Number(input.value);
      const whole = name === 'steps';
      if (input.value === '' && !input.validity.badInput) continue; // empty: the server's default
      if (!input.validity.badInput && value >= field.min && value <= field.max && !(whole && !Number.isInteger(value))) continue;
      found.set(name, () => this.text?.say(whole ? 'compose.error.whole' : 'compose.error.range',
        { name: this.text.say(`compose.${name}`), min: field.min, max: field.max }));
    }
    const seed = this.input.seed.value.trim();
    const most = this.fields.seed.max;
    if (seed !== '' && !(/^\d+$/.test(seed) && Number(seed) <= most)) {
      found.set('seed', () => this.text?.say('compose.error.seed', { max: text.number.format(most) }));
    }
    return found;
  }

  #showErrors() {
    for (const id of BLAMED) {
      const words = this.errors.get(id)?.() ?? '';
      const place = byId(`${id}-error`);
      put(place, words);
      show(place, words !== '');
      if (id !== 'size') attribute(byId(id), 'aria-invalid', words ? 'true' : null);
    }
  }

  /** Say what the server found wrong with a field, where the field is. @param {string} field @param {() => string} words */
  blame(field, words) {
    const id = field === 'width' || field === 'height' ? 'size' : field;
    if (!BLAMED.includes(id)) return;
    this.errors.set(id, words);
    this.#showErrors();
  }

  /** Fill the form. @param {Spec} spec */
  fill(spec) {
    this.prompt.value = spec.prompt;
    for (const name of /** @type {const} */ (['steps', 'guidance'])) {
      if (spec[name] === undefined) continue;
      this.input[name].value = String(spec[name]);
      this.slide[name].value = String(spec[name]);
    }
    this.input.seed.value = spec.seed === undefined || spec.seed < 0 ? '' : String(spec.seed);
    if (spec.width && spec.height) this.#choose(spec.width, spec.height);
    this.errors.clear();
    this.#showErrors();
    this.#summary();
    this.acts.changed();
  }

  /** @param {number} width @param {number} height */
  #choose(width, height) {
    this.size = `${width}x${height}`;
    const has = [...this.sizes.querySelectorAll('input')].some((input) => input.value === this.size);
    if (!has && this.text) this.#buildSizes();
    for (const input of this.sizes.querySelectorAll('input')) input.checked = input.value === this.size;
  }

  /** @param {State} state @param {Text} text */
  update(state, text) {
    const spoke = text !== this.text;
    this.text = text;
    if (state.hello && state.hello !== this.hello) {
      const first = !this.hello;
      this.hello = state.hello;
      this.#learn(first);
    }
    if (spoke) {
      const mac = /Mac|iPhone|iPad/.test(navigator.platform);
      put(byId('keys'), text.say(mac ? 'compose.keys.mac' : 'compose.keys'));
      this.#showErrors();
      if (this.hello) {
        this.#buildSizes();
        this.#buildExamples();
      }
      this.#summary();
    }
  }

  /** The server said what it can do. @param {boolean} first */
  #learn(first) {
    const { fields = [], defaults = {}, sizes = [] } = this.hello;
    this.fields = { ...UNKNOWN, ...Object.fromEntries(fields.map((/** @type {Field} */ f) => [f.name, f])) };
    for (const name of /** @type {const} */ (['steps', 'guidance'])) {
      const { min, max, step } = this.fields[name];
      const top = Math.min(max, name === 'steps' ? STEPS_SLIDE_MAX : GUIDANCE_SLIDE_MAX);
      Object.assign(this.input[name], { min, max, step: step || 'any' });
      Object.assign(this.slide[name], { min, max: top, step: step || 0.1 });
      if (first && this.input[name].value === '') this.input[name].value = String(defaults[name] ?? '');
      this.slide[name].value = this.input[name].value;
    }
    const fits = sizes.some((/** @type {{width: number, height: number}} */ s) => `${s.width}x${s.height}` === this.size);
    if (!fits) this.size = `${defaults.width}x${defaults.height}`;
    this.#buildSizes();
    this.#buildExamples();
    this.#summary();
  }

  #buildSizes() {
    const text = /** @type {Text} */ (this.text);
    const { sizes = [] } = this.hello ?? {};
    const names = sizes.map((/** @type {{width: number, height: number}} */ s) => `${s.width}x${s.height}`);
    const all = names.includes(this.size) || !this.size ? names : [...names, this.size];
    const focused = this.sizes.contains(document.activeElement);
    this.sizes.replaceChildren(...all.map((/** @type {string} */ value) => {
      const [width, height] = value.split('x').map(Number);
      const shape = text.say(`compose.size.${width === height ? 'square' : width > height ? 'wide' : 'tall'}`);
      const input = el('input', { type: 'radio', name: 'size', value, 'aria-label': text.say('compose.size.name',
        { shape, width: String(width), height: String(height) }) });
      input.checked = value === this.size;
      const frame = el('i', { 'aria-hidden': 'true' });
      const scale = GLYPH_PX / Math.max(width, height) * Math.min(1, 0.62 + Math.max(width, height) / 1350);
      frame.style.width = `${width * scale}px`;
      frame.style.height = `${height * scale}px`;
      return el('label', { class: 'size' }, input,
        el('span', { class: 'size-face', 'aria-hidden': 'true' }, frame, el('span', { text: `${width} × ${height}` })));
    }));
    if (focused) this.sizes.querySelector('input:checked') instanceof HTMLElement
      && /** @type {HTMLElement} */ (this.sizes.querySelector('input:checked')).focus();
  }

  #buildExamples() {
    const han = (/** @type {string} */ words) => /\p{Script=Han}/u.test(words);
    const mine = (/** @type {string} */ words) => Number(han(words) === (this.text?.lang === 'zh'));
    const examples = /** @type {string[]} */ ([...(this.hello.examples ?? [])]).sort((a, b) => mine(b) - mine(a)).slice(0, EXAMPLES_MAX);
    show(byId('examples'), examples.length > 0);
    byId('examples-list').replaceChildren(...examples.map((example) => el('button', {
      type: 'button', class: 'example', text: example, title: example, lang: han(example) ? 'zh' : 'en',
      on: { click: () => this.#take(example) },
    })));
  }

  /** @param {string} example */
  #take(example) {
    this.prompt.value = example;
    this.#edited(this.prompt);
    this.prompt.focus();
  }

  /** The folded settings in a few words. */
  #summary() {
    const { text } = this;
    if (!text) return;
    const { steps, guidance, seed } = this.input;
    const parts = [];
    if (steps.value) parts.push(text.say('compose.now.steps', { n: Number(steps.value) }));
    if (guidance.value) parts.push(text.say('compose.now.guidance', { value: Number(guidance.value) }));
    parts.push(seed.value.trim() ? text.say('compose.now.seed', { value: seed.value.trim() }) : text.say('compose.now.random'));
    put(byId('advanced-now'), parts.join(' · '));
  }
}
