// @ts-check
// guest - follows the one job that a share link is about, by HTTP: its token goes into a header,
// which wins over the cookie of who is signed in at this browser. No DOM.

import { serverEvents } from '../../lib/events.js';

/** connecting: nothing is known yet. lost: it tries again. over: the link shows nothing any more.
 * done: the job has ended, and all of it was shown.
 * @typedef {'connecting' | 'open' | 'lost' | 'over' | 'done'} Link */
/** @typedef {import('../../wire.js').Message} Message */
/** @typedef {Object} Environment
 * @property {(address: string, options: any) => Promise<Response>} fetch
 * @property {(ms: number) => Promise<void>} wait
 * @property {(blob: Blob) => string} urlOf an address for a picture */
/** @typedef {{job: (row: any) => void, message: (message: Message) => void,
 *   link: (link: Link) => void}} To */

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const OVER = Object.freeze([401, 403, 404]);

/** The token of a share link, without what a mail or a chat has taken into the link behind it.
 * @param {string} said behind the `=` */
export function tokenOf(said) {
  return /^drs_[0-9A-Za-z]{49}(?![0-9A-Za-z])/.exec(said)?.[0] ?? said;
}

export class Guest {
  /** @param {string} token @param {To} to @param {Environment} env */
  constructor(token, to, env) {
    this.token = token;
    this.to = to;
    this.env = env;
    this.seq = 0;
    this.job = '';
    this.stopped = new AbortController();
    /** @type {Map<string, string>} */ this.pictures = new Map(); // addresses of what was fetched
  }

  stop() {
    this.stopped.abort();
  }

  /** Follow it to its end. */
  async run() {
    let pause = RETRY_MS_MIN;
    while (!this.stopped.signal.aborted) {
      const before = this.seq;
      const link = await this.#follow().catch(() => /** @type {Link} */ ('lost'));
      if (this.stopped.signal.aborted) return;
      this.to.link(link);
      if (link !== 'lost') return;
      pause = this.seq > before ? RETRY_MS_MIN : Math.min(2 * pause, RETRY_MS_MAX);
      await this.env.wait(pause);
    }
  }

  /** @param {string} address */
  #get(address) {
    return this.env.fetch(address, { credentials: 'omit', cache: 'no-store',
      signal: this.stopped.signal, headers: { Authorization: `Bearer ${this.token}` } });
  }

  /** One connection. @returns {Promise<Link>} */
  async #follow() {
    if (!this.job) {
      const list = await this.#get('v1/jobs');
      if (OVER.includes(list.status)) return 'over';
      if (!list.ok) return 'lost';
      const [row] = (await list.json()).jobs;
      if (!row) return 'over';
      this.job = row.job;
      this.to.job(row);
    }
    const stream = await this.#get(`v1/jobs/${this.job}/events?previews=1&max_px=512&seq=${
      this.seq}`);
    if (stream.status === 204) return 'done';
    if (OVER.includes(stream.status)) return 'over';
    if (!stream.ok || !stream.body) return 'lost';
    this.to.link('open');
    for await (const message of serverEvents(stream.body)) {
      await this.#take(message);
      if (message.type === 'end' && message.job === this.job) return 'done';
    }
    return 'lost';
  }

  /** @param {any} message */
  async #take(message) {
    if (message.type === 'error') return;
    if (message.seq > this.seq) this.seq = message.seq;
    this.to.message(message.type === 'preview' ? previewOf(message)
      : await this.#withPictures(message));
  }

  /** The message with pictures that this page can show: an image's address has no place for a
   * token. @param {any} message */
  async #withPictures(message) {
    const { url, result, cells } = message;
    return { ...message,
      ...(typeof url === 'string' ? { url: await this.#picture(url) } : {}),
      ...(result ? { result: { ...result, url: await this.#picture(result.url) } } : {}),
      ...(message.type === 'end' && cells ? { cells: await Promise.all(cells.map(
        async (/** @type {any} */ cell) =>
          (cell.url ? { ...cell, url: await this.#picture(cell.url) } : cell))) } : {}) };
  }

  /** @param {string} url @returns {Promise<string>} '': it cannot be had */
  async #picture(url) {
    const known = this.pictures.get(url);
    if (known) return known;
    const answer = await this.#get(url.replace(/^\/+/, '')).catch(() => null);
    const address = answer?.ok ? this.env.urlOf(await answer.blob()) : '';
    if (address) this.pictures.set(url, address);
    return address;
  }
}

/** @param {any} message @returns {Message} */
function previewOf({ data, mime, ...rest }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return { ...rest, image: new Blob([bytes], { type: mime }) };
}
