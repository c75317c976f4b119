// @ts-check
// notices - what everybody should know for a while, and what to do about it: the server's notices,
// and what the queue tells of its state. Beside them stands the connection's own. No DOM.

import { remaining } from './state.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Notice} Notice */
/** @typedef {import('./i18n/text.js').Text} Text */

/** id: another one is another notice. words: in the language of a moment.
 * @typedef {{id: string, tone: 'wait' | 'bad', words: (text: Text, now: number) => string,
 *   todo: (text: Text) => string}} Standing */

/** Reasons to wait that are about the service, the worst first. */
const STATES = Object.freeze(['device', 'disk', 'paused']);

/** Those that hold, the most urgent first. @param {State} state @returns {Standing[]} */
export function standing(state) {
  if (state.connection.state !== 'open') return []; // that it is not stands there by itself
  const told = (/** @type {Notice['kind']} */ kind) =>
    state.notices.filter((one) => one.kind === kind).map((one) => NOTICES[kind](one));
  return [...told('drain'), ...serviceStates(state), ...told('message'), ...told('quota'),
    ...told('removed')];
}

/** That the server stops, with the words of the administrator, if there are some.
 * @param {Notice} notice @param {Text} text @param {number} now */
export function drainWords({ text: said, own, due }, text, now) {
  const left = due ? remaining(due, now) : 0;
  const words = left > 0 ? text.say('stand.drain', { time: text.about(left) })
    : text.say('stand.drain.now');
  return own ? words : `${words} ${said}`;
}

/** @param {string} key @returns {(text: Text) => string} */
const todo = (key) => (text) => text.say(`stand.${key}.todo`);

/** @type {Record<Notice['kind'], (notice: Notice) => Standing>} */
const NOTICES = {
  drain: (notice) => ({ id: `drain ${notice.at_ms} ${notice.text}`, tone: 'wait',
    words: (text, now) => drainWords(notice, text, now), todo: todo('drain') }),
  message: ({ text: said }) => ({ id: `message ${said}`, tone: 'wait', words: () => said,
    todo: todo('message') }),
  quota: ({ due, count = 1, at_ms }) => ({ id: `quota ${at_ms} ${count}`, tone: 'bad',
    words: (text, now) => text.say(due ? 'stand.quota' : 'stand.quota.soon', { n: count,
      time: due ? text.about(remaining(due, now)) : '' }),
    todo: todo('quota') }),
  removed: ({ count = 1, at_ms }) => ({ id: `removed ${at_ms} ${count}`,
    tone: 'bad', words: (text) => text.say('stand.removed', { n: count }),
    todo: todo('removed') }),
};

/** @param {State} state @returns {Standing[]} */
function serviceStates({ jobs, stats }) {
  const reasons = new Set([...jobs.map((job) => job.queue?.why),
    ...(stats?.jobs ?? []).map((/** @type {any} */ row) => row.why)]);
  return STATES.filter((why) => reasons.has(why)).map((why) => ({ id: why,
    tone: why === 'paused' ? 'wait' : 'bad', words: (text) => text.say(`stand.${why}`),
    todo: todo(why) }));
}
