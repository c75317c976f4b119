// @ts-check
// browse - the grid of all pictures with its filters, the selection, and what is done with it.

import { serverTime } from '../../state.js';
import { attribute, button, el, put, show } from '../../view/dom.js';
import { failureWords } from '../../view/errors.js';
import { COMPARED_MAX } from './comparing.js';
import { Details } from './details.js';
import { daysOf } from './facts.js';
import { Grid } from './grid.js';
import { Removal } from './removal.js';
import { ANY, Results } from './results.js';
import { fits, saveZip } from './saving.js';
import { Selection } from './selection.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../state.js').State} State */
/** @typedef {import('../../state.js').Failure} Failure */
/** @typedef {import('../../i18n/text.js').Text} Text */
/** @typedef {import('../../pages.js').Host} Host */

const TYPING_MS = 250; // after the last key
const LOOK_MS = 1500; // after a change of the statistics: one look for all that end meanwhile
const SELECTED_MAX = 2000; // by "all"
const DAYS = ['any', 'today', 'yesterday', 'week', 'month', 'day'];

export class Browse {
  /** @param {Host} host @param {() => Text} text
   * @param {(jobs: readonly string[]) => void} compare */
  constructor(host, text, compare) {
    this.host = host;
    this.text = text;
    this.compare = compare;
    this.shown = false;
    this.stale = true; // something may have been drawn while it was not on view
    this.done = -1; // pictures that the server has finished, by its statistics
    this.boot = ''; // of the server that the rows are from
    this.timer = 0;
    this.looking = 0; // timer
    /** @type {unknown} */ this.shownSizes = null;
    /** @type {AbortController | null} */ this.saving = null;
    this.results = new Results(host.ask, () => this.#changed());
    this.selection = new Selection(() => this.#changed());
    this.removal = new Removal({ ask: host.ask, gone: (jobs) => this.#gone(jobs),
      changed: () => this.#changed(), fail: host.fail, text });
    this.details = new Details({ host, text, row: (i) => this.results.rows[i],
      count: () => this.results.count, want: (i) => this.results.want(i, i),
      favourite: (row, on) => this.#mark([row], on),
      remove: (row) => this.#remove([row]), closed: (i) => this.#closed(i) });
    this.grid = new Grid({ count: () => this.results.count, row: (i) => this.results.rows[i],
      want: (first, last) => this.results.want(first, last), open: (i) => this.details.open(i),
      select: (i, to) => this.selection.take(i, to, this.results.rows),
      selectAll: () => this.#selectAll(), clear: () => this.selection.clear(),
      favourite: (i) => this.#toggle(i), remove: (i) => this.#removeAt(i),
      selected: (job) => this.selection.has(job), going: (job) => this.removal.has(job) });
    this.title = el('h2', { class: 'page-title' });
    this.total = el('p', { class: 'gallery-total', role: 'status' });
    this.search = el('input', { type: 'search', class: 'gallery-input', maxlength: '120',
      autocomplete: 'off', enterkeyhint: 'search' });
    this.size = el('select', { class: 'gallery-input' });
    this.days = el('select', { class: 'gallery-input' });
    this.day = el('input', { type: 'date', class: 'gallery-input', hidden: '' });
    this.loved = button('heart', () => this.#choose({ favourite: !this.results.filter.favourite }));
    this.all = button(null, () => this.#clearFilter());
    this.filters = el('search', { class: 'gallery-filters' }, this.search, this.size, this.days,
      this.day, this.loved.element, this.all.element);
    this.picked = el('p', { class: 'gallery-picked', role: 'status' });
    this.tools = {
      save: button('save', () => this.#save(), 'strong'),
      compare: button('compare', () => this.compare([...this.selection.rows.keys()])),
      favourite: button('heart', () => this.#mark([...this.selection.rows.values()], true)),
      remove: button('bin', () => this.#remove([...this.selection.rows.values()])),
      none: button('close', () => {
        this.selection.clear();
        this.grid.element.focus();
      }),
    };
    this.toolbar = el('div', { class: 'gallery-tools', hidden: '' }, this.picked,
      ...Object.values(this.tools).map(({ element }) => element));
    this.bar = el('div', { class: 'gallery-bar' }, this.filters, this.toolbar);
    this.nothing = el('p', { class: 'gallery-nothing', hidden: '' });
    this.make = el('a', { class: 'quiet', href: '#/', hidden: '' });
    this.wrong = el('p', { class: 'gallery-wrong', role: 'alert', hidden: '' });
    this.retry = button('again', () => this.results.begin());
    this.element = el('div', { class: 'browse' },
      el('div', { class: 'gallery-head' }, this.title, this.total), this.bar, this.wrong,
      this.retry.element, this.nothing, this.make, this.grid.element, this.removal.element,
      this.details.dialog);
    this.#listen();
  }

  #listen() {
    this.search.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#choose({ search: this.search.value }), TYPING_MS);
    });
    this.size.addEventListener('change', () => {
      const [width, height] = this.size.value.split('x').map(Number);
      this.#choose({ width: width || 0, height: height || 0 });
    });
    this.days.addEventListener('change', () => {
      show(this.day, this.days.value === 'day');
      if (this.days.value === 'day' && !this.day.value) this.day.focus();
      this.#chooseDays();
    });
    this.day.addEventListener('change', () => this.#chooseDays());
    this.host.listen('stats', (m) => {
      if (m.done !== this.done && this.done >= 0) this.#lookSoon();
      this.done = m.done;
    });
    this.host.listen('end', (m) => m.state === 'done' && this.#refresh());
  }

  /** @param {boolean} on */
  live(on) {
    this.shown = on;
    this.grid.live(on);
    if (!on) return;
    if (this.stale) this.#refresh();
    this.grid.draw();
  }

  /** Somebody's picture is done, perhaps one's own from elsewhere: the statistics do not say. */
  #lookSoon() {
    if (this.looking) return;
    this.looking = setTimeout(() => {
      this.looking = 0;
      this.#refresh();
    }, LOOK_MS);
  }

  #refresh() {
    this.stale = !this.shown;
    if (this.shown && this.host.state().connection.state === 'open') this.results.refresh();
  }

  /** @param {State} state @param {boolean} languageChanged */
  update(state, languageChanged) {
    const open = state.connection.state === 'open';
    const who = `${state.hello?.boot_id} ${state.hello?.user?.name}`;
    if (open && state.hello && who !== this.boot) {
      const [, user] = this.boot.split(' ');
      const other = this.boot !== '' && user !== String(state.hello.user?.name);
      this.boot = who;
      if (other) this.#empty();
      if (!this.results.known || other) this.results.begin();
      else this.#refresh();
    } else if (open && (this.results.failure?.code === 'unreachable')) this.results.begin();
    if (languageChanged) this.#translate();
  }

  /** Somebody else has signed in. */
  #empty() {
    this.selection.clear();
    this.removal.undo();
    this.details.dialog.close();
    this.#clearFilter();
  }

  #translate() {
    const text = this.text();
    put(this.title, text.say('page.gallery'));
    attribute(this.search, 'placeholder', text.say('gallery.search'));
    attribute(this.search, 'aria-label', text.say('gallery.search'));
    attribute(this.size, 'aria-label', text.say('gallery.size'));
    attribute(this.days, 'aria-label', text.say('gallery.days'));
    attribute(this.day, 'aria-label', text.say('gallery.day'));
    attribute(this.filters, 'aria-label', text.say('gallery.filters'));
    put(this.loved.label, text.say('gallery.favourites'));
    put(this.all.label, text.say('gallery.all'));
    put(this.make, text.say('gallery.empty.do'));
    put(this.retry.label, text.say('notice.retry'));
    for (const [name, { label }] of Object.entries(this.tools)) {
      put(label, text.say(`gallery.tool.${name}`));
    }
    const { value } = this.days;
    this.days.replaceChildren(...DAYS.map((name) => el('option', { value: name,
      text: text.say(`gallery.days.${name}`) })));
    this.days.value = value || 'any';
    this.grid.translate(text);
    this.removal.translate();
    this.shownSizes = null;
    this.#changed();
  }

  /** @param {Partial<import('./results.js').Filter>} more */
  #choose(more) {
    this.selection.clear();
    this.results.choose({ ...this.results.filter, ...more });
  }

  #chooseDays() {
    this.#choose(daysOf(this.days.value === 'day' ? this.day.value : this.days.value,
      serverTime(this.host.state(), performance.now())));
  }

  #clearFilter() {
    clearTimeout(this.timer);
    this.search.value = '';
    this.days.value = 'any';
    this.size.value = '';
    show(this.day, false);
    this.#choose(ANY);
  }

  /** The rows, the selection or what is about to be deleted has changed. */
  #changed() {
    if (!this.grid.text) return; // not translated yet
    const text = this.text();
    const { results, selection } = this;
    const { filter, known, count, failure } = results;
    const filtered = Object.values(filter).some(Boolean);
    const none = known && count === 0 && !filtered; // nothing to search in
    put(this.total, known && !none ? text.say('gallery.total', { n: count }) : '');
    attribute(this.loved.element, 'aria-pressed', String(filter.favourite));
    show(this.all.element, filtered);
    this.#listSizes(text);
    show(this.nothing, known && count === 0);
    show(this.make, none);
    if (known && !count) {
      put(this.nothing, text.say(filtered ? 'gallery.nothing' : 'gallery.empty'));
    }
    show(this.wrong, failure !== null && failure.code !== 'unreachable');
    show(this.retry.element, !this.wrong.hidden);
    if (failure) put(this.wrong, failureWords(failure, text).wrong);
    show(this.toolbar, selection.rows.size > 0);
    show(this.filters, selection.rows.size === 0 && !none);
    if (!this.saving) put(this.picked, text.say('gallery.picked', { n: selection.rows.size }));
    show(this.tools.compare.element, selection.rows.size >= 2
      && selection.rows.size <= COMPARED_MAX);
    show(this.grid.element, count > 0 || !known);
    if (this.shown) this.grid.draw();
    this.details.update();
  }

  /** @param {Text} text */
  #listSizes(text) {
    const { sizes, filter } = this.results;
    if (sizes === this.shownSizes) return;
    this.shownSizes = sizes;
    const option = (/** @type {string} */ value, /** @type {string} */ words) =>
      el('option', { value, text: words });
    this.size.replaceChildren(option('', text.say('gallery.size.any')),
      ...sizes.map(({ width, height, count }) => option(`${width}x${height}`,
        text.say('gallery.size.one', { size: `${width} × ${height}`, n: count }))));
    this.size.value = filter.width ? `${filter.width}x${filter.height}` : '';
    if (this.size.selectedIndex < 0) this.size.selectedIndex = 0;
  }

  /** @param {number} i */
  #closed(i) {
    this.grid.active = i;
    this.grid.reveal(i);
    this.grid.element.focus({ preventScroll: true });
    this.grid.draw();
  }

  /** A picture, fetched if need be. @param {string} job @returns {Promise<Row>} */
  async rowOf(job) {
    const row = this.results.rows[this.results.find(job)];
    if (row && !row.prompt_cut) return row;
    const whole = await this.host.ask({ type: 'job', job });
    if (!whole.result) throw { code: 'not_found', message: 'There is no such picture' };
    return /** @type {any} */ (whole);
  }

  /** @param {number} i */
  #toggle(i) {
    const row = this.results.rows[i];
    if (row) this.#mark([row], !row.favourite);
  }

  /** @param {readonly Row[]} rows @param {boolean} on */
  async #mark(rows, on) {
    const n = rows.length;
    for (const { job } of rows) this.results.mark(job, on);
    this.host.say(() => this.text().say(on ? 'gallery.say.favourite'
      : 'gallery.say.favourite.not', { n }));
    for (const { job } of rows) {
      await this.host.ask({ type: 'favourite', job, on }).catch((failure) => {
        this.results.mark(job, !on);
        this.host.fail(failure);
      });
    }
  }

  /** @param {number} i */
  #removeAt(i) {
    const row = this.results.rows[i];
    const picked = [...this.selection.rows.values()];
    if (picked.length) this.#remove(picked);
    else if (row) this.#remove([row]);
  }

  /** @param {readonly Row[]} rows */
  #remove(rows) {
    this.selection.clear();
    this.removal.add(rows.map(({ job }) => job));
    const n = rows.length;
    this.host.say(() => this.text().say('gallery.say.removed', { n }));
    this.grid.element.focus({ preventScroll: true });
  }

  /** @param {ReadonlySet<string>} jobs */
  #gone(jobs) {
    this.results.remove(jobs);
    this.#refresh();
  }

  async #selectAll() {
    try {
      const rows = await this.results.all(SELECTED_MAX);
      this.selection.add(rows);
    } catch (failure) {
      this.host.fail(/** @type {Failure} */ (failure));
    }
  }

  /** Save what is selected as one archive; while it is written, stop that. */
  async #save() {
    if (this.saving) return this.saving.abort();
    const rows = [...this.selection.rows.values()];
    const text = this.text();
    if (!fits(rows)) return put(this.picked, text.say('gallery.zip.large'));
    const stop = new AbortController();
    this.saving = stop;
    put(this.tools.save.label, text.say('gallery.zip.stop'));
    let lost = 0;
    try {
      await saveZip(rows, (done, missing) => {
        lost = missing;
        put(this.picked, this.text().say('gallery.zip.saving', { done, n: rows.length }));
      }, stop.signal);
      put(this.picked, this.text().say(lost ? 'gallery.zip.missing' : 'gallery.zip.done',
        { n: lost || rows.length }));
    } catch {
      put(this.picked, this.text().say('gallery.zip.stopped'));
    }
    this.saving = null;
    put(this.tools.save.label, this.text().say('gallery.tool.save'));
  }
}
