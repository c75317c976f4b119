// @ts-check
// composer - the form: prompt, size and advanced settings, with an error beside each wrong field.

import { PROMPT_BYTES_MAX, promptFault, promptLimits } from '../prompt.js';
import { halfWidth } from '../sweep.js';
import { attribute, byId, el, languageOf, put, show } from './dom.js';
import { Several } from './several.js';
import { Sizes } from './sizes.js';
import { Sources } from './sources.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Spec} Spec */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {import('./sizes.js').Field} Field */

/** The limits until the first hello brings the server's.
 * @type {Record<string, Field>} */
const UNKNOWN = Object.freeze({
  prompt: { name: 'prompt', min: 1, max: PROMPT_BYTES_MAX },
  width: { name: 'width', min: 64, max: 2048, step: 32 },
  height: { name: 'height', min: 64, max: 2048, step: 32 },
  steps: { name: 'steps', min: 1, max: 200, step: 1 },
  guidance: { name: 'guidance', min: 0, max: 20 },
  seed: { name: 'seed', min: -1, max: Number.MAX_SAFE_INTEGER },
  noise_seed: { name: 'noise_seed', min: -1, max: Number.MAX_SAFE_INTEGER },
});
const STEPS_SLIDE_MAX = 100; // more can be typed
const GUIDANCE_SLIDE_MAX = 8;
const ASPECT_MAX = 4;
const DICE_MAX = 2 ** 31;
const EXAMPLES_MAX = 6;
/** The element that shows the error of each field, in the order of the page.
 * @type {Readonly<Record<string, string>>} */
const PLACES = Object.freeze({
  prompt: 'prompt-error', size: 'size-error', width: 'side-error', height: 'side-error',
  steps: 'steps-error', guidance: 'guidance-error', seed: 'seed-error',
  noise_seed: 'noise_seed-error',
});
/** The message for each fault of a prompt. */
const FAULTS = Object.freeze({ prompt_character: 'compose.error.character',
  prompt_long: 'compose.error.long', prompt_unseen: 'compose.error.unseen' });
const NUMBERS = /** @type {const} */ (['steps', 'guidance']);
/** The message for a wrong seed; an empty one is -1. */
const SEEDS = Object.freeze({ seed: 'compose.error.seed',
  noise_seed: 'compose.error.noise_seed' });
const SEED_NAMES = /** @type {(keyof typeof SEEDS)[]} */ (Object.keys(SEEDS));

/** The server's examples, those in the page's language first. @param {any} hello
 * @param {string} lang @returns {string[]} */
export function examplesOf(hello, lang) {
  const mine = (/** @type {string} */ words) =>
    Number((languageOf(words) === 'zh') === (lang === 'zh'));
  return [...(hello?.examples ?? [])].sort((a, b) => mine(b) - mine(a)).slice(0, EXAMPLES_MAX);
}

export class Composer {
  /** @param {{submit: (spec: Spec, more: import('../state.js').More) => void,
   *           changed: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.form = /** @type {HTMLFormElement} */ (byId('composer'));
    this.prompt = /** @type {HTMLTextAreaElement} */ (byId('prompt'));
    this.input = {
      steps: /** @type {HTMLInputElement} */ (byId('steps')),
      guidance: /** @type {HTMLInputElement} */ (byId('guidance')),
      seed: /** @type {HTMLInputElement} */ (byId('seed')),
      noise_seed: /** @type {HTMLInputElement} */ (byId('noise_seed')),
    };
    this.slide = {
      steps: /** @type {HTMLInputElement} */ (byId('steps-slide')),
      guidance: /** @type {HTMLInputElement} */ (byId('guidance-slide')),
    };
    this.advanced = /** @type {HTMLDetailsElement} */ (byId('advanced'));
    this.sizes = new Sizes();
    this.several = new Several();
    this.sources = new Sources({ changed: () => this.acts.changed(),
      hidden: () => this.several.private.checked });
    this.places = { ...PLACES, ...this.several.places, images: 'sources-error' };
    /** @type {Text | null} */ this.text = null;
    this.fields = UNKNOWN;
    /** @type {any} */ this.hello = null;
    /** @type {Map<string, () => string>} errors by field, as functions of the language */
    this.errors = new Map();
    this.#listen();
  }

  #listen() {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      if (event.isComposing || event.repeat) return;
      if (document.querySelector('dialog[open]') || this.form.closest('[hidden]')) return;
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener('input',
      (event) => this.#edited(/** @type {HTMLInputElement} */ (event.target)));
    byId('dice').addEventListener('click', () => {
      this.input.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % DICE_MAX);
      this.#edited(this.input.seed);
    });
  }

  /** @param {HTMLElement} target */
  #edited(target) {
    for (const name of NUMBERS) {
      if (target === this.slide[name]) this.input[name].value = this.slide[name].value;
      if (target === this.input[name]) this.slide[name].value = this.input[name].value;
    }
    const sizing = target instanceof HTMLInputElement && target.name === 'size';
    const sized = sizing || target === this.sizes.sides.width || target === this.sizes.sides.height;
    const mended = sized ? ['size', 'width', 'height'] : [target.id.replace('-slide', '')];
    if (mended.filter((id) => this.errors.delete(id)).length) this.#showErrors();
    this.#summary();
    this.acts.changed();
  }

  /** The spec in the form; null after focusing the first wrong field and showing its error.
   * @returns {Spec | null} */
  read() {
    const found = this.#check();
    this.errors = found;
    this.#showErrors();
    if (found.size) {
      const first = [...found.keys()][0];
      if (first.startsWith('several')) this.several.box.open = true;
      else if (first !== 'prompt' && first !== 'images') this.advanced.open = true;
      byId(first === 'images' ? 'sources-add' : first).focus();
      if (first === 'prompt') this.#selectFault();
      return null;
    }
    return this.peek();
  }

  /** The digits in the field, "": none. @param {keyof typeof SEEDS} name */
  #seed(name) {
    return halfWidth(this.input[name].value).trim();
  }

  /** The spec in the form, not checked. @returns {Spec} */
  peek() {
    /** @type {Spec} */
    const spec = { prompt: this.prompt.value.trim() };
    Object.assign(spec, this.sizes.size);
    const { steps, guidance } = this.input;
    if (steps.value !== '') spec.steps = Number(steps.value);
    if (guidance.value !== '') spec.guidance = Number(guidance.value);
    spec.seed = Number(this.#seed('seed') || -1);
    if (this.#seed('noise_seed')) spec.noise_seed = Number(this.#seed('noise_seed'));
    const images = this.sources.digests;
    if (images.length) spec.images = images;
    return spec;
  }

  /** Whether the form has no errors. */
  valid() {
    return this.#check().size === 0;
  }

  #submit() {
    if (!this.read()) return;
    const { spec, more } = this.request();
    this.acts.submit(spec, more);
  }

  /** What the form asks for, not checked. */
  request() {
    return this.several.request(this.peek());
  }

  /** Submit this prompt with the form's settings. @param {string} prompt */
  ask(prompt) {
    if (!this.prompt.value.trim()) {
      this.prompt.value = prompt;
      this.acts.changed();
    }
    const spec = this.read();
    if (spec) this.acts.submit({ ...spec, prompt }, {});
  }

  /** @returns {Map<string, () => string>} */
  #check() {
    const found = new Map();
    const text = /** @type {Text} */ (this.text);
    const fault = this.#promptFault();
    if (fault) found.set('prompt', () => this.text?.say(fault.key, fault.values));
    const size = this.sizes.fault();
    if (size) {
      found.set(size.side, () =>
        this.text?.say(size.key, { ...size.values, name: this.text.say(`field.${size.side}`) }));
    }
    for (const name of NUMBERS) {
      const field = this.fields[name];
      const input = this.input[name];
      const value = Number(input.value);
      const whole = name === 'steps';
      if (input.value === '' && !input.validity.badInput) continue; // empty: the server's default
      if (!input.validity.badInput && value >= field.min && value <= field.max
          && !(whole && !Number.isInteger(value))) {
        continue;
      }
      found.set(name, () => this.text?.say(whole ? 'compose.error.whole' : 'compose.error.range',
        { name: this.text.say(`compose.${name}`), min: field.min, max: field.max }));
    }
    for (const name of SEED_NAMES) {
      const seed = this.#seed(name);
      const { max } = this.fields[name];
      if (seed === '' || (/^\d+$/.test(seed) && Number(seed) <= max)) continue;
      found.set(name, () => this.text?.say(SEEDS[name], { max: text.number.format(max) }));
    }
    for (const [id, words] of this.several.check(this.peek())) found.set(id, words);
    for (const [, words] of this.sources.check()) found.set('images', words);
    return found;
  }

  #promptFault() {
    const prompt = this.prompt.value.trim();
    if (!prompt) return { key: 'compose.error.empty', values: {} };
    const fault = promptFault(prompt, promptLimits(this.hello));
    return fault && { ...fault, key: FAULTS[fault.code] };
  }

  /** Select the character that cannot be sent: it may not be visible. */
  #selectFault() {
    const fault = promptFault(this.prompt.value, promptLimits(this.hello));
    if (fault?.code !== 'prompt_character') return;
    this.prompt.setSelectionRange(fault.at, fault.at + fault.length);
  }

  #showErrors() {
    const words = new Map(Object.values(this.places).map((place) => [place, '']));
    for (const [id, place] of Object.entries(this.places)) {
      const error = this.errors.get(id)?.() ?? '';
      if (error) words.set(place, error);
      if (id === 'size' || id === 'images') continue;
      attribute(byId(id), 'aria-invalid', error ? 'true' : null);
    }
    for (const [place, error] of words) {
      put(byId(place), error);
      show(byId(place), error !== '');
    }
  }

  /** Show an error that the server found beside its field. @param {string} field
   * @param {() => string} words */
  showFault(field, words) {
    const id = (field === 'width' || field === 'height') && this.sizes.preset() ? 'size' : field;
    if (!Object.hasOwn(PLACES, id) && id !== 'images') return;
    if (id !== 'prompt' && id !== 'size' && id !== 'images') this.advanced.open = true;
    this.errors.set(id, words);
    this.#showErrors();
  }

  /** Fill the form. @param {Spec} spec @param {import('../state.js').More} [more] */
  fill(spec, more = {}) {
    this.prompt.value = spec.prompt;
    for (const name of NUMBERS) {
      if (spec[name] === undefined) continue;
      this.input[name].value = String(spec[name]);
      this.slide[name].value = String(spec[name]);
    }
    for (const name of SEED_NAMES) {
      const seed = spec[name] ?? -1;
      this.input[name].value = seed < 0 ? '' : String(seed);
    }
    if (spec.width && spec.height) this.sizes.choose({ width: spec.width, height: spec.height });
    this.several.fill(more);
    this.sources.fill(spec.images ?? []);
    this.errors.clear();
    this.#showErrors();
    this.#summary();
    this.acts.changed();
  }

  /** @param {State} state @param {Text} text */
  update(state, text) {
    const languageChanged = text !== this.text;
    const helloChanged = state.hello !== null && state.hello !== this.hello;
    this.text = text;
    if (helloChanged) this.#applyHello(state.hello);
    this.several.update(this.hello, text, this.peek());
    this.sources.update(this.hello, text);
    if (languageChanged) {
      const mac = /Mac|iPhone|iPad/.test(navigator.platform);
      put(byId('keys'), text.say(mac ? 'compose.keys.mac' : 'compose.keys'));
      this.sizes.translate(text);
      this.#showErrors();
    }
    if (languageChanged || helloChanged) {
      this.#buildExamples();
      this.#summary();
    }
    // without jobs the gallery shows the examples
    show(byId('examples'), state.jobs.length > 0 && byId('examples-list').childElementCount > 0);
  }

  /** Take limits, defaults and sizes from a hello. @param {any} hello */
  #applyHello(hello) {
    const first = !this.hello;
    // another model has its own defaults
    const other = !first && this.hello.model?.name !== hello.model?.name;
    const { fields = [], defaults = {}, sizes = [], limits = {} } = hello;
    this.hello = hello;
    this.fields =
      { ...UNKNOWN, ...Object.fromEntries(fields.map((/** @type {Field} */ f) => [f.name, f])) };
    for (const name of NUMBERS) {
      const { min, max, step } = this.fields[name];
      const top = Math.min(max, name === 'steps' ? STEPS_SLIDE_MAX : GUIDANCE_SLIDE_MAX);
      Object.assign(this.input[name], { min, max, step: step || 'any' });
      Object.assign(this.slide[name], { min, max: top, step: step || 0.1 });
      if (other || (first && this.input[name].value === '')) {
        this.input[name].value = String(defaults[name] ?? '');
      }
      this.slide[name].value = this.input[name].value;
    }
    const { width, height } = this.fields;
    const usual = sizes[0] ?? { width: width.min, height: height.min };
    this.sizes.setRules({ presets: sizes, width, height, aspect: limits.aspect_max ?? ASPECT_MAX },
      { width: defaults.width ?? usual.width, height: defaults.height ?? usual.height }, other);
  }

  #buildExamples() {
    const examples = examplesOf(this.hello, this.text?.lang ?? 'en');
    byId('examples-list').replaceChildren(...examples.map((example) => el('button', {
      type: 'button', class: 'example', text: example, title: example, dir: 'auto',
      lang: languageOf(example), on: { click: () => this.#take(example) },
    })));
  }

  /** @param {string} example */
  #take(example) {
    this.write(example);
    this.prompt.focus();
  }

  /** Other words in place of the prompt. @param {string} words */
  write(words) {
    this.prompt.value = words;
    this.prompt.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** Show the advanced settings in a few words while they are folded. */
  #summary() {
    const { text } = this;
    if (!text) return;
    const { steps, guidance } = this.input;
    const parts = [];
    if (steps.value) parts.push(text.say('compose.now.steps', { n: Number(steps.value) }));
    if (guidance.value) {
      parts.push(text.say('compose.now.guidance', { value: Number(guidance.value) }));
    }
    const seed = this.#seed('seed');
    const noise = this.#seed('noise_seed');
    parts.push(seed ? text.say('compose.now.seed', { value: seed })
      : text.say('compose.now.random'));
    if (noise) parts.push(text.say('compose.now.noise', { value: noise }));
    put(byId('advanced-now'), parts.join(' · '));
    this.several.summary(this.peek());
  }
}
