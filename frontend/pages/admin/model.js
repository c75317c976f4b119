// @ts-check
// model - what the administrator's page makes of answers and fields. No DOM.

/** @typedef {import('../../wire.js').Message} Message */
/** @typedef {{seq: number, time_ms: number, level: string, text: string}} Line */

export const LINES_MAX = 300;
export const DRAIN_MIN_MAX = 1440; // PROTOCOL.md: 86400000 ms
const NOTICE_BYTES_MAX = 1000;

/** The lines on show after more have come, the oldest first. A server that was started again
 * counts from 1: its lines replace those of the one before.
 * @param {readonly Line[]} lines @param {readonly Line[]} more @returns {Line[]} */
export function addLines(lines, more) {
  const last = lines.at(-1)?.seq ?? 0;
  const fresh = more.filter((line) => line.seq > last);
  if (more.length && !fresh.length) return [...more].slice(-LINES_MAX);
  return [...lines, ...fresh].slice(-LINES_MAX);
}

/** A whole number in a field; null: it is none from min to max. @param {string} value
 * @param {number} min @param {number} max */
export function wholeIn(value, min, max) {
  const n = Number(value);
  return value.trim() !== '' && Number.isInteger(n) && n >= min && n <= max ? n : null;
}

/** The command for a notice; null: the text is longer than the server takes.
 * @param {string} words "": no notice any more @returns {Message | null} */
export function noticeOf(words) {
  const text = words.trim();
  if (new TextEncoder().encode(text).length > NOTICE_BYTES_MAX) return null;
  return { type: 'notice', text: text || null };
}

/** @param {number} minutes @param {string} words @returns {Message} */
export function drainOf(minutes, words) {
  const text = words.trim();
  return { type: 'drain', deadline_ms: minutes * 60_000, ...(text ? { text } : {}) };
}

/** What `set` changes: the fields that differ from what holds; null: none.
 * @param {Record<string, number>} wanted @param {Record<string, number>} now
 * @returns {Message | null} */
export function setOf(wanted, now) {
  const changed = Object.entries(wanted).filter(([name, value]) => now[name] !== value);
  return changed.length ? { type: 'set', ...Object.fromEntries(changed) } : null;
}

/** A user's part of the device time of the window, 0 to 1. @param {any} row of `users`
 * @param {number} windowMs */
export function shareOf(row, windowMs) {
  return windowMs > 0 ? Math.min(1, row.used_ms / windowMs) : 0;
}

/** The commands that change users, on the server's machine; NAME stands for a name. */
export const USER_COMMANDS = Object.freeze([
  ['add', 'darkroom user add NAME'],
  ['rotate', 'darkroom user rotate NAME'],
  ['set', 'darkroom user set NAME --role admin'],
  ['remove', 'darkroom user remove NAME'],
]);
