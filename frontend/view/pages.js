// @ts-check
// pages - shows the page that the address names, loads it when it is first opened, and keeps the
// links in the header.

import { PAGES } from '../pages.js';
import { placeOf } from '../router.js';
import { attribute, byId, el, put, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {import('../pages.js').Page} Page */
/** @typedef {import('../pages.js').Host} Host */

const ROOM = 'room';

/** A page that was opened. @typedef {Object} Opened
 * @property {HTMLElement} box
 * @property {Page | null} page null: it is being loaded
 * @property {Record<string, any>} words by language
 * @property {Text | null} base the text that `text` was made from
 * @property {Text | null} text */

export class Pages {
  /** @param {Host & {redraw: () => void}} host */
  constructor(host) {
    this.host = host;
    this.main = byId('page');
    this.room = byId('room');
    this.nav = byId('pages');
    /** @type {Map<string, Opened>} */ this.opened = new Map();
    /** @type {Map<string, HTMLAnchorElement>} */ this.links = new Map();
    /** @type {Map<string, number>} */ this.scrolled = new Map();
    this.place = placeOf(location.hash, Object.keys(PAGES));
    this.shown = ''; // the page on view
    this.entered = ''; // the rest of the address that enter() was told
    /** @type {Text | null} */ this.text = null;
    for (const name of [ROOM, ...Object.keys(PAGES).filter((n) => PAGES[n].listed !== false)]) {
      const link = el('a', { class: 'page-link', href: name === ROOM ? '#/' : `#/${name}` });
      this.links.set(name, link);
      this.nav.append(link);
    }
    byId('skip').addEventListener('click', (event) => {
      event.preventDefault();
      (this.shown === ROOM ? byId('pictures') : this.main).focus();
    });
  }

  /** The address changed. */
  moved() {
    const before = this.shown;
    this.place = placeOf(location.hash, Object.keys(PAGES));
    this.host.redraw();
    if (this.shown === before) return;
    (this.shown === ROOM ? this.room : this.main).focus({ preventScroll: true });
    this.host.say((text) => text.say(`page.${this.shown}`));
  }

  /** The name of the page for the title; "": the room. */
  title() {
    return this.shown === ROOM || !this.text ? '' : this.text.say(`page.${this.shown}`);
  }

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    const { page } = this.place;
    const refused = page !== ROOM && state.hello && PAGES[page].offered?.(state) === false;
    this.text = text;
    this.#navigate(state, text);
    this.#show(refused ? ROOM : page);
    const opened = this.opened.get(this.shown);
    if (opened) this.#draw(opened, state, now);
  }

  /** @param {number} now */
  tick(now) {
    this.opened.get(this.shown)?.page?.tick?.(now);
  }

  /** @param {State} state @param {Text} text */
  #navigate(state, text) {
    let others = 0;
    for (const [name, link] of this.links) {
      const offered = name === ROOM || (PAGES[name].offered?.(state) ?? true);
      if (offered && name !== ROOM) others += 1;
      put(link, text.say(`page.${name}`));
      show(link, offered);
      attribute(link, 'aria-current', name === this.place.page ? 'page' : null);
    }
    show(this.nav, others > 0 && state.connection.state !== 'locked');
  }

  /** @param {string} name */
  #show(name) {
    if (name === this.shown) return;
    const before = this.shown;
    if (before) this.scrolled.set(before, scrollY);
    this.opened.get(before)?.page?.leave?.();
    this.shown = name;
    document.documentElement.dataset.page = name;
    if (name !== ROOM && !this.opened.has(name)) this.#open(name);
    for (const [other, { box }] of this.opened) show(box, other === name);
    show(this.room, name === ROOM);
    show(this.main, name !== ROOM);
    if (before) scrollTo(0, this.scrolled.get(name) ?? 0);
    this.entered = '\0'; // no rest of an address: enter() is due
  }

  /** @param {Opened} opened @param {State} state @param {number} now */
  #draw(opened, state, now) {
    const { text } = this;
    if (!text) return;
    attribute(this.main, 'aria-label', text.say(`page.${this.shown}`));
    if (!opened.page) return;
    const words = opened.words[text.lang];
    if (!words) return void this.#learn(this.shown, opened, text.lang);
    if (opened.base !== text) {
      opened.base = text;
      opened.text = text.with(words);
    }
    opened.page.update(state, /** @type {Text} */ (opened.text), now);
    if (this.entered === this.place.rest) return;
    this.entered = this.place.rest;
    opened.page.enter?.(this.place.rest);
  }

  /** @param {string} name */
  async #open(name) {
    const box = el('section', { class: `page-${name}` });
    /** @type {Opened} */
    const opened = { box, page: null, words: {}, base: null, text: null };
    const lang = this.text?.lang ?? 'en';
    this.opened.set(name, opened);
    this.main.append(box);
    try {
      const [module] = await Promise.all([PAGES[name].load(), styled(`pages/${name}/page.css`),
        this.#learn(name, opened, lang)]);
      opened.page = module.open(box, this.host);
    } catch (error) {
      console.warn(`darkroom: the page ${name} was not loaded`, error);
      this.#failed(name, box);
    }
    this.host.redraw();
  }

  /** @param {string} name @param {Opened} opened @param {string} lang */
  async #learn(name, opened, lang) {
    opened.words[lang] = (await import(`../pages/${name}/${lang}.js`)).default;
    this.host.redraw();
  }

  /** @param {string} name @param {HTMLElement} box */
  #failed(name, box) {
    const retry = () => {
      box.remove();
      this.opened.delete(name);
      this.#open(name);
    };
    const again = el('button', { type: 'button', class: 'quiet',
      text: this.text?.say('notice.retry'), on: { click: retry } });
    box.replaceChildren(el('p', { class: 'page-failed', text: this.text?.say('page.failed') }),
      again);
  }
}

/** A style sheet in force. @param {string} href below the page's own address
 * @returns {Promise<void>} rejected when it cannot be loaded */
export function styled(href) {
  if (document.head.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const sheet = el('link', { rel: 'stylesheet', href, on: { load: () => resolve(),
      error: () => {
        sheet.remove();
        reject(new Error(href));
      } } });
    document.head.append(sheet);
  });
}
