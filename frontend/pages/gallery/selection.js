// @ts-check
// selection - which pictures are selected, with their rows: the grid may forget them. No DOM.

/** @typedef {import('./results.js').Row} Row */

export class Selection {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** In the order of their selection. @type {Map<string, Row>} */ this.rows = new Map();
    this.anchor = -1; // where the next range begins
  }

  /** @param {string} job */
  has(job) {
    return this.rows.has(job);
  }

  /** One more or less, or all from the last one to this. @param {number} i
   * @param {'one' | 'range'} to @param {readonly (Row | undefined)[]} all */
  take(i, to, all) {
    const row = all[i];
    if (to === 'range' && this.anchor >= 0) {
      const [from, end] = [Math.min(i, this.anchor), Math.max(i, this.anchor)];
      for (let k = from; k <= end; k++) {
        const one = all[k];
        if (one) this.rows.set(one.job, one);
      }
    } else if (row) {
      if (!this.rows.delete(row.job)) this.rows.set(row.job, row);
      this.anchor = i;
    }
    this.changed();
  }

  /** @param {readonly Row[]} rows */
  add(rows) {
    for (const row of rows) this.rows.set(row.job, row);
    this.changed();
  }

  /** False: nothing was selected. */
  clear() {
    this.anchor = -1;
    if (!this.rows.size) return false;
    this.rows.clear();
    this.changed();
    return true;
  }
}
