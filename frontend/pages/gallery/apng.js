// @ts-check
// apng - writes an animated PNG from frames of pixels: the time-lapse of a picture. No DOM.
//
// Not webm: MediaRecorder records in real time, so that a busy machine drops frames and a film of
// five seconds takes five to make; its file has no length and cannot be searched; and not every
// browser has an encoder. An animated PNG is exact, plays in every browser and stays sharp. A
// viewer without animation shows its first frame, which is the finished picture.
// source PNG (third edition) sections 5.3, 9.2, 11.2.1, 11.3.6

import { crc32 } from './zip.js';

/** rgba: width x height x 4; ms: how long it is shown.
 * @typedef {{rgba: Uint8Array | Uint8ClampedArray, ms: number}} Frame */

/** @param {string} kind @param {readonly Uint8Array[]} parts */
function chunk(kind, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const out = new Uint8Array(size + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, size);
  out.set(new TextEncoder().encode(kind), 4);
  let at = 8;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  view.setUint32(at, crc32(out.subarray(4, at)));
  return out;
}

/** Big-endian numbers of these widths in bytes. @param {readonly [number, number][]} fields */
function numbers(fields) {
  const out = new Uint8Array(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) {
    for (let i = bytes - 1; i >= 0; i--) out[at++] = value / 2 ** (8 * i);
  }
  return out;
}

/** The rows as PNG filters them: each byte less the one of the pixel before it.
 * @param {Frame['rgba']} rgba @param {number} width @param {number} height */
export function filtered(rgba, width, height) {
  const stride = 1 + 3 * width;
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    let to = y * stride;
    let from = y * width * 4;
    out[to++] = 1; // Sub
    for (let i = 0; i < 3; i++) out[to++] = rgba[from + i];
    for (let x = 1; x < width; x++) {
      from += 4;
      for (let i = 0; i < 3; i++) out[to++] = rgba[from + i] - rgba[from + i - 4];
    }
  }
  return out;
}

/** @param {Uint8Array<ArrayBuffer>} bytes @returns {Promise<Uint8Array>} a zlib stream */
async function deflated(bytes) {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** The file's pieces. The first frame is not part of the animation when `still` is given: then that
 * is what viewers without animation show.
 * @param {number} width @param {number} height @param {readonly Frame[]} frames
 * @param {{still?: Frame['rgba'], each?: (share: number) => void}} [more] each: after every frame
 * @returns {Promise<Uint8Array<ArrayBuffer>[]>} */
export async function apng(width, height, frames, { still, each } = {}) {
  const out = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk('IHDR', numbers([[width, 4], [height, 4], [8, 1], [2, 1], [0, 1], [0, 1], [0, 1]])),
    chunk('acTL', numbers([[frames.length, 4], [0, 4]]))];
  let sequence = 0;
  if (still) out.push(chunk('IDAT', await deflated(filtered(still, width, height))));
  for (const [i, { rgba, ms }] of frames.entries()) {
    out.push(chunk('fcTL', numbers([[sequence++, 4], [width, 4], [height, 4], [0, 4], [0, 4],
      [ms, 2], [1000, 2], [0, 1], [0, 1]])));
    const data = await deflated(filtered(rgba, width, height));
    out.push(i === 0 && !still ? chunk('IDAT', data)
      : chunk('fdAT', numbers([[sequence++, 4]]), data));
    each?.((i + 1) / frames.length);
  }
  return [...out, chunk('IEND')];
}

const LENGTH_MS = 6000; // of a film, at most
const FRAME_MS = [60, 400];
const END_MS = 2500; // for which the finished picture is shown

/** How long each of n previews is shown, and the picture behind them. @param {number} n */
export function timing(n) {
  const each = Math.round(Math.max(FRAME_MS[0], Math.min(FRAME_MS[1],
    (LENGTH_MS - END_MS) / Math.max(1, n))));
  return { each, end: END_MS };
}
