// @ts-check
// ready - tells of a picture that became ready while the page was not looked at. The permission is
// asked for by a button, which is there when it would first be of use: while one takes its time.

import { remaining } from '../state.js';
import { brief, byId, put, show } from './dom.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */

const LONG_MS = 10_000; // less is waited for

/** Whether one of the jobs takes so long that its end is worth a notification.
 * @param {readonly Job[]} jobs @param {number} now */
export function takesLong(jobs, now) {
  return jobs.some((job) => (job.state === 'queued' || job.state === 'running') && job.due
    && remaining(job.due, now) > LONG_MS);
}

/** The jobs that have become ready. @param {readonly Job[]} jobs
 * @param {ReadonlyMap<string, string>} before their states */
export function becameReady(jobs, before) {
  return jobs.filter((job) => job.state === 'done'
    && ['queued', 'running'].includes(before.get(job.key) ?? ''));
}

export class Ready {
  constructor() {
    this.button = byId('notify');
    /** @type {ReadonlyMap<string, string>} */ this.states = new Map();
    this.button.addEventListener('click', async () => {
      await Notification.requestPermission();
      show(this.button, false);
    });
  }

  /** @param {State} state @param {Text} text @param {number} now @param {boolean} hidden */
  update({ jobs }, text, now, hidden) {
    const ready = becameReady(jobs, this.states);
    this.states = new Map(jobs.map((job) => [job.key, job.state]));
    const permission = 'Notification' in globalThis ? Notification.permission : 'denied';
    put(this.button, text.say('ready.ask'));
    show(this.button, permission === 'default' && isSecureContext && takesLong(jobs, now));
    if (hidden && permission === 'granted') for (const job of ready) this.#tell(job, text);
  }

  /** @param {Job} job @param {Text} text */
  async #tell(job, text) {
    const body = job.more?.private ? '' : brief(job.spec.prompt);
    const options = { body, tag: job.key, icon: 'icon-192.png', lang: text.tag };
    try {
      const worker = await navigator.serviceWorker?.getRegistration();
      if (worker) await worker.showNotification(text.say('ready.title'), options);
      else new Notification(text.say('ready.title'), options);
    } catch {
      // the system shows none: the title says it, too
    }
  }
}
