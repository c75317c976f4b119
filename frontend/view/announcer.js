// @ts-check
// announcer - announces changes to screen readers, one sentence at a time, but no progress.

import { brief, byId } from './dom.js';
import { failureWords } from './errors.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */

const PAUSE_MS = 1600;
const WAITING_MAX = 4; // sentences in the queue; the oldest is dropped

export class Announcer {
  constructor() {
    this.place = byId('live');
    /** @type {string[]} */ this.queue = [];
    this.busy = false;
  }

  /** @param {string} words */
  say(words) {
    this.queue.push(words);
    if (this.queue.length > WAITING_MAX) this.queue.shift();
    if (!this.busy) this.#next();
  }

  #next() {
    const words = this.queue.shift();
    this.busy = words !== undefined;
    if (words === undefined) return;
    this.place.textContent = words;
    setTimeout(() => this.#next(), PAUSE_MS);
  }
}

/** The sentences to announce between two states. @param {State} state
 * @param {State} before @param {Text} text
 * @returns {string[]} */
export function changes(state, before, text) {
  const sentences = [];
  const old = new Map(before.jobs.map((job) => [job.key, job]));
  for (const job of state.jobs) {
    const was = old.get(job.key);
    if (was && was !== job) sentences.push(...jobChange(job, was, text));
  }
  if (state.connection.state === 'waiting' && before.connection.state === 'open') {
    sentences.push(text.say('notice.retrying'));
  }
  const { news } = state;
  if (news && news !== before.news
      && (news.kind === 'back' || news.kind === 'restarted' || news.kind === 'stopping')) {
    sentences.push(text.say(`notice.${news.kind}`));
  }
  return sentences;
}

/** @param {Job} job @param {Job} was @param {Text} text @returns {string[]} */
function jobChange(job, was, text) {
  const prompt = brief(job.spec.prompt);
  if (job.queue && !was.queue && was.state !== 'running') {
    const time = job.due ? text.about(job.due.ms) : text.say('card.unknown');
    return [text.say('say.queued', { place: text.place(job.queue.position), time })];
  }
  if (job.state === was.state) return [];
  switch (job.state) {
    case 'running': return [text.say('say.running', { prompt })];
    case 'done': return [text.say('say.done', { prompt })];
    case 'cancelled': return [text.say('say.cancelled', { prompt })];
    case 'failed':
    case 'refused': {
      const { wrong, todo } = failureWords(job.error ?? { code: 'internal' }, text);
      return [text.say('say.failed', { prompt, message: `${wrong} ${todo}` })];
    }
    default: return [];
  }
}
