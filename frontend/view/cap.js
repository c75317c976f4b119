// @ts-check
// cap - why no more pictures are drawn at a time, in the page's words, from the parts beside the
// server's own sentence.

/** @typedef {import('../i18n/text.js').Text} Text */
/** A device's part, as PROTOCOL.md's `hello.concurrency` says.
 * @typedef {{why: string, cap?: number, fits?: number, width?: number, height?: number,
 *   picture_bytes?: number, bytes?: number, tries?: number, message?: string}} Device */

/** @param {any} told `stats`, or the `concurrency` of hello; null: there is none @param {Text} text
 * @returns {string} "": not known */
export function capWords(told, text) {
  /** @type {Device[]} */ const devices = told?.devices ?? [];
  return text.sentences([told?.disk ? text.say('cap.disk') : '',
    ...devices.map((device, i) => {
      const words = deviceWords(device, text);
      return words && devices.length > 1 ? text.say('cap.device', { name: String(i), words })
        : words;
    })]);
}

/** @param {Device} device @param {Text} text */
function deviceWords(device, text) {
  const { why, cap = 0, fits, width, height, picture_bytes: each, bytes: all, tries } = device;
  return text.sentences([
    text.has(`cap.${why}`) ? text.say(`cap.${why}`, { n: tries ?? cap }) : '',
    fits === undefined || !width || !height || each === undefined || all === undefined ? ''
      : text.say('cap.fits', { n: fits, each: text.bytes(each), all: text.bytes(all),
        size: text.say('params.size', { width: String(width), height: String(height) }) })]);
}

/** What devices said that fail, in English. @param {any} told */
export function capMessages(told) {
  /** @type {Device[]} */ const devices = told?.devices ?? [];
  return devices.flatMap(({ message }) => message ?? []).join(' · ');
}
