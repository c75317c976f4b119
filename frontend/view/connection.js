// @ts-check
// connection - shows the state of the connection: lamp, a word in the head, and the notice.

import { attribute, byId, put, show } from './dom.js';
import { failureWords } from './errors.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

const QUIET_MS = 1200; // no notice for a shorter interruption
const NEWS_MS = 6000;
const UNDO_MS = 9000;
const LOSS_MS = 20_000; // for what was lost of the stored pictures

export class Connection {
  /** @param {{retry: () => void, undo: () => void, dismiss: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.box = byId('notice');
    this.words = byId('notice-text');
    this.action = byId('notice-action');
    /** @type {'retry' | 'undo' | null} */ this.doing = null;
    this.action.addEventListener('click', () => this.doing && this.acts[this.doing]());
    this.action.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#leave();
    });
    /** @type {HTMLElement | null} */ this.back = null; // has the focus after the action
    this.since = 0;
    this.last = '';
    /** @type {[State, Text] | null} */ this.shown = null;
  }

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    this.shown = [state, text];
    const { state: present, ever, attempt } = state.connection;
    const name = present === 'open' || present === 'locked' ? present
      : ever || attempt > 0 ? 'lost' : 'connecting';
    const root = document.documentElement;
    if (root.dataset.connection !== name) this.since = now;
    root.dataset.connection = name;
    root.dataset.busy = String((state.stats?.running ?? 0) > 0
      || state.jobs.some((job) => job.state === 'running'));
    put(byId('connection-text'), text.say(`connection.${name}`));
    const model = state.hello?.model;
    // "cpu (2 threads, avx512bf, bf16)": the first word
    const words = model ? text.say('model.line',
      { name: model.name, device: model.device.match(/^\w*/)[0].toUpperCase() }) : '';
    for (const place of [byId('model'), byId('status-model')]) { // style.css shows one of them
      put(place, words);
      attribute(place, 'title', model?.device ?? null);
    }
    this.tick(now);
  }

  /** Move the focus to the action, at once: from there Escape goes back. The notice stays until the
   * action is left. */
  focus() {
    this.back = /** @type {HTMLElement | null} */ (document.activeElement);
    this.tick(performance.now());
    if (!this.action.hidden) this.action.focus();
  }

  #leave() {
    const { back } = this;
    this.acts.dismiss();
    (back?.isConnected && back !== document.body ? back : byId('pictures')).focus();
  }

  /** @param {number} now */
  tick(now) {
    if (!this.shown) return;
    const [state, text] = this.shown;
    const held = this.doing === 'undo' && document.activeElement === this.action;
    const notice = noticeWords(state, text, held ? state.news?.at ?? now : now, this.since);
    show(this.box, notice !== null);
    if (!notice) {
      if (state.news && state.connection.state === 'open') this.acts.dismiss();
      return;
    }
    put(this.words, notice.words);
    this.box.dataset.tone = notice.tone;
    this.doing = notice.action;
    show(this.action, notice.action !== null);
    if (notice.action) put(this.action, text.say(`notice.${notice.action}`));
  }
}

/** @typedef {{words: string, tone: 'good' | 'wait' | 'bad', action: 'retry' | 'undo' | null}}
 * Notice */

/** The notice to show now. @param {State} state @param {Text} text @param {number} now
 * @param {number} since
 * @returns {Notice | null} */
export function noticeWords(state, text, now, since) {
  const { connection, news } = state;
  const age = news ? now - news.at : 0;
  if (news?.kind === 'cleared' && age < UNDO_MS) { // also without a connection
    return { words: text.say('notice.cleared', { n: news.n ?? 0 }), tone: 'good', action: 'undo' };
  }
  if (connection.state === 'locked') return null; // the form for a token says it
  if (connection.state !== 'open') return lostWords(state, text, now, since);
  if (!news || news.kind === 'cleared') return null;
  if (['unread', 'dropped', 'undrafted'].includes(news.kind)) {
    return age < LOSS_MS
      ? { words: text.say(`notice.${news.kind}`, { n: news.n ?? 0 }), tone: 'bad', action: null }
      : null;
  }
  if (age > NEWS_MS && news.kind !== 'stopping') return null;
  if (news.kind === 'error') {
    const { wrong, todo } = failureWords(news.failure ?? { code: 'internal' }, text);
    return { words: `${wrong} ${todo}`, tone: 'bad', action: null };
  }
  return { words: text.say(`notice.${news.kind}`), tone: news.kind === 'stopping' ? 'wait' : 'good',
    action: null };
}

/** @param {State} state @param {Text} text @param {number} now @param {number} since
 * @returns {Notice | null} */
function lostWords({ connection, news }, text, now, since) {
  if (!navigator.onLine && location.hostname !== 'localhost' && location.hostname !== '127.0.0.1') {
    return { words: text.say('notice.offline'), tone: 'bad', action: 'retry' };
  }
  if (now - since < QUIET_MS) return null;
  if (!connection.ever) return neverWords(connection, text, now);
  if (news?.kind === 'stopping') {
    return { words: text.say('notice.stopping'), tone: 'wait', action: 'retry' };
  }
  if (connection.diagnosis?.why === 'starting') {
    return { words: text.say('notice.starting'), tone: 'wait', action: 'retry' };
  }
  const left = connection.retryAt - now;
  if (connection.state === 'connecting' || left < 300) {
    return { words: text.say('notice.retrying'), tone: 'bad', action: 'retry' };
  }
  return { words: text.say('notice.lost', { time: text.about(Math.max(1000, left)) }), tone: 'bad',
    action: 'retry' };
}

/** Without a connection since the page was loaded: why, and who can do what about it.
 * @param {State['connection']} connection @param {Text} text @param {number} now
 * @returns {Notice} */
export function neverWords({ attempt, diagnosis, retryAt }, text, now) {
  if (!attempt || !diagnosis) {
    return { words: text.say('notice.connecting'), tone: 'wait', action: null };
  }
  const { why, status } = diagnosis;
  if (why === 'starting') {
    return { words: text.say('notice.starting'), tone: 'wait', action: 'retry' };
  }
  const time = text.about(Math.max(1000, retryAt - now));
  return { words: text.say(`notice.never.${why}`,
    { time, status: String(status), origin: location.origin }), tone: 'bad', action: 'retry' };
}
