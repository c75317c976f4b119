// @ts-check
// title - the tab's title and icon: progress, or pictures that became ready while it was hidden.

import { attribute, byId } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */

const ICONS = 4; // icon-1.svg to icon-4.svg: a ring that closes

export class Title {
  constructor() {
    this.icon = /** @type {HTMLLinkElement} */ (byId('icon'));
    this.ready = 0; // pictures that became ready while the page was hidden
    /** @type {Set<string>} */ this.open = new Set();
  }

  /** @param {State} state @param {Text} text @param {boolean} hidden
   * @param {string} [page] the name of a page beside the room */
  update({ jobs }, text, hidden, page = '') {
    const ready = jobs.filter((job) => job.state === 'done' && this.open.has(job.key)).length;
    this.open = new Set(jobs.filter((job) => job.state === 'queued' || job.state === 'running')
      .map((job) => job.key));
    this.ready = hidden ? this.ready + ready : 0;
    const words = titleWords(jobs, this.ready, text, page);
    if (document.title !== words) document.title = words;
    attribute(this.icon, 'href', titleIcon(jobs));
  }
}

/** Progress of the oldest running job, null when none runs. @param {readonly Job[]} jobs */
function progress(jobs) {
  return jobs.filter((job) => job.state === 'running').at(-1)?.overall ?? null;
}

/** @param {readonly Job[]} jobs newest first @param {number} ready @param {Text} text
 * @param {string} [page] */
export function titleWords(jobs, ready, text, page = '') {
  const share = progress(jobs);
  if (share !== null) return text.say('title.busy', { percent: text.percent(share) });
  const place = jobs.filter((job) => job.state === 'queued' && job.queue).at(-1)?.queue?.position;
  if (place) return text.say('title.waiting', { place: text.place(place) });
  if (ready) return text.say('title.ready', { n: ready });
  return page ? text.say('title.page', { page }) : text.say('title.idle');
}

/** @param {readonly Job[]} jobs */
export function titleIcon(jobs) {
  const share = progress(jobs);
  return share === null ? 'icon.svg' : `icon-${Math.min(ICONS, Math.floor(share * ICONS) + 1)}.svg`;
}
