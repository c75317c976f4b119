// @ts-check
// filming - the time-lapse of a finished picture: from the previews that this tab has kept, or from
// those of another drawing of the same request, of which the server keeps nothing.

import { pictureUrl } from '../../view/dom.js';
import { apng, timing } from './apng.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../reel.js').Shot} Shot */
/** @typedef {import('../../pages.js').Host} Host */

const SIDE_MAX = 512; // of a film, pixels

/** Draw it once more, and what was seen of that. A private job: neither its row nor its picture is
 * kept, and it is not in the gallery. @param {Row} row @param {Host} host
 * @param {(share: number) => void} each @param {AbortSignal} signal @returns {Promise<Shot[]>} */
export async function drawAgain({ spec, result }, host, each, signal) {
  const { prior_from, lane, ...rest } = spec; // its composition may be gone
  void prior_from, lane;
  /** @type {Shot[]} */ const shots = [];
  let job = '';
  /** @type {(() => void)[]} */ const ends = [];
  const over = new Promise((resolve, reject) => {
    ends.push(
      host.listen('preview', (m) => m.job === job
        && shots.push({ image: m.image, mime: m.mime, phase: m.phase })),
      host.listen('progress', (m) => m.job === job && each(m.overall)),
      host.listen('end', (m) => m.job === job && (m.state === 'done' ? resolve(null)
        : reject(m.error ?? { code: m.state }))));
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  try {
    const accepted = await host.ask({ type: 'submit', private: true, fresh: true,
      on_disconnect: { cancel_after_ms: 5000 }, spec: { ...rest, seed: result.seed } });
    job = accepted.job;
    await over;
  } catch (error) {
    if (job && signal.aborted) host.ask({ type: 'cancel', job }).catch(() => {});
    throw error;
  } finally {
    for (const end of ends) end();
  }
  return shots;
}

/** @param {CanvasRenderingContext2D} context @param {CanvasImageSource} image */
function pixelsOf(context, image) {
  const { width, height } = context.canvas;
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** @param {string} url @returns {Promise<ImageBitmap>} */
async function bitmapOf(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return createImageBitmap(await answer.blob());
}

/** The film as a file. @param {Row} row @param {readonly Shot[]} shots
 * @param {(share: number) => void} each @returns {Promise<Blob>} */
export async function film({ result }, shots, each) {
  const scale = Math.min(1, SIDE_MAX / Math.max(result.width, result.height));
  const width = Math.max(1, Math.round(result.width * scale));
  const height = Math.max(1, Math.round(result.height * scale));
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  context.imageSmoothingQuality = 'high';
  const time = timing(shots.length);
  const frames = [];
  for (const { image, mime } of shots) {
    const bitmap = await createImageBitmap(new Blob([image], { type: mime }));
    frames.push({ rgba: pixelsOf(context, bitmap), ms: time.each });
    bitmap.close();
  }
  const last = await bitmapOf(pictureUrl(result.url));
  const still = pixelsOf(context, last);
  last.close();
  frames.push({ rgba: still, ms: time.end });
  return new Blob(await apng(width, height, frames, { still, each }), { type: 'image/png' });
}
