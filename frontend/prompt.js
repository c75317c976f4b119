// @ts-check
// prompt - finds what keeps a prompt from being sent or drawn, before it is sent. No DOM.

/** What is wrong with a prompt; `code` has its words in `error.*`. `at` and `length` say which
 * UTF-16 units to blame.
 * @typedef {{code: 'prompt_character' | 'prompt_long' | 'prompt_unseen',
 *            values: Record<string, string | number>, at: number, length: number}} PromptFault */

export const PROMPT_BYTES_MAX = 16_384; // the server's, until its hello says another
const MESSAGE_BYTES_MAX = 65_536;
const ENVELOPE_BYTES = 512; // of a submit, without its prompt

// neither JSON nor UTF-8 can carry them to the server
const UNSENDABLE = /[\0\p{Surrogate}]/u;
// the same characters as INVISIBLE of proto/visible.c
const UNSEEN =
  /^[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u2800\ufff0-\ufffb]*$/u;

const bytesOf = (/** @type {string} */ text) => new TextEncoder().encode(text).length;

/** Whether every character of `words` shows nothing. @param {string} words */
export function isUnseen(words) {
  return UNSEEN.test(words);
}

/** What is wrong with the prompt, null: nothing.
 * @param {string} prompt @param {{prompt?: number, message?: number}} [limits] the server's, bytes
 * @returns {PromptFault | null} */
export function promptFault(prompt, limits = {}) {
  const found = UNSENDABLE.exec(prompt);
  if (found) {
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return { code: 'prompt_character', values: { character: `U+${code}` }, at: found.index,
      length: 1 };
  }
  const all = { at: 0, length: prompt.length };
  if (isUnseen(prompt)) return { code: 'prompt_unseen', values: {}, ...all };
  const max = limits.prompt ?? PROMPT_BYTES_MAX;
  const n = bytesOf(prompt);
  if (n > max) return { code: 'prompt_long', values: { n, max }, ...all };
  // control characters take six bytes each in a message
  const room = (limits.message ?? MESSAGE_BYTES_MAX) - ENVELOPE_BYTES;
  const escaped = bytesOf(JSON.stringify(prompt));
  if (escaped > room) return { code: 'prompt_long', values: { n: escaped, max: room }, ...all };
  return null;
}

/** The limits that a hello states. @param {any} hello */
export function promptLimits(hello) {
  const field = hello?.fields?.find?.((/** @type {any} */ f) => f?.name === 'prompt');
  const number = (/** @type {unknown} */ x) =>
    (typeof x === 'number' && x > 0 ? x : undefined);
  return { prompt: number(field?.max), message: number(hello?.limits?.message_bytes) };
}
