// @ts-check
// announcer - announces changes to screen readers, one sentence at a time, but no progress.

import { standing } from '../notices.js';
import { brief, byId, put } from './dom.js';
import { neverWords } from './connection.js';
import { failureWords } from './errors.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */

/** A sentence in the language of a moment; an urgent one tells of a loss.
 * @typedef {((text: Text) => string) & {urgent?: boolean}} Sentence */

const PAUSE_MS = 1600;
const FIRST_MS = 100; // a live region that changes while the page loads is not announced
const WAITING_MAX = 4; // sentences in the queue; the oldest that is not urgent is dropped
const ANNOUNCED = Object.freeze(['back', 'restarted', 'stopping', 'unread', 'dropped',
  'undrafted']); // news

export class Announcer {
  /** @param {() => Text} text the present language's */
  constructor(text) {
    this.text = text;
    this.place = byId('live');
    /** @type {Sentence[]} */ this.queue = [];
    /** @type {Sentence | null} */ this.said = null;
    this.busy = false;
  }

  /** @param {Sentence} sentence */
  say(sentence) {
    this.queue.push(sentence);
    if (this.queue.length > WAITING_MAX) this.#drop();
    if (this.busy) return;
    this.busy = true;
    setTimeout(() => this.#next(), FIRST_MS);
  }

  /** The language changed: what stands in the live region is said in the new one. */
  translate() {
    if (this.said) put(this.place, this.said(this.text()));
  }

  #drop() {
    const oldest = this.queue.findIndex((sentence) => !sentence.urgent);
    this.queue.splice(Math.max(oldest, 0), 1);
  }

  #next() {
    const sentence = this.queue.shift();
    this.busy = sentence !== undefined;
    if (sentence === undefined) return;
    this.said = sentence;
    this.place.textContent = sentence(this.text());
    setTimeout(() => this.#next(), PAUSE_MS);
  }
}

/** @param {Sentence} sentence @returns {Sentence} */
const urgent = (sentence) => Object.assign(sentence, { urgent: true });

/** The sentences to announce between two states. @param {State} state
 * @param {State} before @returns {Sentence[]} */
export function changes(state, before) {
  /** @type {Sentence[]} */ const sentences = [];
  const old = new Map(before.jobs.map((job) => [job.key, job]));
  for (const job of state.jobs) {
    const was = old.get(job.key);
    const sentence = was && was !== job ? jobChange(job, was) : null;
    if (sentence) sentences.push(sentence);
  }
  if (state.connection.state === 'waiting' && before.connection.state === 'open') {
    sentences.push((text) => text.say('notice.retrying'));
  }
  if (state.connection.state === 'locked' && before.connection.state !== 'locked') {
    sentences.push(urgent((text) => text.say('signin.say')));
  }
  const { diagnosis, ever } = state.connection;
  if (diagnosis && !ever && diagnosis.why !== before.connection.diagnosis?.why) {
    sentences.push((text) => neverWords(state.connection, text, performance.now()).words);
  }
  const stood = new Set(standing(before).map(({ id }) => id));
  for (const notice of standing(state)) {
    if (stood.has(notice.id)) continue;
    sentences.push(urgent((text) =>
      `${notice.words(text, performance.now())} ${notice.todo(text)}`));
  }
  const { news } = state;
  if (news && news !== before.news && ANNOUNCED.includes(news.kind)) {
    sentences.push(urgent((text) => text.say(`notice.${news.kind}`, { n: news.n ?? 0 })));
  }
  if (state.unsaved && !before.unsaved) {
    sentences.push(urgent((text) => text.say('gallery.unsaved', { n: state.unsaved })));
  }
  return sentences;
}

/** @param {Job} job @param {Job} was @returns {Sentence | null} */
function jobChange(job, was) {
  const prompt = brief(job.spec.prompt);
  const { due, queue } = job;
  if (queue && !was.queue && was.state !== 'running') {
    return (text) => text.say('say.queued', { place: text.place(queue.position),
      time: due ? text.about(due.ms) : text.say('card.unknown') });
  }
  if (job.state === was.state) return null;
  switch (job.state) {
    case 'running': return (text) => text.say('say.running', { prompt });
    case 'done': return (text) => text.say('say.done', { prompt });
    case 'cancelled': return (text) => text.say('say.cancelled', { prompt });
    case 'failed':
    case 'refused': return urgent((text) => {
      const { wrong, todo } = failureWords(job.error ?? { code: 'internal' }, text);
      return text.say('say.failed', { prompt, message: `${wrong} ${todo}` });
    });
    default: return null;
  }
}
