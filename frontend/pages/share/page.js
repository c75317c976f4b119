// @ts-check
// share - what who has a share link sees: one picture, or one sweep, while it is drawn and after,
// and nothing to press.

import { Store } from '../../session.js';
import { isSweep, newJob } from '../../state.js';
import { Card } from '../../view/card.js';
import { brief, el, put, show } from '../../view/dom.js';
import { SweepCard } from '../../view/sweepcard.js';
import { Guest, tokenOf } from './guest.js';

/** @typedef {import('../../pages.js').Page} Page */
/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('./guest.js').Link} Link */

const nothing = () => {};
const ACTS = Object.freeze({ cancel: nothing, use: nothing, vary: nothing, retry: nothing,
  remove: nothing, open: nothing, share: nothing, begin: nothing });

/** @param {HTMLElement} box @param {Host} host @returns {Page} */
export function open(box, host) {
  return new SharePage(box, host);
}

class SharePage {
  /** @param {HTMLElement} box @param {Host} host */
  constructor(box, host) {
    this.host = host;
    this.title = el('h2', { class: 'page-title' });
    this.words = el('p', { class: 'share-words', role: 'status' });
    this.place = el('ol', { class: 'share-card' });
    box.append(this.title, this.words, this.place);
    /** @type {Guest | null} */ this.guest = null;
    /** @type {Card | SweepCard | null} */ this.card = null;
    /** @type {Link} */ this.link = 'connecting';
    /** @type {Text | null} */ this.text = null;
    this.store = new Store();
  }

  /** @param {string} token */
  enter(token) {
    this.guest?.stop();
    this.store = new Store();
    this.store.listeners.add((state, before) => this.#told(state.jobs[0], before.jobs[0]));
    this.#clear();
    this.link = 'connecting';
    const at = () => performance.now();
    this.guest = new Guest(tokenOf(token), {
      job: (row) => this.store.dispatch({ do: 'adopt', jobs: [{ ...newJob('guest', row.spec,
        row.created_ms), id: row.job, state: row.state === 'running' ? 'running' : 'queued' }] }),
      message: (message) => this.store.dispatch({ do: 'message', message, at: at() }),
      link: (link) => {
        this.link = link;
        this.#draw();
      },
    }, { fetch: (...request) => fetch(...request), urlOf: (blob) => URL.createObjectURL(blob),
      wait: (ms) => new Promise((done) => setTimeout(done, ms)) });
    this.guest.run();
    this.#draw();
  }

  leave() {
    this.guest?.stop();
    this.guest = null;
  }

  /** @param {import('../../state.js').State} _ @param {Text} text */
  update(_, text) {
    if (text === this.text) return;
    this.text = text;
    this.#draw();
  }

  /** @param {number} now */
  tick(now) {
    this.card?.tick(now);
  }

  /** @param {import('../../state.js').Job | undefined} job
   * @param {import('../../state.js').Job | undefined} before */
  #told(job, before) {
    this.#draw();
    if (job && before && job.state !== before.state && job.state === 'done') {
      this.host.say((text) => text.say('say.done', { prompt: brief(job.spec.prompt) }));
    }
  }

  #clear() {
    this.card?.element.remove();
    this.card?.drop();
    this.card = null;
  }

  #draw() {
    const { text, link } = this;
    if (!text) return;
    const [job] = this.store.state.jobs;
    const over = link === 'over';
    put(this.title, text.say(over ? 'share.title.none' : 'share.title'));
    const words = over ? text.say(job ? 'share.over' : 'share.wrong')
      : link === 'lost' ? text.say('share.lost') : job ? text.say('share.what')
        : text.say('share.connecting');
    put(this.words, words);
    show(this.place, !!job && !over);
    if (!job || over) return;
    const wanted = isSweep(job) ? SweepCard : Card;
    if (!(this.card instanceof wanted)) {
      this.#clear();
      this.card = new wanted(job, ACTS);
      for (const part of [this.card.actions, this.card.remove.element]) part.remove();
      this.place.append(this.card.element);
    }
    this.card.update(job, { text, now: performance.now(), connected: link !== 'lost', cap: 1,
      shares: false });
  }
}
