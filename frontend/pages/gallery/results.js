// @ts-check
// results - one's finished pictures on the server, as far as they were fetched: an array with
// holes, newest first, filled page by page. No DOM.
//
// Another tab may draw and delete, so every answer says how many there are: when that is not what
// this page counts, what is older than the answer is fetched anew.

/** @typedef {import('../../wire.js').Message} Message */
/** @typedef {import('../../state.js').Result} Result */
/** @typedef {import('../../state.js').Failure} Failure */
/** A finished picture. @typedef {Object} Row
 * @property {string} job @property {number} created_ms
 * @property {import('../../state.js').Spec & Record<string, any>} spec
 * @property {boolean} [prompt_cut] @property {boolean} [favourite]
 * @property {Result & {bytes: number, steps_done?: number}} result
 * @property {string} [parent] @property {number} [cell] */
/** @typedef {{search: string, width: number, height: number, from: number, until: number,
 *   favourite: boolean}} Filter */
/** @typedef {{width: number, height: number, count: number}} Size */

export const PAGE = 100; // rows of one request
const PAGES_MAX = 80; // that are kept: 8000 rows, about 8 MB
const ASKED_MAX = 3; // requests on their way

export const ANY = Object.freeze(/** @type {Filter} */ ({ search: '', width: 0, height: 0, from: 0,
  until: 0, favourite: false }));

/** The message that asks for a page. @param {Filter} filter @param {number} skip
 * @param {number} [limit] */
export function question(filter, skip, limit = PAGE) {
  const { search, width, height, from, until, favourite } = filter;
  /** @type {Message} */
  const m = { type: 'list', results: true, limit, skip };
  if (search.trim()) m.search = search.trim();
  if (width) m.width = width;
  if (height) m.height = height;
  if (from) m.from_ms = from;
  if (until) m.until_ms = until;
  if (favourite) m.favourite = true;
  return m;
}

export class Results {
  /** @param {(message: Message) => Promise<Message>} ask @param {() => void} changed */
  constructor(ask, changed) {
    this.ask = ask;
    this.changed = changed;
    this.filter = ANY;
    /** @type {(Row | undefined)[]} */ this.rows = [];
    this.count = 0;
    this.known = false; // whether count is
    /** @type {Size[]} */ this.sizes = [];
    this.total = 0; // without a filter
    /** @type {Failure | null} */ this.failure = null;
    this.epoch = 0; // answers to older questions are not taken
    /** @type {Set<number>} */ this.asked = new Set(); // pages on their way
    this.wanted = { first: 0, last: 0 };
    this.refreshing = false;
    this.stale = false; // refresh() was called meanwhile
  }

  /** Another filter: begin anew. @param {Filter} filter */
  choose(filter) {
    this.filter = Object.freeze({ ...filter });
    this.begin();
  }

  /** Forget what was fetched, and fetch it anew. */
  begin() {
    this.epoch += 1;
    this.rows = [];
    this.count = 0;
    this.known = false;
    this.failure = null;
    this.asked.clear();
    this.refreshing = this.stale = false;
    this.want(0, 0);
    this.changed();
  }

  /** These rows are on view: fetch what lacks of them. @param {number} first @param {number} last
   * the last one's index */
  want(first, last) {
    this.wanted = { first, last };
    this.#fetch();
  }

  /** Something was drawn or deleted, by this page or not. */
  async refresh() {
    this.stale = this.refreshing;
    if (this.refreshing) return;
    if (!this.known) return void this.#fetch();
    this.refreshing = true;
    const { epoch } = this;
    const answer = await this.#ask(0);
    if (epoch !== this.epoch) return;
    this.refreshing = false;
    if (answer) this.#renew(answer);
    if (this.stale) this.refresh();
  }

  /** Remove rows that were deleted. @param {ReadonlySet<string>} jobs */
  remove(jobs) {
    const before = this.rows.length;
    const kept = [];
    let gone = 0;
    for (let i = 0; i < before; i++) {
      const row = this.rows[i];
      if (row && jobs.has(row.job)) gone += 1;
      else if (i in this.rows) kept[i - gone] = row;
    }
    if (!gone) return;
    kept.length = before - gone;
    this.rows = kept;
    this.count -= gone;
    this.total -= gone;
    this.#supersede();
    this.changed();
    this.#fetch();
  }

  /** @param {string} job @param {boolean} on */
  mark(job, on) {
    const i = this.find(job);
    const row = this.rows[i];
    if (!row || !!row.favourite === on) return;
    this.rows[i] = { ...row, favourite: on };
    this.changed();
  }

  /** The index of a row that was fetched, -1. @param {string} job */
  find(job) {
    return this.rows.findIndex((row) => row?.job === job);
  }

  /** Every row, fetched if need be; at most `most`. @param {number} most
   * @returns {Promise<Row[]>} rejected with a Failure */
  async all(most) {
    /** @type {Row[]} */ const rows = [];
    const { filter } = this;
    for (let more = true; more && rows.length < most;) {
      const answer = await this.ask(question(filter, rows.length, Math.min(200, most)));
      rows.push(...answer.jobs);
      more = answer.more && answer.jobs.length > 0;
    }
    return rows.slice(0, most);
  }

  /** Answers that are on their way count rows from another beginning. */
  #supersede() {
    this.epoch += 1;
    this.asked.clear();
    this.refreshing = false;
  }

  #fetch() {
    const { first, last } = this.wanted;
    const end = this.known ? Math.min(last, this.count - 1) : 0;
    for (let page = Math.floor(first / PAGE); page * PAGE <= end; page++) {
      if (this.asked.size >= ASKED_MAX) return;
      if (this.asked.has(page) || this.#whole(page)) continue;
      this.#load(page);
    }
  }

  /** @param {number} page */
  #whole(page) {
    if (!this.known) return false;
    const end = Math.min(this.count, (page + 1) * PAGE);
    for (let i = page * PAGE; i < end; i++) if (!this.rows[i]) return false;
    return true;
  }

  /** @param {number} page */
  async #load(page) {
    const { epoch } = this;
    this.asked.add(page);
    const answer = await this.#ask(page * PAGE);
    if (epoch !== this.epoch) return;
    this.asked.delete(page);
    if (!answer) return;
    this.#take(answer, page * PAGE);
    this.#fetch();
  }

  /** @param {number} skip @returns {Promise<Message | null>} null: it failed */
  async #ask(skip) {
    const { epoch } = this;
    try {
      const answer = await this.ask(question(this.filter, skip));
      if (epoch === this.epoch) this.failure = null;
      return answer;
    } catch (failure) {
      if (epoch !== this.epoch) return null;
      this.failure = /** @type {Failure} */ (failure);
      this.asked.clear();
      this.refreshing = false;
      this.changed();
      return null;
    }
  }

  /** @param {Message} answer @param {number} skip */
  #take(answer, skip) {
    const other = this.known && answer.count !== this.count;
    if (other) this.#forget(skip, answer);
    this.count = answer.count;
    this.known = true;
    this.rows.length = this.count;
    /** @type {Row[]} */ (answer.jobs).forEach((row, i) => { this.rows[skip + i] = row; });
    this.#sizes(answer);
    this.#prune();
    this.changed();
  }

  /** Somebody has drawn or deleted: only this answer is known to be where it is.
   * @param {number} skip @param {Message} answer */
  #forget(skip, answer) {
    this.#supersede();
    this.rows = [];
    if (skip) this.rows.length = answer.count;
  }

  /** The newest page came again: put what is new before the rest.
   * @param {Message} answer */
  #renew(answer) {
    /** @type {Row[]} */ const fresh = answer.jobs;
    const oldest = this.rows[0]?.job;
    const added = oldest === undefined ? -1 : fresh.findIndex((row) => row.job === oldest);
    if (added < 0 || this.count + added !== answer.count) return this.#take(answer, 0);
    if (added) {
      this.#supersede();
      const old = this.rows;
      this.rows = [];
      this.rows.length = answer.count;
      for (let i = 0; i < old.length; i++) if (i in old) this.rows[i + added] = old[i];
      this.count = answer.count;
    }
    this.#take(answer, 0);
  }

  /** @param {Message} answer */
  #sizes(answer) {
    if (!answer.sizes) return;
    this.sizes = answer.sizes;
    this.total = this.sizes.reduce((sum, size) => sum + size.count, 0);
  }

  /** Forget what is far from what is on view. */
  #prune() {
    const held = Math.ceil(this.rows.length / PAGE);
    if (held <= PAGES_MAX) return;
    const middle = Math.floor((this.wanted.first + this.wanted.last) / 2 / PAGE);
    const from = Math.max(0, middle - PAGES_MAX / 2) * PAGE;
    const to = (middle + PAGES_MAX / 2) * PAGE;
    for (let i = 0; i < this.rows.length; i++) {
      if (i === from) i = Math.min(to, this.rows.length);
      if (i < this.rows.length && i in this.rows) delete this.rows[i];
    }
  }
}
