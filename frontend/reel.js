// @ts-check
// reel - the previews of the newest pictures, kept for their time-lapses; within bounds. No DOM.

/** @typedef {import('./wire.js').Frame} Frame */
/** A preview as it came. @typedef {{image: Uint8Array<ArrayBuffer>, mime: string,
 *   phase: string}} Shot */

const BYTES_MAX = 16 << 20; // of all pictures together
const SHOTS_MAX = 96; // of one picture; beyond that every second one goes

export class Reel {
  constructor() {
    /** By job, the one that got a preview last at the end. @type {Map<string, Shot[]>} */
    this.shots = new Map();
    this.bytes = 0;
    /** Every how many previews of a job are kept, and how many came. @type {Map<string,
     * {every: number, came: number}>} */
    this.pace = new Map();
  }

  /** @param {Frame} frame */
  add({ job, image, mime, phase }) {
    const shots = this.shots.get(job) ?? [];
    const pace = this.pace.get(job) ?? { every: 1, came: 0 };
    this.shots.delete(job);
    this.shots.set(job, shots); // the newest
    this.pace.set(job, pace);
    if (pace.came++ % pace.every) return;
    shots.push({ image, mime, phase });
    this.bytes += image.length;
    if (shots.length > SHOTS_MAX) this.#thin(shots, pace);
    this.#bound(job);
  }

  /** The previews of this job in order. @param {string} job @returns {readonly Shot[]} */
  of(job) {
    return this.shots.get(job) ?? [];
  }

  /** @param {string} job */
  forget(job) {
    for (const { image } of this.of(job)) this.bytes -= image.length;
    this.shots.delete(job);
    this.pace.delete(job);
  }

  /** @param {Shot[]} shots @param {{every: number}} pace */
  #thin(shots, pace) {
    const kept = shots.filter((_, i) => i % 2 === 0);
    const gone = shots.filter((_, i) => i % 2 === 1);
    for (const { image } of gone) this.bytes -= image.length;
    shots.splice(0, shots.length, ...kept);
    pace.every *= 2;
  }

  /** @param {string} newest which stays */
  #bound(newest) {
    for (const job of this.shots.keys()) {
      if (this.bytes <= BYTES_MAX || job === newest) return;
      this.forget(job);
    }
  }
}
