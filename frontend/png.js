// @ts-check
// png - reads the texts of a PNG file: the request that a picture of ours was drawn for. No DOM.
// source PNG (third edition) sections 5.3, 11.3.3

import { specOf } from './stored.js';

/** @typedef {import('./state.js').Spec} Spec */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const TEXT_MAX = 1 << 20; // bytes of one text that is read

/** @param {Uint8Array} bytes */
export function isPng(bytes) {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/** The uncompressed texts of a PNG by their keys; of what is damaged those before the damage.
 * @param {Uint8Array} bytes @returns {Map<string, string>} */
export function pngTexts(bytes) {
  const texts = new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; isPng(bytes) && at + 12 <= bytes.length;) {
    const size = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + size > bytes.length || kind === 'IEND') break;
    if ((kind === 'tEXt' || kind === 'iTXt') && size <= TEXT_MAX) {
      const text = readText(kind, bytes.subarray(at + 8, at + 8 + size));
      if (text && !texts.has(text[0])) texts.set(...text);
    }
    at += 12 + size;
  }
  return texts;
}

/** @param {string} kind @param {Uint8Array} body @returns {[string, string] | null} */
function readText(kind, body) {
  const end = body.indexOf(0);
  if (end < 1) return null;
  const key = new TextDecoder('latin1').decode(body.subarray(0, end));
  if (kind === 'tEXt') return [key, new TextDecoder('latin1').decode(body.subarray(end + 1))];
  if (body[end + 1] !== 0) return null; // compressed
  const language = body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0) return null;
  return [key, new TextDecoder().decode(body.subarray(translated + 1))];
}

/** The settings of a picture of ours; null: it is none, or does not say.
 * @param {Uint8Array} bytes @returns {Spec | null} */
export function pngSpec(bytes) {
  const texts = pngTexts(bytes);
  try {
    const spec = specOf(JSON.parse(texts.get('parameters') ?? 'null'));
    if (spec?.prompt) return spec;
  } catch {
    return null;
  }
  return null;
}
