// @ts-check
// zip - writes a zip archive as a stream, file by file. No DOM.
//
// Pictures are compressed already, so files are stored as they are. Names are UTF-8. Without ZIP64
// there may be 65,535 files of 4 GiB together.
// source APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16

export const FILES_MAX = 65_535;
export const BYTES_MAX = 0xffff_ffff - (64 << 20); // what remains is for the headers

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8 = 1 << 11;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 as zip and PNG have it. @param {Uint8Array} bytes @param {number} [before] */
export function crc32(bytes, before = 0) {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

/** MS-DOS time and date, local. @param {Date} d @returns {[number, number]} */
function dosTime(d) {
  const year = Math.min(2107, Math.max(1980, d.getFullYear()));
  return [d.getHours() << 11 | d.getMinutes() << 5 | d.getSeconds() >> 1,
    (year - 1980) << 9 | (d.getMonth() + 1) << 5 | d.getDate()];
}

/** @typedef {{name: Uint8Array, bytes: number, crc: number, time: [number, number],
 *   at: number}} Entry */

/** The fields that both headers of a file share. @param {DataView} v @param {number} o
 * @param {Entry} e */
function putEntry(v, o, e) {
  v.setUint16(o, VERSION, true);
  v.setUint16(o + 2, UTF8, true);
  v.setUint16(o + 4, 0, true); // stored
  v.setUint16(o + 6, e.time[0], true);
  v.setUint16(o + 8, e.time[1], true);
  v.setUint32(o + 10, e.crc, true);
  v.setUint32(o + 14, e.bytes, true);
  v.setUint32(o + 18, e.bytes, true);
  v.setUint16(o + 22, e.name.length, true);
}

/** @param {Entry} e @param {number} size @param {number} mark @param {number} at */
function header(e, size, mark, at) {
  const out = new Uint8Array(size + e.name.length);
  const v = new DataView(out.buffer);
  v.setUint32(0, mark, true);
  putEntry(v, at, e);
  out.set(e.name, size);
  return { out, v };
}

/** @param {Entry} e */
function central(e) {
  const { out, v } = header(e, 46, CENTRAL, 6);
  v.setUint16(4, VERSION, true);
  v.setUint32(42, e.at, true);
  return out;
}

/** @param {readonly Entry[]} all @param {number} at where the directory begins
 * @param {number} bytes of it */
function ending(all, at, bytes) {
  const out = new Uint8Array(22);
  const v = new DataView(out.buffer);
  v.setUint32(0, END, true);
  v.setUint16(8, all.length, true);
  v.setUint16(10, all.length, true);
  v.setUint32(12, bytes, true);
  v.setUint32(16, at, true);
  return out;
}

/** A file of the archive; read() is called when its turn comes, and null leaves it out.
 * @typedef {{name: string, date: Date, read: () => Promise<Uint8Array | null>}} File */

/** The archive's pieces, in order. @param {Iterable<File> | AsyncIterable<File>} files
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>} */
export async function* zip(files) {
  /** @type {Entry[]} */ const all = [];
  let at = 0;
  for await (const file of files) {
    const bytes = await file.read();
    if (!bytes) continue;
    const entry = { name: new TextEncoder().encode(file.name), bytes: bytes.length,
      crc: crc32(bytes), time: dosTime(file.date), at };
    const { out } = header(entry, 30, LOCAL, 4);
    all.push(entry);
    at += out.length + bytes.length;
    yield out;
    yield /** @type {Uint8Array<ArrayBuffer>} */ (bytes);
  }
  let bytes = 0;
  for (const entry of all) {
    const record = central(entry);
    bytes += record.length;
    yield record;
  }
  yield ending(all, at, bytes);
}

/** As a stream that is read at the reader's pace.
 * @param {Iterable<File> | AsyncIterable<File>} files
 * @returns {ReadableStream<Uint8Array<ArrayBuffer>>} */
export function zipStream(files) {
  const pieces = zip(files);
  return new ReadableStream({
    async pull(out) {
      const { done, value } = await pieces.next();
      if (done) out.close();
      else out.enqueue(value);
    },
    async cancel() {
      await pieces.return();
    },
  }, { highWaterMark: 1 });
}

const WORDS_MAX = 60; // characters of a prompt in a file's name

/** "2026-11-29 a red circle 9c1f03ab.png": a name that every file system takes, and that differs
 * for other pictures. @param {{created_ms: number, spec: {prompt: string},
 * result: {digest: string}}} row */
export function fileName({ created_ms, spec, result }) {
  const d = new Date(created_ms);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const words = [...spec.prompt.replace(/[\p{C}\p{Z}\s"*/:<>?\\|.]+/gu, ' ').trim()]
    .slice(0, WORDS_MAX).join('').trim();
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${[day, words, result.digest.slice(0, 8)].filter(Boolean).join(' ')}.png`;
}
