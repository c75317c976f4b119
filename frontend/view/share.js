// @ts-check
// share - the dialog that lets somebody without an account watch one job: makes the link with an
// end, shows it as text and as a QR code, and takes it back. Loaded when it is first opened.

import { QUIET, qrCode, qrPath } from '../lib/qr.js';
import { copyWords } from './copy.js';
import { brief, button, el, put, show } from './dom.js';
import { failureWords } from './errors.js';
import { styled } from './pages.js';

/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {import('../wire.js').Message} Message */
/** @typedef {{ask: (message: Message) => Promise<Message>, text: () => Text,
 *   say: (words: (text: Text) => string) => void}} Acts */

const SVG = 'http://www.w3.org/2000/svg';
const TERMS_S = Object.freeze({ hour: 3600, day: 86_400, week: 604_800, month: 2_592_000 });

/** The address of the spectator's view. @param {string} href of this page @param {string} token */
export function shareAddress(href, token) {
  const url = new URL(href);
  url.search = '';
  url.hash = `share=${token}`;
  return url.href;
}

/** @param {string} text @param {string} label @returns {SVGSVGElement | null} */
function qrPicture(text, label) {
  const rows = qrCode(text);
  if (!rows) return null;
  const svg = document.createElementNS(SVG, 'svg');
  const side = rows.length + 2 * QUIET;
  svg.setAttribute('viewBox', `${-QUIET} ${-QUIET} ${side} ${side}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', qrPath(rows));
  svg.append(path);
  return svg;
}

export class ShareDialog {
  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
    this.job = '';
    this.prompt = '';
    this.title = el('h2', { id: 'share-title' });
    this.close = button('close', () => this.dialog.close(), 'icon share-close');
    this.what = el('p');
    this.now = el('p', { class: 'share-now', role: 'status' });
    this.label = el('label', { for: 'share-term' });
    this.term = el('select', { id: 'share-term', class: 'choice' },
      ...Object.keys(TERMS_S).map((value) => el('option', { value })));
    this.term.value = 'week';
    this.make = button('link', () => this.#make(), 'strong');
    this.end = button(null, () => this.#end());
    this.addressLabel = el('label', { for: 'share-address' });
    this.address = el('input', { id: 'share-address', class: 'share-address', readonly: '',
      on: { focus: () => this.address.select() } });
    this.copy = button('copy', () => this.#copy());
    this.code = el('div', { class: 'share-code' });
    this.link = el('div', { class: 'share-link' }, this.addressLabel,
      el('div', { class: 'share-line' }, this.address, this.copy.element), this.code);
    this.wrong = el('p', { class: 'field-error', role: 'alert' });
    this.dialog = el('dialog', { class: 'share', 'aria-labelledby': 'share-title', on: {
      click: (event) => event.target === this.dialog && this.dialog.close() } },
    el('div', { class: 'share-in' }, this.title, this.what, this.now, this.link,
      el('div', { class: 'share-line' }, this.label, this.term, this.make.element,
        this.end.element), this.wrong, this.close.element));
    document.body.append(this.dialog);
  }

  /** @param {string} job @param {string} prompt */
  async open(job, prompt) {
    this.job = job;
    this.prompt = prompt;
    this.#translate();
    this.#show(null, null);
    put(this.now, '');
    await styled('share.css').catch(() => {});
    if (!this.dialog.open) this.dialog.showModal();
    this.term.focus();
    const row = await this.#ask({ type: 'job', job });
    if (row && this.job === job && this.address.value === '') {
      this.#show(null, row.shared_until_ms ?? null);
    }
  }

  #translate() {
    const text = this.acts.text();
    put(this.title, text.say('sharing.title', { prompt: brief(this.prompt) }));
    put(this.what, text.say('sharing.what'));
    put(this.label, text.say('sharing.term'));
    put(this.addressLabel, text.say('sharing.address'));
    for (const option of this.term.options) put(option, text.say(`sharing.term.${option.value}`));
    put(this.copy.label, text.say('act.copy.link'));
    put(this.end.label, text.say('sharing.end'));
    put(this.close.label, text.say('act.close'));
  }

  /** @param {string | null} token null: it is not known, or there is none
   * @param {number | null} until Unix time; null: it is not shared */
  #show(token, until) {
    const text = this.acts.text();
    const date = until === null ? '' : new Intl.DateTimeFormat(text.tag,
      { dateStyle: 'medium', timeStyle: 'short' }).format(until);
    put(this.make.label, text.say(until === null ? 'sharing.make' : 'sharing.another'));
    show(this.end.element, until !== null);
    put(this.now, until === null ? '' : text.say(token ? 'sharing.until' : 'sharing.already',
      { date }));
    put(this.wrong, '');
    this.address.value = token ? shareAddress(location.href, token) : '';
    show(this.link, token !== null);
    const picture = token && qrPicture(this.address.value, text.say('sharing.code'));
    this.code.replaceChildren(...(picture ? [picture] : []));
  }

  /** @param {Message} message @returns {Promise<Message | null>} null: it was refused, and told */
  async #ask(message) {
    try {
      return await this.acts.ask(message);
    } catch (failure) {
      const { wrong, todo } = failureWords(/** @type {any} */ (failure), this.acts.text());
      put(this.wrong, `${wrong} ${todo}`);
      return null;
    }
  }

  async #make() {
    const term = /** @type {keyof typeof TERMS_S} */ (this.term.value);
    const answer = await this.#ask({ type: 'share', job: this.job, ttl_s: TERMS_S[term] });
    if (!answer) return;
    this.#show(answer.token, answer.shared_until_ms);
    this.address.focus();
  }

  async #end() {
    const answer = await this.#ask({ type: 'unshare', job: this.job });
    if (!answer) return;
    this.#show(null, null);
    put(this.now, this.acts.text().say('sharing.ended'));
    this.make.element.focus();
  }

  async #copy() {
    const done = await copyWords(this.address.value);
    const key = done ? 'act.copied' : 'act.copied.not';
    put(this.copy.label, this.acts.text().say(key));
    this.acts.say((text) => text.say(key));
  }
}
