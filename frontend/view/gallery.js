// @ts-check
// gallery - a card for each job, newest first; without jobs, the examples.

import { TERMINAL, isSweep } from '../state.js';
import { Card } from './card.js';
import { byId, put, show } from './dom.js';
import { Empty } from './empty.js';
import { SweepCard } from './sweepcard.js';
import { takesPictures } from './sources.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../i18n/text.js').Text} Text */

/** Whether who is connected has jobs of its own to share. @param {State} state */
const sharesOf = ({ hello }) => ['user', 'admin'].includes(hello?.user?.role);

export class Gallery {
  /** @param {import('./card.js').Acts & {clear: (keys: string[], byKeyboard: boolean) => void,
   *           start: (prompt: string) => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.list = byId('cards');
    this.count = byId('gallery-count');
    this.clear = byId('clear');
    this.unsaved = byId('unsaved');
    this.empty = new Empty(acts.start);
    /** @type {Map<string, Card | SweepCard>} */ this.cards = new Map();
    /** @type {State | null} */ this.state = null;
    this.clear.addEventListener('click', (event) => this.#clear(event.detail === 0));
  }

  /** @param {State} state @param {Text} text @param {number} now
   * @param {boolean} all update every card, because the language changed */
  update(state, text, now, all) {
    const before = this.state;
    this.state = state;
    const scene = { text, now, connected: state.connection.state === 'open',
      cap: state.hello?.concurrency?.cap ?? 1, shares: sharesOf(state),
      images: takesPictures(state.hello) };
    const updateAll = all || before?.connection.state !== state.connection.state
      || before?.hello !== state.hello;
    const old = new Map(before?.jobs.map((job) => [job.key, job]));
    this.#drop(state);
    let place = this.list.firstElementChild;
    for (const job of state.jobs) {
      const card = this.cards.get(job.key) ?? this.#add(job);
      if (card.element !== place) this.list.insertBefore(card.element, place);
      else place = place.nextElementSibling;
      if (updateAll || old.get(job.key) !== job) card.update(job, scene);
    }
    const finished = state.jobs.filter((job) => TERMINAL.has(job.state)).length;
    put(this.count, state.jobs.length ? text.say('gallery.count', { n: state.jobs.length }) : '');
    show(this.clear, finished > 1);
    put(this.unsaved, state.unsaved ? text.say('gallery.unsaved', { n: state.unsaved }) : '');
    show(this.unsaved, state.unsaved > 0);
    byId('pictures').dataset.empty = String(state.jobs.length === 0);
    this.empty.update(state, text);
  }

  /** Update the times alone. @param {number} now */
  tick(now) {
    for (const card of this.cards.values()) card.tick(now);
  }

  /** @param {string} key */
  card(key) {
    return this.cards.get(key);
  }

  /** @param {import('../state.js').Job} job */
  #add(job) {
    const card = isSweep(job) ? new SweepCard(job, this.acts) : new Card(job, this.acts);
    this.cards.set(job.key, card);
    return card;
  }

  /** Remove the cards of removed jobs; the focus moves to a neighbour. @param {State} state */
  #drop(state) {
    const kept = new Set(state.jobs.map((job) => job.key));
    for (const [key, card] of this.cards) {
      if (kept.has(key)) continue;
      const focused = card.element.contains(document.activeElement);
      const neighbour = card.element.nextElementSibling ?? card.element.previousElementSibling;
      card.element.remove();
      card.drop();
      this.cards.delete(key);
      if (!focused) continue;
      const next = [...this.cards.values()].find((c) => c.element === neighbour);
      if (next) next.focus();
      else byId('pictures').focus();
    }
  }

  /** @param {boolean} byKeyboard */
  #clear(byKeyboard) {
    const keys = this.state?.jobs.filter((job) => TERMINAL.has(job.state)).map((job) => job.key)
      ?? [];
    byId('pictures').focus();
    this.acts.clear(keys, byKeyboard);
  }
}
