// @ts-check
// gallery - every finished picture of one's own on the server; two to four of them compared.

import { el } from '../../view/dom.js';
import { Browse } from './browse.js';
import { COMPARED_MAX, Comparison } from './comparing.js';

/** @typedef {import('../../pages.js').Page} Page */
/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('./results.js').Row} Row */

/** The jobs that an address compares; null: it is that of all pictures. @param {string} rest
 * @returns {string[] | null} */
export function comparedJobs(rest) {
  const [what, ...jobs] = rest.split('/');
  const good = what === 'compare' && jobs.length >= 2 && jobs.length <= COMPARED_MAX
    && jobs.every((job) => /^[0-9a-f]{16}$/.test(job));
  return good ? jobs : null;
}

/** @param {HTMLElement} box @param {Host} host @returns {Page} */
export function open(box, host) {
  /** @type {Text | null} */ let text = null;
  /** @type {string[] | null} */ let jobs = null;
  const say = () => /** @type {Text} */ (text);
  const compare = (/** @type {readonly string[]} */ all) =>
    host.go(`#/gallery/compare/${all.join('/')}`);
  const browse = new Browse(host, say, compare);
  const comparison = new Comparison({ text: say, leave: () => host.go('#/gallery'),
    swap: () => jobs && compare([...jobs].reverse()) });
  box.append(el('div', {}, browse.element, comparison.element));

  let waiting = false; // for the connection, to ask for what is compared again

  /** @param {readonly string[]} all */
  async function fill(all) {
    try {
      const rows = await Promise.all(all.map((job) => browse.rowOf(job)));
      if (jobs !== all) return;
      comparison.open(rows);
      comparison.title.focus({ preventScroll: true });
    } catch (failure) {
      if (jobs !== all) return;
      const { code } = /** @type {import('../../state.js').Failure} */ (failure);
      waiting = code === 'unreachable';
      if (waiting) return;
      host.fail(/** @type {import('../../state.js').Failure} */ (failure));
      host.go('#/gallery');
    }
  }

  let scrolled = 0; // of the grid, while a comparison is on view

  return {
    update(state, words) {
      const languageChanged = words !== text;
      text = words;
      browse.update(state, languageChanged);
      if (languageChanged && jobs) comparison.update();
      if (waiting && jobs && state.connection.state === 'open') {
        waiting = false;
        fill(jobs);
      }
    },
    enter(rest) {
      const before = jobs;
      jobs = comparedJobs(rest);
      waiting = false;
      if (jobs && !before) scrolled = scrollY;
      comparison.element.hidden = !jobs;
      browse.element.hidden = !!jobs;
      browse.live(!jobs);
      if (jobs) fill(jobs);
      if (!jobs !== !before) scrollTo({ top: jobs ? 0 : scrolled, behavior: 'instant' });
    },
    leave() {
      browse.live(false);
    },
  };
}
