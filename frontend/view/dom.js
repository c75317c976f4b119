// @ts-check
// dom - creates elements, sets text (never as markup) and attributes; the page's icons.

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {{class?: string, text?: string, on?: Record<string, (event: any) => void>,
 *             data?: Record<string, string>, [attribute: string]: any}} Properties */

/** A new element. `class`, `text`, `on` and `data` are special; all else are attributes.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Properties} [properties] @param {...(Node | null)} children
 * @returns {HTMLElementTagNameMap[K]} */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class') element.className = value.trim();
    else if (name === 'text') element.textContent = value;
    else if (name === 'on') listen(element, value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {HTMLElement} element @param {Record<string, (event: any) => void>} on */
function listen(element, on) {
  for (const [type, f] of Object.entries(on)) element.addEventListener(type, f);
}

/** The element with this id; its absence is a bug.
 * @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element #${id}`);
  return /** @type {T} */ (element);
}

/** Set text only when it changes, to avoid layout and repeated announcements.
 * @param {Element} element @param {string} text */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set or remove an attribute, only when it changes. @param {Element} element
 * @param {string} name @param {string | null} value */
export function attribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** @param {HTMLElement} element @param {boolean} shown */
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** The language of a text as far as its script tells, for glyphs and speech.
 * @param {string} words @returns {'zh' | 'ja' | 'ko' | null} null: unknown */
export function languageOf(words) {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(words)) return 'ja';
  if (/\p{Script=Hangul}/u.test(words)) return 'ko';
  return /\p{Script=Han}/u.test(words) ? 'zh' : null;
}

/** Show a prompt: as text, with its own direction and language.
 * @param {Element} element @param {string} words */
export function quote(element, words) {
  put(element, words);
  attribute(element, 'dir', 'auto');
  attribute(element, 'lang', languageOf(words));
}

/** The address of a picture below the page's own: the server names it from its root, which a proxy
 * may serve below a path. @param {string} url @param {boolean} [download] */
export function pictureUrl(url, download = false) {
  if (url.startsWith('blob:')) return url; // fetched by this page, as no other way shows it
  const path = url.replace(/^\/+/, '');
  return /^i\/[0-9a-f]+\.png$/.test(path) ? `${path}${download ? '?download=1' : ''}` : '';
}

const NAME_MAX = 80; // characters

/** A prompt cut to NAME_MAX characters, for labels. @param {string} words */
export function brief(words) {
  const characters = [...words.slice(0, 2 * NAME_MAX + 1)];
  return characters.length > NAME_MAX ? `${characters.slice(0, NAME_MAX).join('')}…` : words;
}

/** Paths on a 20 by 20 grid. */
const ICONS = Object.freeze({
  close: 'M5 5l10 10M15 5 5 15',
  save: 'M10 3v9.5M6 9l4 4 4-4M4 16.5h12',
  again: 'M4 10a6 6 0 1 1 1.8 4.3M4 15.5v-3.2h3.2',
  form: 'M4 5h12M4 10h7M4 15h4M13.5 17l3-3-3-3',
  dice:
    'M5 3h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2ZM7 7h.01M13 7h.01' +
    'M10 10h.01M7 13h.01M13 13h.01',
  copy:
    'M7.5 7.5V4.8A1.8 1.8 0 0 1 9.3 3h5.9A1.8 1.8 0 0 1 17 4.8v5.9a1.8 1.8 0 0 1-1.8 1.8h-2.7' +
    'M4.8 7.5h5.9a1.8 1.8 0 0 1 1.8 1.8v5.9a1.8 1.8 0 0 1-1.8 1.8H4.8A1.8 1.8 0 0 1 3 15.2V9.3' +
    'a1.8 1.8 0 0 1 1.8-1.8Z',
  link:
    'M8.2 11.8a3.4 3.4 0 0 0 4.8 0l2.9-2.9a3.4 3.4 0 0 0-4.8-4.8l-1 1' +
    'M11.8 8.2a3.4 3.4 0 0 0-4.8 0l-2.9 2.9a3.4 3.4 0 0 0 4.8 4.8l1-1',
  check: 'M4 10.5l4 4 8-9',
  broken: 'M3 5h14v10H3ZM3 12l4-3 3 3 2-2 5 4M11 2l-2 3 2 2-2 3',
  stop: 'M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15ZM5 5l10 10',
  add: 'M3 4.5h9v11H3ZM5 13l2.5-3.5L9.5 12l1-1.2 1.5 2.2M15.5 7v6M12.9 10h5.2',
  back: 'M12.5 4.5 7 10l5.5 5.5',
  forth: 'M7.5 4.5 13 10l-5.5 5.5',
  heart: 'M10 16.5 3.9 10.6a3.9 3.9 0 0 1 5.5-5.5l.6.6.6-.6a3.9 3.9 0 0 1 5.5 5.5Z',
  bin: 'M4 5.5h12M8 5.5V3.8h4v1.7M5.5 5.5l.7 11h7.6l.7-11M8.4 8.5v5M11.6 8.5v5',
  film: 'M3.5 4h13v12h-13ZM7 4v12M13 4v12M3.5 8H7M3.5 12H7M13 8h3.5M13 12h3.5',
  compare: 'M3.5 4h13v12h-13ZM10 2v16M6 8l-1 2 1 2M14 8l1 2-1 2',
  compose: 'M3.5 3.5h6v6h-6ZM12.5 5h4M14.5 3v4M12 14.5a2.3 2.3 0 1 0 4.6 0 2.3 2.3 0 0 0-4.6 0' +
    'ZM3.5 16.5l3-4.5 3 4.5Z',
});

/** @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon or a label. @param {keyof typeof ICONS | null} image
 * @param {(event: MouseEvent) => void} act @param {string} [more] classes */
export function button(image, act, more = '') {
  const label = el('span', more.includes('icon') ? { class: 'sr' } : {});
  const element = el('button', { type: 'button', class: `quiet ${more}`, on: { click: act } },
    image && icon(image), label);
  return { element, label };
}

const GLIDE_MS = 450; // as in style.css

/** A bar from 0 to 1. */
export class Bar {
  /** @param {string} [more] classes */
  constructor(more = '') {
    this.fill = el('i');
    this.element = el('span', { class: `bar ${more}` }, this.fill);
    this.share = '';
    this.at = -Infinity;
  }

  /** It glides where steps are slow: faster ones would keep it moving, in every frame.
   * @param {number} share */
  set(share) {
    const words = `scaleX(${share.toFixed(3)})`;
    if (words === this.share) return;
    const now = performance.now();
    this.fill.classList.toggle('glide', now - this.at > GLIDE_MS);
    this.fill.style.transform = this.share = words;
    this.at = now;
  }
}
