// @ts-check
// saving - gives bytes that the page made to the browser as a file; many pictures as one archive.

import { el, pictureUrl } from '../../view/dom.js';
import { BYTES_MAX, FILES_MAX, fileName, zipStream } from './zip.js';

/** @typedef {import('./results.js').Row} Row */

const KEPT_MS = 60_000; // that a browser may take to begin saving

/** @param {Blob} blob @param {string} name */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** Whether so many pictures fit into one archive. @param {readonly Row[]} rows */
export function fits(rows) {
  const bytes = rows.reduce((sum, { result }) => sum + result.bytes + 512, 0);
  return rows.length < FILES_MAX && bytes < BYTES_MAX;
}

/** Every picture one after another, and what they were drawn for. @param {readonly Row[]} rows
 * @param {(done: number, missing: number) => void} each @param {AbortSignal} signal */
function* files(rows, each, signal) {
  let done = 0;
  let missing = 0;
  const words = rows.map(({ job, created_ms, spec, result }) =>
    ({ file: fileName({ created_ms, spec, result }), job, created_ms, spec, result }));
  yield { name: 'pictures.json', date: new Date(),
    read: async () => new TextEncoder().encode(`${JSON.stringify(words, null, 1)}\n`) };
  for (const row of rows) {
    yield { name: fileName(row), date: new Date(row.created_ms), read: async () => {
      signal.throwIfAborted();
      const bytes = await fetch(pictureUrl(row.result.url), { signal })
        .then(async (answer) => (answer.ok ? new Uint8Array(await answer.arrayBuffer()) : null),
          (error) => {
            signal.throwIfAborted();
            void error;
            return null;
          });
      done += 1;
      missing += bytes ? 0 : 1;
      each(done, missing);
      return bytes;
    } };
  }
}

/** Save pictures as one archive. The browser keeps what is finished of it, on its disk when it is
 * large; of the pictures only one is in memory at a time.
 * @param {readonly Row[]} rows @param {(done: number, missing: number) => void} each
 * @param {AbortSignal} signal */
export async function saveZip(rows, each, signal) {
  const stream = zipStream(files(rows, each, signal));
  const blob = await new Response(stream, { headers: { 'Content-Type': 'application/zip' } })
    .blob();
  const day = new Date().toLocaleDateString('sv-SE'); // 2026-11-29
  saveBlob(blob, `darkroom ${day}, ${rows.length}.zip`);
}
