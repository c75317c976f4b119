// @ts-check
// admin - what an administrator sees and does: health, the queue of all, limits, a drain, a notice,
// users, the log. Asks while it is shown, and no longer.

import { el, put } from '../../view/dom.js';
import { Controls } from './controls.js';
import { Health } from './health.js';
import { Log } from './log.js';
import { Queue } from './queue.js';
import { Users } from './users.js';

/** @typedef {import('../../pages.js').Page} Page */
/** @typedef {import('../../pages.js').Host} Host */

const ASK_MS = 3000; // users, log and health while the page is shown

/** @param {HTMLElement} box @param {Host} host @returns {Page} */
export function open(box, host) {
  const title = el('h2', { class: 'page-title' });
  const parts = [new Health(host), new Queue(host), new Controls(host), new Users(host),
    new Log(host)];
  box.append(title, el('div', { class: 'admin-parts' }, ...parts.map((part) => part.element)));
  let asked = -Infinity;
  const ask = (/** @type {number} */ now) => {
    if (now - asked < ASK_MS || host.state().connection.state !== 'open') return;
    asked = now;
    for (const part of parts) part.ask();
  };
  return {
    update: (state, text, now) => {
      put(title, text.say('admin.title'));
      for (const part of parts) part.update(state, text, now);
      ask(now);
    },
    tick: ask,
  };
}
