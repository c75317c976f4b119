// @ts-check
// card - one job in the gallery: its place in line, then previews and progress, then the picture.

import { PHASES } from '../wire.js';
import { TERMINAL, remaining } from '../state.js';
import { Bar, attribute, brief, button, el, icon, pictureUrl, put, quote, show } from './dom.js';
import { jobErrors } from './errors.js';
import { Shots } from './shots.js';

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../i18n/text.js').Text} Text */
/** The actions of a card. @typedef {Object} Acts
 * @property {(job: Job) => void} cancel @property {(job: Job) => void} use
 * @property {(job: Job) => void} vary @property {(job: Job) => void} retry
 * @property {(job: Job, byKeyboard: boolean) => void} remove
 * @property {(job: Job) => void} open
 * @property {(job: Job) => void} share @property {(job: Job) => void} begin */
/** What a card shows besides its job.
 * shares: whether who is connected may share its jobs. images: whether a picture may begin with
 * others.
 * @typedef {{text: Text, now: number, connected: boolean, cap: number, shares: boolean,
 * images?: boolean}} Scene */

/** What changes of a job while it is drawn, and of what is around it all the time. */
const GOES_ON = Object.freeze(['seq', 'done', 'total', 'overall', 'due', 'preview']);
const CLOCK = Object.freeze(['now']);
const LATE_MS = 1500; // past the estimate, until the card says that it takes longer

export class Card {
  /** @param {Job} job @param {Acts} acts */
  constructor(job, acts) {
    this.job = job;
    this.key = job.key;
    /** @type {Scene | null} */ this.scene = null;
    this.broken = false;
    const asks = (/** @type {keyof Acts} */ act) => (/** @type {MouseEvent} */ event) =>
      acts[act](this.job, event.detail === 0);

    this.big = el('span', { class: 'big' });
    this.small = el('span', { class: 'small' });
    this.blank = el('span', { class: 'blank', 'aria-hidden': 'true' }, this.big, this.small);
    this.open = el('button', { type: 'button', class: 'open', on: { click: asks('open') } });
    this.print = el('div', { class: 'print' }, this.blank, this.open);
    this.shots = new Shots(this.print, this.open, () => this.#missing());
    this.tray = el('div', { class: 'tray' }, this.print);
    this.remove = button('close', asks('remove'), 'icon remove');

    this.what = el('span', { class: 'what' });
    this.step = el('span', { class: 'step-count' });
    this.when = el('span', { class: 'when' });
    this.bar = new Bar();
    const progress = { role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' };
    this.meter = el('div', { class: 'meter', ...progress }, this.bar.element);
    this.steps = PHASES.map(() => el('li'));
    this.phases = el('ol', { class: 'phases', 'aria-hidden': 'true' }, ...this.steps);
    this.why = el('p', { class: 'why' });
    this.doing = el('div', { class: 'doing' },
      el('div', { class: 'doing-line' }, this.what, this.step, this.when),
      this.meter, this.phases, this.why);

    this.wrong = el('p');
    this.todo = el('p', { class: 'todo' });
    this.detail = el('p', { class: 'todo', lang: 'en' });
    this.errors = el('div', { class: 'errors' }, this.wrong, this.todo, this.detail);
    this.prompt = el('h3', { class: 'prompt-line', id: `prompt-${job.key}` });
    this.params = el('p', { class: 'params' });

    this.save = el('a', { class: 'quiet strong', download: '' });
    this.buttons = {
      cancel: button(null, asks('cancel')),
      retry: button(null, asks('retry'), 'strong'),
      use: button(null, asks('use')),
      begin: button(null, asks('begin')),
      vary: button('dice', asks('vary'), 'icon'),
      share: button('link', asks('share'), 'icon'),
    };
    const { begin, cancel, retry, use, vary, share } = this.buttons;
    this.actions = el('div', { class: 'actions' }, this.save, retry.element, cancel.element,
      use.element, begin.element, vary.element, share.element);
    this.article = el('article', { class: 'card', 'aria-labelledby': this.prompt.id }, this.tray,
      el('div', { class: 'card-body' }, this.doing, this.errors,
        el('div', {}, this.prompt, this.params), this.actions),
      this.remove.element);
    this.element = el('li', {}, this.article);
  }

  /** Show the job. @param {Job} job @param {Scene} scene */
  update(job, scene) {
    const goesOn = this.scene !== null && alike(job, this.job, GOES_ON)
      && alike(scene, this.scene, CLOCK);
    this.job = job;
    this.scene = scene;
    if (goesOn) this.#progress(job, scene.text);
    else this.#all(job, scene);
    this.#images(job);
    this.tick(scene.now);
  }

  /** More than the progress changed. @param {Job} job @param {Scene} scene */
  #all(job, scene) {
    const focused = this.element.contains(document.activeElement);
    this.article.dataset.state = job.state;
    this.#frame(job);
    this.#words(job, scene);
    this.#buttons(job, scene);
    const now = document.activeElement;
    if (focused && !(now && this.element.contains(now) && now.checkVisibility())) this.focus();
  }

  /** Update the times alone. @param {number} now */
  tick(now) {
    const { job, scene } = this;
    if (!scene || (job.state !== 'queued' && job.state !== 'running' && job.state !== 'sending')) {
      return;
    }
    put(this.when, whenWords(job, scene, now));
    put(this.small, scene.connected ? smallWords(job, scene.text, now) : '');
  }

  /** Focus the first button that is visible. */
  focus() {
    const first = [...this.actions.children]
      .find((child) => child instanceof HTMLElement && !child.hidden);
    /** @type {HTMLElement | undefined} */ (first)?.focus();
  }

  /** @param {Job} job */
  #frame(job) {
    const { width = 1, height = 1 } = job.result ?? job.spec;
    this.print.style.aspectRatio = `${width} / ${height}`;
    this.print.style.width = `${Math.min(1, width / height) * 100}%`;
    show(this.open, job.state === 'done' && job.result !== null && !this.broken);
  }

  /** @param {Job} job @param {Scene} scene */
  #words(job, { text, connected, cap }) {
    const { state } = job;
    const live = state === 'queued' || state === 'running' || state === 'sending';
    quote(this.prompt, job.spec.prompt);
    const { prompt } = job.spec;
    attribute(this.prompt, 'title', brief(prompt) === prompt ? null : prompt);
    this.#params(paramWords(job, text));
    put(this.what, whatWords(job, text, connected));
    show(this.meter, state === 'running');
    show(this.phases, state === 'running');
    put(this.why, whyWords(job, text, connected, cap));
    show(this.why, this.why.textContent !== '');
    attribute(this.when, 'title', job.queue?.range && state === 'queued'
      ? rangeWords(job.queue.range, text) : null);
    if (!live) put(this.when, '');
    show(this.doing, state !== 'done');
    put(this.big, bigWords(job, text));
    if (TERMINAL.has(state)) put(this.small, '');
    this.#mark(state);
    this.#phases(job, text);
    this.#progress(job, text);
    const bad = jobErrors(job, text, this.broken);
    show(this.errors, bad !== null);
    put(this.wrong, bad?.wrong ?? '');
    put(this.todo, bad?.todo ?? '');
    put(this.detail, bad?.detail ?? '');
    show(this.todo, this.todo.textContent !== '');
    show(this.detail, this.detail.textContent !== '');
  }

  /** @param {string[]} words */
  #params(words) {
    if (this.shownParams === words.join()) return;
    this.shownParams = words.join();
    this.params.replaceChildren(...words.map((word) => el('span', { text: word })));
  }

  /** The icon on a print without a picture. @param {string} state */
  #mark(state) {
    const name = state === 'cancelled' ? 'stop' : 'broken';
    if (this.blank.dataset.mark === (TERMINAL.has(state) && state !== 'done' ? name : '')) return;
    this.blank.dataset.mark = TERMINAL.has(state) && state !== 'done' ? name : '';
    this.blank.querySelector('svg')?.remove();
    if (this.blank.dataset.mark) this.blank.prepend(icon(name));
  }

  /** @param {Job} job @param {Text} text */
  #phases(job, text) {
    const at = job.phase ? Math.max(0, PHASES.indexOf(job.phase)) : -1; // vision, encode: read
    this.steps.forEach((step, i) => {
      put(step, text.say(`phase.${PHASES[i]}.short`));
      step.dataset.at = i < at ? 'past' : i === at ? 'now' : 'next';
    });
    attribute(this.meter, 'aria-label',
      text.say('card.progress', { prompt: brief(job.spec.prompt) }));
  }

  /** What changes many times a second. @param {Job} job @param {Text} text */
  #progress(job, text) {
    put(this.step, job.state === 'running' && job.total > 1 && !job.cancelling
      ? text.say('phase.step', { done: job.done, total: job.total }) : '');
    this.bar.set(job.overall);
    attribute(this.meter, 'aria-valuenow', String(Math.floor(job.overall * 100)));
    attribute(this.meter, 'aria-valuetext', text.say('card.progress.text',
      { phase: whatWords(job, text, true), percent: text.percent(job.overall) }));
  }

  /** Put the newest image over the older ones. @param {Job} job */
  #images(job) {
    if (job.result && job.state === 'done') this.shots.finish(pictureUrl(job.result.url));
    else if (job.preview && !job.result) this.shots.preview(job.preview);
    else if (!job.preview && !job.result) this.shots.clear();
  }

  #missing() {
    this.broken = true;
    if (this.scene) this.#all(this.job, this.scene);
  }

  /** Its element is removed. */
  drop() {
    this.shots.drop();
  }

  /** @param {Job} job @param {Scene} scene */
  #buttons(job, { text, shares, images }) {
    const over = TERMINAL.has(job.state);
    const { begin, cancel, retry, use, vary, share } = this.buttons;
    const of = (/** @type {string} */ key) =>
      text.say('act.of', { name: text.say(key), prompt: brief(job.spec.prompt) });
    const face = (/** @type {{element: HTMLElement, label: HTMLElement}} */ b,
        /** @type {string} */ key, /** @type {string} */ long) => {
      put(b.label, text.say(key));
      attribute(b.element, 'aria-label', of(key));
      attribute(b.element, 'title', text.say(long));
    };
    face(cancel, 'act.cancel', 'act.cancel');
    face(retry, 'act.retry', 'act.retry');
    face(use, 'act.use', 'act.use.long');
    face(begin, 'act.begin', 'act.begin.long');
    face(vary, 'act.vary.long', 'act.vary.long');
    face(share, 'act.share', 'act.share');
    show(share.element, shares && job.id !== null && !job.more.private
      && ['queued', 'running', 'done'].includes(job.state));
    face(this.remove, 'act.remove', over ? 'act.remove' : 'act.remove.live');
    show(cancel.element, !over);
    // `disabled` would lose the focus
    attribute(cancel.element, 'aria-disabled', job.cancelling ? 'true' : null);
    show(retry.element, over && job.state !== 'done');
    show(vary.element, job.state === 'done');
    show(begin.element, !!images && job.state === 'done' && !!job.result?.digest
      && !this.broken);
    show(this.save, job.state === 'done' && job.result !== null && !this.broken);
    put(this.save, text.say('act.download'));
    attribute(this.save, 'aria-label', of('act.download'));
    if (job.result) {
      attribute(this.save, 'href', pictureUrl(job.result.url, true));
      attribute(this.open, 'aria-label', text.say('act.open', { prompt: brief(job.spec.prompt) }));
    }
  }
}

/** Whether two objects differ in these members at most.
 * @param {Record<string, any>} a @param {Record<string, any>} b @param {readonly string[]} but */
function alike(a, b, but) {
  return Object.keys(a).every((name) => a[name] === b[name] || but.includes(name));
}

/** @param {Job} job @param {Text} text @param {boolean} connected */
export function whatWords(job, text, connected) {
  if (job.cancelling) return text.say('card.cancelling');
  switch (job.state) {
    case 'sending': return text.say(connected ? 'card.sending' : 'card.sending.offline');
    case 'queued':
      if (!job.queue) return text.say('card.asking');
      if (job.queue.position === 0) return text.say('card.held');
      if (job.queue.position === 1) return text.say('card.queued.next');
      return text.say('card.queued', { place: text.place(job.queue.position) });
    case 'running': return text.say(`phase.${job.phase ?? 'glyph'}`);
    default: return text.say(`card.${job.state}`);
  }
}

/** @param {Job} job @param {Scene} scene @param {number} now */
function whenWords(job, { text, connected }, now) {
  if (!connected && job.id) return text.say('card.away');
  if (job.state === 'sending' || (job.state === 'queued' && !job.queue)) return '';
  if (!job.due) {
    return job.state === 'queued' ? text.say('card.unknown') : text.percent(job.overall);
  }
  const left = remaining(job.due, now);
  if (left > 0) {
    return text.say(job.state === 'queued' ? 'card.ready' : 'card.left',
      { time: text.about(left) });
  }
  return text.say(now - job.due.at - job.due.ms > LATE_MS ? 'card.longer' : 'card.soon');
}

/** The large words on a print without an image. @param {Job} job @param {Text} text */
function bigWords(job, text) {
  if (job.state === 'queued' && job.queue) {
    if (job.queue.position === 0) return text.say('card.held');
    return job.queue.position === 1 ? text.say('next') : text.place(job.queue.position);
  }
  return job.state === 'queued' || job.state === 'sending' ? '…' : '';
}

/** The small words below them. @param {Job} job @param {Text} text @param {number} now */
function smallWords(job, text, now) {
  if (job.state !== 'queued' || !job.due) return '';
  const left = remaining(job.due, now);
  return left > 0 ? text.about(left) : '';
}

/** @param {Job} job @param {Text} text @param {boolean} connected @param {number} cap */
export function whyWords(job, text, connected, cap) {
  if (job.state === 'sending') return connected ? '' : text.say('card.sending.why');
  if (job.state === 'running' && job.waits && !job.cancelling) {
    return text.say(job.waits === 'turn' ? 'waits.turn' : `why.${job.waits}`);
  }
  if (job.state !== 'queued' || !job.queue) return '';
  return waitWords(job.queue.why, { cap, ahead: job.queue.ahead }, text);
}

/** What a job waits for; "": there is nothing to say of it. @param {string | null} why
 * @param {{cap: number, ahead: number}} how many are drawn at a time, and come before it
 * @param {Text} text */
export function waitWords(why, { cap, ahead }, text) {
  const key = `why.${why}`;
  return text.has(key) ? text.say(key, { n: why === 'slots' ? cap : ahead }) : '';
}

/** @param {[number, number]} range @param {Text} text */
function rangeWords([lo, hi], text) {
  return text.say('card.range', { range: text.between(lo, hi) });
}

/** "256 × 256", "20 steps", "guidance 1.5", "seed 7", "took 1.2 s". @param {Job} job
 * @param {Text} text */
export function paramWords(job, text) {
  const { width, height, steps, guidance, seed } = { ...job.spec, ...(job.result ?? {}) };
  const parts = [];
  if (width && height) {
    parts.push(text.say('params.size', { width: String(width), height: String(height) }));
  }
  if (steps) parts.push(text.say('compose.now.steps', { n: steps }));
  if (guidance !== undefined) parts.push(text.say('compose.now.guidance', { value: guidance }));
  if (seed !== undefined) {
    parts.push(seed < 0 ? text.say('params.seed.random')
      : text.say('params.seed', { seed: String(seed) }));
  }
  if (job.spec.lane) parts.push(text.say(`lane.${job.spec.lane}`));
  if (job.more.private) parts.push(text.say('card.private'));
  if (job.cached) parts.push(text.say('card.cached'));
  else if (job.result) parts.push(text.say('card.took', { time: text.exact(job.result.seconds) }));
  return parts;
}
