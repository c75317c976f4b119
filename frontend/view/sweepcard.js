// @ts-check
// sweepcard - several pictures that were asked for at once: one bar, and a table of cells with
// their labels that fills in while they are drawn.

import { TERMINAL, remaining } from '../state.js';
import { cellSpec, tablesOf } from '../sweep.js';
import { Bar, attribute, brief, button, el, pictureUrl, put, quote, show } from './dom.js';
import { jobErrors } from './errors.js';
import { unwatch, watch } from './onscreen.js';
import { blobOf } from './shots.js';
import { paramWords, whatWords, whyWords } from './card.js';

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../state.js').Cell} Cell */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {import('./card.js').Acts} Acts */
/** @typedef {import('./card.js').Scene} Scene */

/** A cell as a job of its own, for what shows and repeats jobs. @param {Job} job
 * @param {number} at @returns {Job} */
export function cellJob(job, at) {
  const cell = job.cells[at];
  const spec = cellSpec(job.spec, job.sweep ?? {}, at);
  const result = cell.result && { ...cell.result,
    ...(cell.result.digest ? {} : { seed: spec.seed ?? -1, width: spec.width ?? 1,
      height: spec.height ?? 1 }) };
  return { ...job, key: `${job.key}.${at}`, id: cell.id, asked: spec, spec, more: {}, sweep: null,
    cells: [], state: cell.state, result, error: cell.error };
}

/** The finished cells of a sweep. @param {Job} job @returns {Job[]} */
export function finishedCells(job) {
  return job.cells.flatMap((cell, i) =>
    (cell.state === 'done' && cell.result ? [cellJob(job, i)] : []));
}

/** "10 steps", "guidance 1.5". @param {import('../sweep.js').Label} label @param {Text} text */
export function labelWords({ field, value }, text) {
  switch (field) {
    case 'prompt': return brief(String(value));
    case 'steps': return text.say('compose.now.steps', { n: Number(value) });
    case 'guidance': return text.say('compose.now.guidance', { value });
    case 'seed': return text.say('compose.now.seed', { value: String(value) });
    case 'lane': return text.say(`lane.${value}`);
    default: return text.say('several.other', { field, value: String(value) });
  }
}

export class SweepCard {
  /** @param {Job} job @param {Acts} acts */
  constructor(job, acts) {
    this.job = job;
    this.key = job.key;
    this.acts = acts;
    /** @type {Scene | null} */ this.scene = null;
    /** @type {CellView[]} */ this.cells = [];
    const asks = (/** @type {keyof Acts} */ act) => (/** @type {MouseEvent} */ event) =>
      acts[act](this.job, event.detail === 0);
    this.what = el('span', { class: 'what' });
    this.step = el('span', { class: 'step-count' });
    this.when = el('span', { class: 'when' });
    this.bar = new Bar();
    this.meter = el('div', { class: 'meter', role: 'progressbar', 'aria-valuemin': '0',
      'aria-valuemax': '100' }, this.bar.element);
    this.why = el('p', { class: 'why' });
    this.wrong = el('p');
    this.todo = el('p', { class: 'todo' });
    this.errors = el('div', { class: 'errors' }, this.wrong, this.todo);
    this.prompt = el('h3', { class: 'prompt-line', id: `prompt-${job.key}` });
    this.params = el('p', { class: 'params' });
    this.tables = el('div', { class: 'sweep-tables' });
    this.buttons = { cancel: button(null, asks('cancel')),
      retry: button(null, asks('retry'), 'strong'), use: button(null, asks('use')),
      share: button(null, asks('share')) };
    this.remove = button('close', asks('remove'), 'icon remove');
    const { cancel, retry, use, share } = this.buttons;
    this.actions = el('div', { class: 'actions' }, cancel.element, retry.element, use.element,
      share.element);
    this.article = el('article', { class: 'card sweep', 'aria-labelledby': this.prompt.id },
      el('div', { class: 'card-body' }, el('div', {}, this.prompt, this.params),
        el('div', { class: 'doing' }, el('div', { class: 'doing-line' }, this.what, this.step,
          this.when), this.meter, this.why), this.errors, this.tables, this.actions),
      this.remove.element);
    this.element = el('li', { class: 'wide' }, this.article);
  }

  /** @param {Job} job @param {Scene} scene */
  update(job, scene) {
    const otherText = scene.text !== this.scene?.text;
    const otherCells = job.sweep !== this.job.sweep || job.cells.length !== this.cells.length;
    const { text } = scene;
    this.job = job;
    this.scene = scene;
    this.article.dataset.state = job.state;
    if (otherCells || otherText) this.#build(text);
    this.cells.forEach((view, i) => view.update(job.cells[i], text));
    const varied = job.sweep?.prompt?.length ?? 0;
    if (varied > 1) put(this.prompt, text.say('several.prompts', { n: varied }));
    else quote(this.prompt, job.spec.prompt);
    this.#params(text);
    this.#state(job, scene);
    this.#buttons(job, scene);
    this.tick(scene.now);
  }

  /** Its element is removed. */
  drop() {
    for (const view of this.cells) view.drop();
  }

  /** What all cells have in common. @param {Text} text */
  #params(text) {
    const { job } = this;
    const axes = job.sweep ?? {};
    const common = Object.fromEntries(Object.entries(job.spec).filter(([name]) => !(name in axes)));
    const words = paramWords({ ...job, spec: /** @type {any} */ (common), result: null }, text);
    if (this.shownParams === words.join()) return;
    this.shownParams = words.join();
    this.params.replaceChildren(...words.map((word) => el('span', { text: word })));
  }

  /** @param {Job} job @param {Scene} scene */
  #state(job, { text, connected, cap }) {
    const live = !TERMINAL.has(job.state);
    const done = job.cells.filter((cell) => cell.state === 'done').length;
    put(this.what, job.state === 'running' && !job.cancelling ? text.say('several.running')
      : whatWords(job, text, connected));
    put(this.step, job.cells.length
      ? text.say('several.count', { done, total: job.cells.length }) : '');
    this.bar.set(job.state === 'done' ? 1 : job.overall);
    show(this.meter, live && job.state !== 'sending');
    attribute(this.meter, 'aria-label', text.say('card.progress', { prompt: this.#name() }));
    attribute(this.meter, 'aria-valuenow', String(Math.floor(job.overall * 100)));
    attribute(this.meter, 'aria-valuetext',
      text.say('several.count', { done, total: job.cells.length }));
    put(this.why, whyWords(job, text, connected, cap));
    show(this.why, this.why.textContent !== '');
    const bad = job.state === 'cancelled' ? null : jobErrors(job, text, false);
    show(this.errors, bad !== null);
    put(this.wrong, bad?.wrong ?? '');
    put(this.todo, bad?.todo ?? '');
  }

  #name() {
    return brief(this.prompt.textContent ?? '');
  }

  /** @param {Job} job @param {Scene} scene */
  #buttons(job, { text, shares }) {
    const over = TERMINAL.has(job.state);
    for (const [name, key] of [['cancel', 'several.cancel'], ['retry', 'act.retry'],
      ['use', 'act.use'], ['share', 'act.share']]) {
      const { element, label } = this.buttons[/** @type {'cancel'} */ (name)];
      put(label, text.say(key));
      attribute(element, 'aria-label', text.say('act.of', { name: text.say(key),
        prompt: this.#name() }));
    }
    put(this.remove.label, text.say(over ? 'act.remove' : 'act.remove.live'));
    attribute(this.remove.element, 'title', this.remove.label.textContent);
    attribute(this.remove.element, 'aria-label', text.say('act.of',
      { name: this.remove.label.textContent ?? '', prompt: this.#name() }));
    show(this.buttons.cancel.element, !over);
    attribute(this.buttons.cancel.element, 'aria-disabled', job.cancelling ? 'true' : null);
    show(this.buttons.retry.element, over && job.state !== 'done');
    show(this.buttons.share.element, shares && job.id !== null
      && ['queued', 'running', 'done'].includes(job.state));
  }

  /** The tables anew. @param {Text} text */
  #build(text) {
    const { job } = this;
    for (const view of this.cells) view.drop();
    this.cells = [];
    const tables = job.cells.length && job.sweep ? tablesOf(job.sweep) : [];
    const { width = 1, height = 1 } = job.spec;
    const name = (/** @type {import('../sweep.js').Label[]} */ labels) =>
      labels.map((label) => labelWords(label, text)).join(', ');
    this.tables.replaceChildren(...tables.map(({ given, columns, rows }) => {
      const head = el('tr', {}, rows[0].label ? el('td') : null,
        ...columns.map((label) => el('th', { scope: 'col', text: labelWords(label, text) })));
      const body = rows.map(({ label, cells }) => el('tr', {},
        label && el('th', { scope: 'row', text: labelWords(label, text) }),
        ...cells.map((cell, c) => {
          const view = new CellView(() => this.acts.open(cellJob(this.job, cell)),
            name([...given, ...(label ? [label] : []), columns[c]]), width / height);
          this.cells[cell] = view;
          return el('td', {}, view.element);
        })));
      return el('div', { class: 'sweep-scroll', tabindex: '0', role: 'group',
        'aria-label': given.length ? name(given) : text.say('several.table') },
      el('table', { class: 'sweep-table' },
        given.length ? el('caption', { text: name(given) }) : null,
        el('thead', {}, head), el('tbody', {}, ...body)));
    }));
  }

  /** Update the times alone. @param {number} now */
  tick(now) {
    const { job, scene } = this;
    if (!scene) return;
    if (TERMINAL.has(job.state) || !scene.connected || !job.due) return put(this.when, '');
    const left = remaining(job.due, now);
    put(this.when, left > 0 ? scene.text.say('card.left', { time: scene.text.about(left) })
      : scene.text.say('card.soon'));
  }

  focus() {
    const first = [...this.actions.children]
      .find((child) => child instanceof HTMLElement && !child.hidden);
    /** @type {HTMLElement | undefined} */ (first)?.focus();
  }
}

/** One picture of a sweep: its place, then previews, then the picture. */
class CellView {
  /** @param {() => void} open @param {string} name its labels @param {number} aspect */
  constructor(open, name, aspect) {
    this.name = name;
    /** @type {Cell | null} */ this.cell = null;
    this.image = el('img', { alt: '', decoding: 'async' });
    this.word = el('span', { class: 'cell-word' });
    this.element = el('button', { type: 'button', class: 'cell', on: { click: () =>
      this.cell?.state === 'done' && open() } }, this.image, this.word);
    this.element.style.aspectRatio = String(aspect);
    this.blob = ''; // of the preview that is being loaded
    this.shown = '';
    /** @type {import('../state.js').Preview | null} */ this.next = null;
    this.visible = false;
    for (const end of ['load', 'error']) {
      this.image.addEventListener(end, () => {
        this.#release();
        this.#preview();
      });
    }
    show(this.image, false);
    watch(this.element, (visible) => {
      this.visible = visible;
      this.#preview();
    });
  }

  #release() {
    if (this.blob) URL.revokeObjectURL(this.blob);
    this.blob = '';
  }

  drop() {
    this.next = null;
    this.#release();
    unwatch(this.element);
  }

  /** @param {Cell} cell @param {Text} text */
  update(cell, text) {
    if (this.cell === cell) return;
    this.cell = cell;
    this.element.dataset.state = cell.state;
    const word = cell.state === 'running' ? text.percent(cell.overall)
      : text.say(`several.cell.${cell.state}`);
    put(this.word, word);
    show(this.word, cell.state !== 'done');
    attribute(this.element, 'aria-label', cell.state === 'done'
      ? text.say('act.open', { prompt: this.name }) : `${this.name}: ${word}`);
    attribute(this.element, 'aria-disabled', cell.state === 'done' ? null : 'true');
    this.next = cell.result || TERMINAL.has(cell.state) ? null : cell.preview;
    if (cell.result && this.shown !== cell.result.url) {
      this.shown = cell.result.url;
      this.#release();
      this.#show(pictureUrl(cell.result.url));
    } else this.#preview();
  }

  /** The newest preview, while it can be seen, when the one before is there. */
  #preview() {
    if (!this.next || !this.visible || this.blob || this.shown === String(this.next.seq)) return;
    this.shown = String(this.next.seq);
    this.blob = URL.createObjectURL(blobOf(this.next));
    this.#show(this.blob);
  }

  /** @param {string} url */
  #show(url) {
    this.image.src = url;
    show(this.image, true);
  }
}
