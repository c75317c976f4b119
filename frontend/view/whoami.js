// @ts-check
// whoami - behind the user's name: role, lanes, limits, and the use of the last minutes.

import { byId, el, put } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

const FACTS = /** @type {const} */ (['role', 'lanes', 'waiting', 'running', 'disk', 'use']);

/** What each fact says. @param {any} user @param {any} stats @param {Text} text */
export function whoWords(user, stats, text) {
  const { limits = {}, lanes = [] } = user;
  const bound = (/** @type {number | null | undefined} */ n) =>
    (typeof n === 'number' ? text.number.format(n) : text.say('account.unbounded'));
  const { used } = stats ?? {};
  return {
    role: text.say(`account.role.${user.role}`),
    lanes: text.list(lanes.map((/** @type {string} */ lane) => text.say(`lane.${lane}`))),
    waiting: bound(limits.waiting), running: bound(limits.running),
    disk: typeof limits.disk_bytes === 'number' ? text.bytes(limits.disk_bytes)
      : text.say('account.unbounded'),
    use: used ? text.say('account.use.value', { time: text.exact(used.ms / 1000),
      minutes: Math.round(used.window_ms / 60_000) }) : '–',
  };
}

export class WhoAmI {
  constructor() {
    this.box = /** @type {HTMLDetailsElement} */ (byId('account'));
    this.rows = Object.fromEntries(FACTS.map((fact) =>
      [fact, { term: el('dt'), value: el('dd') }]));
    byId('account-facts').append(...FACTS.map((fact) =>
      el('div', {}, this.rows[fact].term, this.rows[fact].value)));
    document.addEventListener('click', (event) => {
      if (!this.box.contains(/** @type {Node} */ (event.target))) this.box.open = false;
    });
    this.box.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.box.open) return;
      this.box.open = false;
      byId('who').focus();
    });
  }

  /** @param {State} state @param {Text} text */
  update({ hello, stats, connection }, text) {
    const user = connection.state === 'locked' ? null : hello?.user ?? null;
    put(byId('who'), user?.name ?? '');
    this.box.hidden = !user;
    if (!user) {
      this.box.open = false;
      return;
    }
    const words = whoWords(user, stats, text);
    for (const fact of FACTS) {
      put(this.rows[fact].term, text.say(`account.${fact}`));
      put(this.rows[fact].value, words[fact]);
    }
  }
}
