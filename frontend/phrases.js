// @ts-check
// phrases - the prompts that were used and the styles that were saved, as lists in the browser's
// storage. No DOM.
//
// A style is a few words that are put behind a prompt, after a comma, and can be taken off again.

export const USED_MAX = 50;
const USED_BYTES_MAX = 100_000; // of all, in UTF-16 units
export const STYLES_MAX = 24;
export const STYLE_CHARS_MAX = 200;
const USED = 'darkroom.used';
const STYLES = 'darkroom.styles';

/** What a list in the storage holds: only texts, whatever is there.
 * @param {string | null} text @param {number} max @returns {string[]} */
export function readList(text, max) {
  try {
    const list = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list.filter((x) => typeof x === 'string' && x).slice(0, max) : [];
  } catch {
    return [];
  }
}

/** The list with this prompt first, once, and within its bounds. @param {readonly string[]} list
 * @param {string} prompt */
export function addUsed(list, prompt) {
  const all = [prompt, ...list.filter((other) => other !== prompt)].slice(0, USED_MAX);
  let room = USED_BYTES_MAX;
  return all.filter((words) => (room -= words.length) >= 0);
}

/** The prompt with the style behind it, or without it when it is there. @param {string} prompt
 * @param {string} style */
export function toggleStyle(prompt, style) {
  const all = prompt.trimEnd();
  if (hasStyle(all, style)) return all.slice(0, -style.length).replace(/[,，]\s*$/, '');
  const words = all.replace(/[,，]$/, '');
  return words ? `${words}, ${style}` : style;
}

/** @param {string} prompt @param {string} style */
export function hasStyle(prompt, style) {
  const words = prompt.trimEnd();
  return words === style || (words.endsWith(style)
    && /[,，]\s*$/.test(words.slice(0, -style.length)));
}

/** Walks through the prompts that were used; what was being typed is kept at their beginning. */
export class Walk {
  constructor() {
    this.at = -1; // of the list; -1: what is being typed
    this.typed = '';
  }

  /** Something was typed: the next step begins anew. */
  typing() {
    this.at = -1;
  }

  /** @param {readonly string[]} list the newest first @param {1 | -1} step 1: older
   * @param {string} now what is in the field @returns {string | null} null: there is none */
  go(list, step, now) {
    const at = this.at + step;
    if (at < -1 || at >= list.length) return null;
    if (this.at === -1) this.typed = now;
    this.at = at;
    return at === -1 ? this.typed : list[at];
  }
}

/** The two lists, kept by these functions; neither throws.
 * @param {(name: string) => string | null} recall
 * @param {(name: string, text: string) => void} keep */
export function phrasesIn(recall, keep) {
  return {
    used: () => readList(recall(USED), USED_MAX),
    use: (/** @type {string} */ prompt) =>
      keep(USED, JSON.stringify(addUsed(readList(recall(USED), USED_MAX), prompt))),
    styles: () => readList(recall(STYLES), STYLES_MAX),
    keepStyles: (/** @type {readonly string[]} */ list) => keep(STYLES, JSON.stringify(list)),
    forget: () => {
      keep(USED, '');
      keep(STYLES, '');
    },
  };
}
