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

// the server's own words for a drain, which this page says in its own
const SERVERS_OWN = /^The server stops /;
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

/** @param {string} key @returns {(text: Text) => string} */
const todo = (key) => (text) => text.say(`stand.${key}.todo`);

/** @type {Record<Notice['kind'], (notice: Notice) => Standing>} */
const NOTICES = {
  drain: ({ text: said, due, at_ms }) => ({ id: `drain ${at_ms} ${said}`, tone: 'wait',
    words: (text, now) => {
      const left = due ? remaining(due, now) : 0;
      const words = left > 0 ? text.say('stand.drain', { time: text.about(left) })
        : text.say('stand.drain.now');
      return SERVERS_OWN.test(said) ? words : `${words} ${said}`;
    },
    todo: todo('drain') }),
  message: ({ text: said }) => ({ id: `message ${said}`, tone: 'wait', words: () => said,
    todo: todo('message') }),
  quota: ({ text: said, due, count = 1, at_ms }) => ({ id: `quota ${at_ms} ${count}`, tone: 'bad',
    words: (text, now) => (due ? text.say('stand.quota', { n: count,
      time: text.about(remaining(due, now)) }) : said),
    todo: todo('quota') }),
  removed: ({ text: said, count = 0, at_ms }) => ({ id: `removed ${at_ms} ${count} ${said}`,
    tone: 'bad', words: (text) => (count ? text.say('stand.removed', { n: count }) : said),
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
