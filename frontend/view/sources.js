// @ts-check
// sources - the pictures that a request begins with: picked, dropped, pasted or taken from a
// result; each is uploaded at once and shown, in the order in which the prompt may speak of them.

import { attribute, button, byId, el, put, show } from './dom.js';

/** @typedef {import('../i18n/text.js').Text} Text */
/** url: shown while it is not kept. digest: null while it is uploaded.
 * @typedef {{digest: string | null, url: string, element: HTMLElement, image: HTMLImageElement,
 * earlier: {element: HTMLButtonElement, label: HTMLElement},
 * remove: {element: HTMLButtonElement, label: HTMLElement}}} Source */

const IMAGES_MAX = 4;
const EXPLAINED = new Set(['bad_image', 'too_large', 'other']); // the server's words say more
const TOLD = new Set(['bad_image', 'too_large', 'rate_limited', 'network']);

/** Whether the model of this server reads pictures. @param {any} hello */
export function takesPictures(hello) {
  const can = hello?.capabilities;
  return Array.isArray(can) && can.includes('image_to_image');
}

/** Where a picture of the server is, below the page's own address. @param {string} digest */
const addressOf = (digest) => `v1/images/${digest}`;

/** Send a file to be kept. @param {File} file @param {boolean} hidden in memory alone
 * @returns {Promise<{digest?: string, code?: string, message?: string}>} */
async function upload(file, hidden) {
  try {
    const answer = await fetch(`v1/images${hidden ? '?private=true' : ''}`, { method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' }, body: file });
    return await answer.json();
  } catch {
    return { code: 'network' };
  }
}

export class Sources {
  /** @param {{changed: () => void, hidden: () => boolean}} acts */
  constructor(acts) {
    this.acts = acts;
    this.box = byId('sources');
    this.title = el('legend');
    this.list = el('ol', { class: 'sources-list' });
    this.file = el('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp', multiple: '',
      hidden: '', tabindex: '-1', on: { change: () => this.#chosen() } });
    this.add = button(null, () => this.file.click(), 'small');
    this.add.element.id = 'sources-add';
    this.help = el('p', { class: 'help' });
    this.error = el('p', { class: 'field-error', id: 'sources-error', role: 'status' });
    show(this.error, false);
    this.box.append(this.title, this.list, this.add.element, this.file, this.error, this.help);
    /** @type {Source[]} */ this.all = [];
    /** @type {Text | null} */ this.text = null;
    this.max = 0;
    /** @type {() => string} */ this.fault = () => '';
    this.detail = '';
    this.#listen();
  }

  #listen() {
    const form = byId('composer');
    const carries = (/** @type {DragEvent} */ event) =>
      this.max > 0 && !!event.dataTransfer?.types.includes('Files');
    form.addEventListener('dragover', (event) => {
      if (carries(event)) this.box.dataset.drop = 'true';
    });
    form.addEventListener('dragleave', () => delete this.box.dataset.drop);
    form.addEventListener('drop', (event) => {
      delete this.box.dataset.drop;
      if (!carries(event)) return;
      event.preventDefault();
      event.stopPropagation(); // elsewhere a picture brings its settings back
      delete document.documentElement.dataset.drop;
      this.take([.../** @type {DataTransfer} */ (event.dataTransfer).files]);
    });
    form.addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!this.max || !files.length) return;
      event.preventDefault();
      this.take(files);
    });
  }

  #chosen() {
    this.take([...(this.file.files ?? [])]);
    this.file.value = ''; // the same one can be chosen again
  }

  /** The digests, in order; empty: the picture is made from words alone. @returns {string[]} */
  get digests() {
    return this.all.flatMap(({ digest }) => digest ?? []);
  }

  /** The wrong field, if there is one. @returns {Map<string, () => string>} */
  check() {
    const waits = this.all.some(({ digest }) => digest === null);
    return new Map(waits ? [['sources', () => this.text?.say('sources.wait') ?? '']] : []);
  }

  /** Upload these files. @param {File[]} files */
  take(files) {
    this.#tell(() => '');
    for (const file of files) {
      if (this.#full()) return;
      const source = this.#show(null, URL.createObjectURL(file));
      upload(file, this.acts.hidden()).then((answer) => this.#kept(source, file, answer));
    }
  }

  /** Begin with a picture that the server has. @param {string} digest */
  begin(digest) {
    if (!this.max || this.#full()) return false;
    this.#show(digest, addressOf(digest));
    this.acts.changed();
    return true;
  }

  /** Show these, and no others. @param {readonly string[]} digests */
  fill(digests) {
    while (this.all.length) this.#drop(this.all[0]);
    for (const digest of digests.slice(0, this.max)) this.#show(digest, addressOf(digest));
    this.#tell(() => '');
  }

  #full() {
    const full = this.all.length >= this.max;
    if (full) this.#tell(() => this.text?.say('sources.error.many', { n: this.max }) ?? '');
    return full;
  }

  /** @param {() => string} words @param {string} [detail] the server's, in English */
  #tell(words, detail = '') {
    this.fault = words;
    this.detail = detail;
    put(this.error, words());
    if (detail && this.text?.lang !== 'en') {
      this.error.append(' ', el('span', { lang: 'en', text: detail }));
    }
    show(this.error, this.error.textContent !== '');
  }

  /** @param {string} name of a file @param {string} code @param {string} message English */
  #refusal(name, code, message) {
    const { text } = this;
    if (!text) return '';
    const own = text.has(`sources.todo.${code}`) ? text.say(`sources.todo.${code}`) : '';
    const words = text.lang === 'en' ? message || own : own;
    return text.say(`sources.error.${code}`, { name, words });
  }

  /** @param {Source} source @param {File} file
   * @param {{digest?: string, code?: string, message?: string}} answer */
  #kept(source, file, answer) {
    if (!this.all.includes(source)) return; // it was removed meanwhile
    if (!answer.digest) {
      this.#drop(source);
      const code = TOLD.has(answer.code ?? '') ? answer.code : 'other';
      this.#tell(() => this.#refusal(file.name, code ?? 'other', answer.message ?? ''),
        EXPLAINED.has(code ?? '') ? answer.message : '');
    }
    source.digest = answer.digest ?? null;
    delete source.element.dataset.waits;
    this.#words();
    this.acts.changed();
  }

  /** @param {string | null} digest @param {string} url @returns {Source} */
  #show(digest, url) {
    const image = el('img', { alt: '', src: url });
    const earlier = button('back', () => this.#move(source), 'icon');
    const remove = button('close', () => this.#removed(source), 'icon');
    const element = el('li', {}, image, earlier.element, remove.element);
    /** @type {Source} */ const source = { digest, url, element, image, earlier, remove };
    if (digest === null) element.dataset.waits = 'true';
    this.all.push(source);
    this.list.append(element);
    this.#words();
    return source;
  }

  /** @param {Source} source */
  #move(source) {
    const at = this.all.indexOf(source);
    this.all.splice(at - 1, 0, ...this.all.splice(at, 1));
    this.list.insertBefore(source.element, this.list.children[at - 1]);
    this.#words();
    (at > 1 ? source.earlier : source.remove).element.focus();
    this.acts.changed();
  }

  /** @param {Source} source */
  #removed(source) {
    this.#drop(source);
    this.#tell(() => '');
    this.add.element.focus();
    this.acts.changed();
  }

  /** @param {Source} source */
  #drop(source) {
    this.all.splice(this.all.indexOf(source), 1);
    source.element.remove();
    if (source.url.startsWith('blob:')) URL.revokeObjectURL(source.url);
    this.#words();
  }

  #words() {
    const { text } = this;
    if (!text) return;
    this.all.forEach((source, i) => {
      const n = i + 1;
      attribute(source.image, 'alt', text.say('sources.nth', { n }));
      put(source.earlier.label, text.say('sources.earlier', { n }));
      put(source.remove.label, text.say('sources.remove', { n }));
      show(source.earlier.element, i > 0);
    });
    show(this.list, this.all.length > 0);
    show(this.add.element, this.all.length < this.max);
    show(this.help, this.all.length === 0);
  }

  /** @param {any} hello @param {Text} text */
  update(hello, text) {
    const field = (hello?.fields ?? []).find((/** @type {any} */ f) => f.name === 'images');
    const max = takesPictures(hello) ? field?.max ?? IMAGES_MAX : 0;
    if (text === this.text && max === this.max) return;
    this.text = text;
    this.max = max;
    show(this.box, max > 0);
    put(this.title, text.say('sources.title'));
    put(this.add.label, text.say('sources.add'));
    put(this.help, text.say('sources.help', { n: max }));
    this.#tell(this.fault, this.detail);
    if (!max) this.fill([]);
    this.#words();
  }
}
