// @ts-check
// dropped - a picture of ours that is dropped on the page, or chosen, brings its settings back.

import { pngSpec } from '../png.js';
import { el, put } from './dom.js';

/** @typedef {import('../state.js').Spec} Spec */

const BYTES_MAX = 64 << 20; // a picture of 2048 x 2048 has 12 MB at most

export class Dropped {
  /** @param {{use: (spec: Spec) => void, fail: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.file = el('input', { type: 'file', accept: 'image/png', hidden: '', tabindex: '-1',
      on: { change: () => this.#chosen() } });
    this.button = el('button', { type: 'button', class: 'quiet small', id: 'from-picture',
      on: { click: () => this.file.click() } });
    this.words = el('p', { class: 'drop-here', 'aria-hidden': 'true' });
    document.body.append(this.words);
    this.#listen();
  }

  #listen() {
    addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      document.documentElement.dataset.drop = 'true';
    });
    addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) delete document.documentElement.dataset.drop;
    });
    addEventListener('drop', (event) => {
      delete document.documentElement.dataset.drop;
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      this.#read(file);
    });
  }

  #chosen() {
    const file = this.file.files?.[0];
    if (file) this.#read(file);
    this.file.value = ''; // the same one can be chosen again
  }

  /** @param {File} file */
  async #read(file) {
    const spec = file.size <= BYTES_MAX
      ? await file.arrayBuffer().then((b) => pngSpec(new Uint8Array(b)), () => null) : null;
    if (spec) this.acts.use(spec);
    else this.acts.fail();
  }

  /** @param {import('../i18n/text.js').Text} text */
  translate(text) {
    put(this.button, text.say('dropped.choose'));
    put(this.words, text.say('dropped.here'));
  }
}
