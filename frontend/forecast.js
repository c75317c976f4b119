// @ts-check
// forecast - decides when the form's forecast is asked for. No DOM, socket or clock of its own.
//
// The forecast is never older than the form or the queue: a change of either asks again, the form
// after a pause in typing, the queue at once. Progress alone moves it less, so that asks seldom.
// One question is under way at a time; what changed meanwhile is asked when it is answered. Until
// then what is shown is out of date: it is told apart by fresh().

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {{now: () => number, setTimer: (f: () => void, ms: number) => any,
 *             clearTimer: (handle: any) => void}} Clock */

export const TYPING_MS = 350; // after the last key
const QUEUE_MS = 250; // least time between two questions
const PROGRESS_MS = 2500; // least time between two that only progress causes
const ANSWER_MS_MAX = 5000; // after that a question counts as lost

/** What a forecast depends on in statistics, apart from progress. @param {any} stats */
function queueOf(stats) {
  const rows = (stats?.jobs ?? []).map((/** @type {any} */ job) =>
    `${job?.job} ${job?.state} ${job?.width}x${job?.height}`); // others' have no name
  return `${stats?.running} ${stats?.queued} ${stats?.cap} ${rows.join()}`;
}

export class Forecast {
  /** @param {() => boolean} ask sends the question; false: there is none, or no connection
   * @param {Clock} clock */
  constructor(ask, clock) {
    this.ask = ask;
    this.clock = clock;
    this.queue = '';
    this.askedAt = -Infinity;
    this.waiting = false; // for an answer
    this.timer = null;
    this.timerAt = Infinity;
    this.changes = 0; // of the form and of the queue
    this.askedAfter = -1; // changes when the question under way was asked
    this.knownAfter = -1; // the same of the last answer
  }

  /** Whether the last answer is about the form and the queue as they are. */
  fresh() {
    return this.knownAfter === this.changes;
  }

  /** The form changed. */
  formChanged() {
    this.changes += 1;
    this.#at(this.clock.now() + TYPING_MS, true);
  }

  /** The server sent statistics. @param {Message} stats */
  statistics(stats) {
    const queue = queueOf(stats);
    const least = queue === this.queue ? PROGRESS_MS : QUEUE_MS;
    if (queue !== this.queue) this.changes += 1;
    this.queue = queue;
    this.#at(Math.max(this.clock.now(), this.askedAt + least));
  }

  /** The connection is open anew; what was asked on the last one is lost. */
  opened() {
    this.waiting = false;
    this.changes += 1;
    this.#at(this.clock.now());
  }

  /** The answer came, or an error in its place. */
  answered() {
    if (this.waiting) this.knownAfter = this.askedAfter;
    this.waiting = false;
    if (this.timerAt <= this.clock.now()) this.#due();
  }

  /** Ask at a time, or earlier if that was planned. @param {number} at
   * @param {boolean} [anew] not earlier: the form is still being changed */
  #at(at, anew = false) {
    if (!anew && at >= this.timerAt) return;
    this.timerAt = at;
    this.#wake(at);
  }

  #due() {
    const lostAt = this.askedAt + ANSWER_MS_MAX;
    if (this.waiting && this.clock.now() < lostAt) return this.#wake(lostAt); // or by answered()
    this.#wake(Infinity);
    this.timerAt = Infinity;
    this.askedAfter = this.changes;
    this.waiting = this.ask();
    this.askedAt = this.clock.now();
  }

  /** The only timer. @param {number} at */
  #wake(at) {
    if (this.timer !== null) this.clock.clearTimer(this.timer);
    this.timer = at === Infinity ? null : this.clock.setTimer(() => {
      this.timer = null;
      this.#due();
    }, Math.max(0, at - this.clock.now()));
  }
}
