// @ts-check
// users - who there is, what each may do and has going; how users are changed.

import { copyWords } from '../../view/copy.js';
import { Bar, el, put, show } from '../../view/dom.js';
import { USER_COMMANDS, shareOf } from './model.js';
import { Part, labelCells, table } from './part.js';

/** @typedef {import('../../pages.js').Host} Host */
/** @typedef {import('../../i18n/text.js').Text} Text */

const COLUMNS = /** @type {const} */ (['name', 'role', 'lanes', 'limits', 'jobs', 'connections',
  'used']);

export class Users extends Part {
  /** @param {Host} host */
  constructor(host) {
    super(host, 'users');
    /** @type {any} */ this.answer = null;
    this.table = table(COLUMNS.length);
    this.none = this.words('p', 'admin.users.none', { class: 'admin-none' });
    this.more = el('p', { class: 'admin-none' });
    this.body.append(this.table.element, this.none, this.more, this.#commands());
  }

  #commands() {
    const list = el('dl', { class: 'admin-commands' });
    for (const [name, command] of USER_COMMANDS) {
      const copy = this.button('admin.copy', async () => {
        const done = await copyWords(command);
        this.host.say((text) => text.say(done ? 'act.copied' : 'act.copied.not'));
      });
      list.append(el('div', {}, this.words('dt', `admin.command.${name}`),
        el('dd', {}, el('code', { text: command, lang: 'en' }), copy)));
    }
    return el('details', { class: 'admin-how' }, this.words('summary', 'admin.users.how'),
      this.words('p', 'admin.users.where', { class: 'help' }), list);
  }

  async ask() {
    const answer = await this.send({ type: 'users' });
    if (answer) this.answer = answer;
    this.redraw();
  }

  /** @param {import('../../state.js').State} _ @param {Text} text */
  draw(_, text) {
    const rows = this.answer?.users ?? [];
    put(this.table.caption, text.say('admin.users'));
    this.table.element.setAttribute('aria-label', text.say('admin.users'));
    COLUMNS.forEach((column, i) => put(this.table.heads[i], text.say(`admin.users.${column}`)));
    this.table.body.replaceChildren(...rows.map((/** @type {any} */ row) =>
      personRow(row, this.answer.window_ms, text)));
    labelCells(this.table);
    show(this.table.element, rows.length > 0);
    show(this.none, this.answer !== null && rows.length === 0);
    put(this.more, this.answer?.more ? text.say('status.more', { n: this.answer.more }) : '');
    show(this.more, !!this.answer?.more);
  }
}

/** @param {any} row @param {number} windowMs @param {Text} text */
function personRow(row, windowMs, text) {
  const { user } = row;
  const bar = new Bar('thin');
  bar.set(shareOf(row, windowMs));
  const used = text.say('admin.users.used.value', { time: text.exact(row.used_ms / 1000),
    minutes: Math.round(windowMs / 60_000) });
  return el('tr', {}, el('th', { scope: 'row', text: user.name }),
    el('td', { text: text.say(`account.role.${user.role}`) }),
    el('td', { text: text.list(user.lanes.map((/** @type {string} */ lane) =>
      text.say(`lane.${lane}`))) }),
    el('td', { text: text.say('admin.users.limits.value',
      { waiting: user.limits.waiting ?? '–', running: user.limits.running ?? '–',
        weight: user.weight }) }),
    el('td', { text: text.say('admin.users.jobs.value',
      { running: row.running, waiting: row.waiting, held: row.held }) }),
    el('td', { text: text.number.format(row.connections) }),
    el('td', {}, el('span', { text: used }), bar.element));
}
