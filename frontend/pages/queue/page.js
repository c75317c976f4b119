// @ts-check
// queue - the page of the queue: a time line of the device, one's own jobs with what can be done
// about them, and one's share of the device's time.

import { attribute, brief, button, el, put, quote, show } from '../../view/dom.js';
import { waitWords } from '../../view/card.js';
import { Line } from './timeline.js';
import { linesOf, matesOf, moveTo, ownOf, signature } from './line.js';

/** @typedef {import('../../pages.js').Page} Page */
/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../state.js').State} State */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('./line.js').Own} Own */
/** @typedef {import('./line.js').Others} Others */
/** @typedef {import('./line.js').Listed} Listed */

const LIST_MAX = 200;
const SHOWN_MS_MAX = 2000; // until the statistics show an order that was asked for

/** @param {HTMLElement} box @param {Host} host @returns {Page} */
export function open(box, host) {
  return new QueuePage(box, host);
}

class QueuePage {
  /** @param {HTMLElement} box @param {Host} host */
  constructor(box, host) {
    this.host = host;
    this.title = el('h2', { class: 'page-title' });
    this.share = el('p', { class: 'queue-share' });
    this.line = new Line();
    this.mine = el('h3', { class: 'queue-mine' });
    this.help = el('p', { class: 'help', id: 'queue-help' });
    this.list = el('ol', { class: 'queue-rows' });
    this.none = el('p', { class: 'queue-none' });
    this.make = el('a', { class: 'quiet', href: '#/' });
    box.append(el('div', { class: 'queue-head' }, this.title, this.share), this.line.element,
      this.mine, this.help, this.list, el('p', { class: 'queue-empty' }, this.none, this.make));
    /** @type {Map<string, OwnRow>} */ this.rows = new Map();
    /** @type {Listed[]} */ this.listed = [];
    /** @type {Own[]} */ this.own = [];
    this.asked = ''; // the signature that `listed` belongs to
    this.asking = false;
    /** @type {State | null} */ this.state = null;
    /** @type {Text | null} */ this.text = null;
    this.dragging = false;
    /** @type {Promise<void>} */ this.moves = Promise.resolve(); // one after the other
    /** @type {() => void} */ this.moved = () => {};
  }

  enter() {
    this.asked = '';
    this.#refresh();
  }

  /** @param {State} state @param {Text} text @param {number} now */
  update(state, text, now) {
    const other = text !== this.text;
    if (state.connection.state !== 'open') this.asked = '';
    this.state = state;
    this.text = text;
    if (other) this.#translate(text);
    this.#refresh();
    if (!this.dragging) this.#draw(now);
  }

  /** @param {number} now */
  tick(now) {
    const { state, text } = this;
    if (!state || !text) return;
    this.line.tick(now);
    const passed = state.stats ? now - state.stats.at : 0;
    for (const row of this.rows.values()) row.tick(text, passed);
  }

  /** @param {Text} text */
  #translate(text) {
    put(this.title, text.say('queue.title'));
    put(this.mine, text.say('queue.mine'));
    put(this.none, text.say('queue.none'));
    put(this.make, text.say('queue.none.do'));
    put(this.help, text.say('queue.move.help'));
  }

  /** Ask what waits and runs, when that is another than what is shown. */
  async #refresh() {
    const wanted = signature(/** @type {any} */ (this.state?.stats));
    if (this.asking || wanted === this.asked || this.state?.connection.state !== 'open') return;
    this.asking = true;
    try {
      const lists = await Promise.all(['running', 'queued'].map((state) =>
        this.host.ask({ type: 'list', state, limit: LIST_MAX })));
      const all = lists.flatMap((list) => /** @type {Listed[]} */ (list.jobs));
      this.listed = [...new Map(all.map((one) => [one.job, one])).values()];
      this.asked = wanted;
    } catch {
      // without a connection, or too many at once: asked again with the next statistics
    }
    this.asking = false;
    if (this.state && !this.dragging) this.#draw(performance.now());
  }

  /** @param {number} now */
  #draw(now) {
    const { state, text } = this;
    if (!state || !text) return;
    const { stats, hello } = state;
    const rows = /** @type {import('./line.js').Row[]} */ (stats?.jobs ?? []);
    const order = this.own.map((own) => own.job).join();
    this.own = stats ? ownOf(this.listed, rows) : [];
    if (this.own.map((own) => own.job).join() !== order) this.moved();
    const names = new Map(this.own.map((own) => [own.job, nameOf(own, text)]));
    this.line.update(state, text, now, (row) => names.get(row.parent ?? row.job ?? '') ?? null);
    put(this.share, shareWords(stats, hello, text));
    this.#rows(linesOf(this.own, rows), text, stats ? now - stats.at : 0);
    const movable = this.own.some((own) => matesOf(this.own, own).length > 1);
    show(this.help, movable);
    show(this.mine, rows.length > 0 || this.own.length > 0);
    show(this.none, rows.length > 0); // of nothing at all the time line tells
    show(/** @type {HTMLElement} */ (this.none.parentElement), !!stats && !this.own.length);
  }

  /** @param {(Own | Others)[]} lines @param {Text} text @param {number} passed */
  #rows(lines, text, passed) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const kept = new Set(lines.map((line) => ('job' in line ? line.job : '')));
    for (const [job, row] of this.rows) if (!kept.has(job)) this.#drop(job, row);
    for (const other of this.list.querySelectorAll('.queue-others')) other.remove();
    let place = this.list.firstElementChild;
    for (const line of lines) {
      if (!('job' in line)) {
        this.list.insertBefore(othersRow(line, text), place);
        continue;
      }
      const row = this.rows.get(line.job) ?? this.#add(line);
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
      row.update(line, matesOf(this.own, line), text, this.state, passed);
    }
    // a row that is moved in the document loses the focus
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus();
  }

  /** @param {Own} own */
  #add(own) {
    const row = new OwnRow(own, { act: (act, one) => this.#act(act, one),
      share: (one) => this.host.share(one.job, one.listed.spec.prompt),
      step: (one, by) => this.#later(one.job, (at) => at + by),
      grab: (one, event) => this.#drag(one, event) });
    this.rows.set(own.job, row);
    return row;
  }

  /** @param {string} job @param {OwnRow} row */
  #drop(job, row) {
    const focused = row.element.contains(document.activeElement);
    row.element.remove();
    this.rows.delete(job);
    if (focused) /** @type {HTMLElement} */ (this.list.closest('main'))?.focus();
  }

  /** @param {'cancel' | 'hold' | 'release' | 'finish'} act @param {Own} own */
  async #act(act, own) {
    const said = { hold: 'queue.say.held', release: 'queue.say.released',
      finish: 'queue.say.finish', cancel: '' }[act];
    try {
      await this.host.ask({ type: act, job: own.job });
      if (said) this.host.say(() => this.text?.say(said, { prompt: nameOf(own, this.text) }) ?? '');
    } catch (failure) {
      this.host.fail(/** @type {any} */ (failure));
    }
    this.asked = '';
    this.#refresh();
  }

  /** Move a job when the moves before it are shown. @param {string} job
   * @param {(at: number) => number} to from its number among its mates to another */
  #later(job, to) {
    this.moves = this.moves.then(async () => {
      const own = this.own.find((one) => one.job === job);
      if (!own) return;
      const shown = new Promise((done) => {
        this.moved = () => done(true);
        setTimeout(done, SHOWN_MS_MAX);
      });
      if (await this.#move(own, to(matesOf(this.own, own).indexOf(own)))) await shown;
      this.moved = () => {};
    });
  }

  /** Make the job number `to` of its mates. @param {Own} own @param {number} to
   * @returns {Promise<boolean>} whether another order is to come */
  async #move(own, to) {
    const mates = matesOf(this.own, own);
    const at = Math.max(0, Math.min(mates.length - 1, to));
    const move = moveTo(mates, own, to);
    if (!move) return false;
    try {
      await this.host.ask({ type: 'reorder', job: own.job, ...move });
      this.host.say(() => this.text?.say('queue.say.moved', { at: at + 1, n: mates.length,
        prompt: nameOf(own, this.text) }) ?? '');
      return true;
    } catch (failure) {
      this.host.fail(/** @type {any} */ (failure));
      return false;
    }
  }

  /** Drag a row to another place among its mates. @param {Own} own @param {PointerEvent} event */
  #drag(own, event) {
    const mates = matesOf(this.own, own);
    const row = this.rows.get(own.job);
    if (!row || mates.length < 2 || event.button !== 0) return;
    const grip = /** @type {HTMLElement} */ (event.currentTarget);
    const middles = mates.map((mate) => {
      const area = this.rows.get(mate.job)?.element.getBoundingClientRect();
      return area ? area.top + area.height / 2 + scrollY : 0;
    });
    const from = event.clientY + scrollY;
    let to = mates.indexOf(own);
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    this.dragging = true;
    row.element.classList.add('dragged');
    const move = (/** @type {PointerEvent} */ at) => {
      const by = at.clientY + scrollY - from;
      row.element.style.transform = `translateY(${by}px)`;
      const middle = middles[mates.indexOf(own)] + by;
      to = middles.filter((other, i) => mates[i] !== own && other < middle).length;
      for (const mate of mates) {
        this.rows.get(mate.job)?.element.classList.toggle('target', mate !== own
          && mates.filter((one) => one !== own)[to] === mate);
      }
    };
    const end = (/** @type {Event} */ done) => {
      for (const type of ['pointermove', 'pointerup', 'pointercancel']) {
        grip.removeEventListener(type, /** @type {any} */ (type === 'pointermove' ? move : end));
      }
      for (const mate of mates) {
        this.rows.get(mate.job)?.element.classList.remove('dragged', 'target');
      }
      row.element.style.transform = '';
      this.dragging = false;
      if (done.type === 'pointerup') this.#later(own.job, () => to);
      this.#draw(performance.now());
    };
    grip.addEventListener('pointermove', move);
    grip.addEventListener('pointerup', end);
    grip.addEventListener('pointercancel', end);
  }
}

/** @param {Own} own @param {Text | null} text */
function nameOf(own, text) {
  const { prompt } = own.listed.spec;
  return prompt ? brief(prompt) : text?.say('queue.private') ?? '';
}

/** @param {Others} others @param {Text} text */
function othersRow({ others, running, end }, text) {
  const words = text.say(running ? 'queue.others.running' : 'queue.others.waiting', { n: others });
  return el('li', { class: 'queue-others' }, el('span', { text: words }),
    end === null ? null : el('span', { class: 'queue-when',
      text: text.say('queue.until', { time: text.about(end) }) }));
}

/** A measured time. @param {number} ms @param {Text} text */
function spanWords(ms, text) {
  const s = Math.round(ms / 1000);
  const [m, rest] = [Math.floor(s / 60), s % 60];
  if (m < 1) return text.say('queue.time.s', { s });
  if (m >= 60) return text.say('queue.time.h', { h: Math.floor(m / 60), m: m % 60 });
  return rest ? text.say('queue.time.min.s', { m, s: rest }) : text.say('queue.time.min', { m });
}

/** @param {any} stats @param {any} hello @param {Text} text */
function shareWords(stats, hello, text) {
  if (!stats?.used) return '';
  const { ms, all_ms: all, window_ms: window } = stats.used;
  const values = { mine: spanWords(ms, text), all: spanWords(all, text),
    window: spanWords(window, text) };
  if (!hello?.user) return text.say('queue.share.all', values);
  return `${text.say('queue.share.mine', values)} ${text.say('queue.share.fair')}`;
}

/** One job of one's own, or a sweep. */
class OwnRow {
  /** @param {Own} own
   * @param {{act: (act: 'cancel' | 'hold' | 'release' | 'finish', own: Own) => void,
   *          share: (own: Own) => void, step: (own: Own, by: number) => void,
   *          grab: (own: Own, event: PointerEvent) => void}} acts */
  constructor(own, acts) {
    this.own = own;
    /** @type {Own[]} */ this.mates = [];
    this.grip = el('span', { class: 'queue-grip', 'aria-hidden': 'true',
      on: { pointerdown: (event) => acts.grab(this.own, event) } });
    this.place = el('span', { class: 'queue-place' });
    this.name = el('span', { class: 'queue-name' });
    this.when = el('span', { class: 'queue-when' });
    this.why = el('p', { class: 'why' });
    const act = (/** @type {'cancel' | 'hold' | 'release' | 'finish'} */ name) =>
      button(null, () => acts.act(name, this.own));
    const step = (/** @type {number} */ by) => button(by < 0 ? 'back' : 'forth', () =>
      acts.step(this.own, by), 'icon');
    this.buttons = { earlier: step(-1), later: step(1), hold: act('hold'), release: act('release'),
      finish: act('finish'), share: button(null, () => acts.share(this.own)),
      cancel: act('cancel') };
    this.actions = el('div', { class: 'actions' },
      ...Object.values(this.buttons).map((one) => one.element));
    this.element = el('li', { class: 'queue-own' }, this.grip, el('div', { class: 'queue-what' },
      el('div', { class: 'queue-words' }, this.place, this.name, this.when), this.why),
    this.actions);
    this.actions.addEventListener('keydown', (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by || this.mates.length < 2) return;
      event.preventDefault();
      acts.step(this.own, by);
    });
  }

  /** @param {Own} own @param {Own[]} mates @param {Text} text @param {State | null} state
   * @param {number} passed */
  update(own, mates, text, state, passed) {
    this.own = own;
    this.mates = mates;
    this.element.dataset.state = own.state;
    put(this.place, placeWords(own, text));
    const { prompt } = own.listed.spec;
    if (prompt) quote(this.name, prompt);
    else put(this.name, text.say('queue.private'));
    attribute(this.name, 'title', prompt);
    const more = [];
    if (own.listed.user) more.push(text.say('queue.of', { user: own.listed.user }));
    if (own.listed.counts) more.push(text.say('queue.pictures', { n: own.listed.counts.cells }));
    if (own.lane !== 'normal') more.push(text.say(`lane.${own.lane}`));
    const why = waitWords(own.why, { cap: state?.stats?.cap ?? 0,
      ahead: (state?.stats?.running ?? 0) + own.place - 1 }, text);
    if (why) more.push(why);
    put(this.why, more.join(' · '));
    show(this.why, more.length > 0);
    this.#buttons(own, mates, text, state?.hello?.user ?? null);
    this.tick(text, passed);
  }

  /** @param {Own} own @param {Own[]} mates @param {Text} text @param {any} user */
  #buttons(own, mates, text, user) {
    const others = own.listed.user !== undefined;
    const viewer = user?.role === 'viewer';
    const at = mates.indexOf(own);
    const shown = { earlier: mates.length > 1, later: mates.length > 1,
      hold: own.state === 'queued', release: own.state === 'held',
      finish: own.state === 'running' && own.phase === 'denoise',
      share: ['user', 'admin'].includes(user?.role) && !own.listed.private, cancel: true };
    for (const [name, { element, label }] of Object.entries(this.buttons)) {
      const key = ['cancel', 'share'].includes(name) ? `act.${name}` : `queue.${name}`;
      put(label, text.say(key));
      attribute(element, 'aria-label', text.say('act.of', { name: text.say(key),
        prompt: nameOf(own, text) }));
      attribute(element, 'title', text.say(name === 'finish' ? 'queue.finish.long' : key));
      show(element, shown[/** @type {keyof typeof shown} */ (name)] && !viewer
        && (!others || name === 'cancel'));
    }
    // `disabled` would lose the focus
    attribute(this.buttons.earlier.element, 'aria-disabled', at <= 0 ? 'true' : null);
    attribute(this.buttons.later.element, 'aria-disabled',
      at >= mates.length - 1 ? 'true' : null);
    this.grip.dataset.on = String(mates.length > 1 && !others && !viewer);
  }

  /** The times alone. @param {Text} text @param {number} passed ms since the statistics */
  tick(text, passed) {
    put(this.when, whenWords(this.own, text, passed));
  }
}

/** @param {Own} own @param {Text} text */
function placeWords(own, text) {
  if (own.state === 'held') return text.say('queue.held');
  if (own.state === 'running') {
    return text.say('queue.running', { percent: text.percent(own.overall) });
  }
  return own.place === 1 ? text.say('queue.next')
    : text.say('queue.place', { place: text.place(own.place) });
}

/** @param {Own} own @param {Text} text @param {number} passed */
function whenWords(own, text, passed) {
  const parts = [];
  const left = (/** @type {number} */ ms) => Math.max(0, ms - passed);
  if (own.state === 'queued' && own.start !== null) {
    parts.push(text.say('queue.start', { time: text.about(left(own.start)) }));
  }
  if (own.range && own.state === 'queued') {
    const [lo, hi] = own.range;
    parts.push(text.say('queue.range', { range: text.between(left(lo), left(hi)) }));
  } else if (own.end !== null) {
    parts.push(text.say('queue.ready', { time: text.about(left(own.end)) }));
  }
  return text.list(parts);
}
