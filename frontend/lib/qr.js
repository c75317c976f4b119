// @ts-check
// qr - encodes a text as a QR code (ISO/IEC 18004): bytes, error correction level M (15 %),
// versions 1 to 20, so up to 666 bytes of UTF-8. No DOM.
//
// A code is `size` rows of `size` modules; true is dark. Around it a reader needs a margin of QUIET
// light modules.

export const QUIET = 4;
const VERSION_MAX = 20;
const LEVEL_M = 0; // its two bits in the format
/** Of level M, by version: error correction bytes of a block, and blocks (table 9). */
const CHECK = Object.freeze([0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28,
  26, 26, 26]);
const BLOCKS = Object.freeze([0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16]);

/** @typedef {boolean[][]} Rows */
/** A matrix while it is built: fixed modules are no data.
 * @typedef {{size: number, dark: Rows, fixed: Rows}} Matrix */

/** The code of a text; null when it is too long. @param {string} text @returns {Rows | null} */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  if (!version) return null;
  const matrix = frame(version);
  place(matrix, interleave(version, dataBytes(version, bytes)));
  let best = null;
  let least = Infinity;
  for (let mask = 0; mask < 8; mask++) {
    const rows = masked(matrix, mask);
    writeFormat(rows, mask);
    const cost = penalty(rows);
    if (cost < least) [best, least] = [rows, cost];
  }
  return best;
}

/** The dark modules as an SVG path, a rectangle for each run of a row. @param {Rows} rows
 * @returns {string} */
export function qrPath(rows) {
  const parts = [];
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; x++) {
      const from = x;
      while (row[x]) x += 1;
      if (x > from) parts.push(`M${from} ${y}h${x - from}v1h${from - x}z`);
    }
  }
  return parts.join('');
}

/* --- bytes --------------------------------------------------------------------------------- */

/** Modules that hold data or error correction. @param {number} version */
function dataModules(version) {
  let n = (16 * version + 128) * version + 64;
  if (version < 2) return n;
  const aligned = Math.floor(version / 7) + 2;
  n -= (25 * aligned - 10) * aligned - 55;
  return version < 7 ? n : n - 36;
}

/** @param {number} version */
const allBytes = (version) => Math.floor(dataModules(version) / 8);
/** @param {number} version */
const usableBytes = (version) => allBytes(version) - CHECK[version] * BLOCKS[version];
/** Bits that count the bytes. @param {number} version */
const countBits = (version) => (version < 10 ? 8 : 16);

/** @param {number} bytes @returns {number} 0: too many */
function versionFor(bytes) {
  for (let v = 1; v <= VERSION_MAX; v++) {
    if (4 + countBits(v) + 8 * bytes <= 8 * usableBytes(v)) return v;
  }
  return 0;
}

/** Mode, count, bytes, and padding. @param {number} version @param {Uint8Array} bytes */
function dataBytes(version, bytes) {
  const room = usableBytes(version);
  /** @type {number[]} */ const bits = [];
  const push = (/** @type {number} */ value, /** @type {number} */ n) => {
    for (let i = n - 1; i >= 0; i--) bits.push(value >> i & 1);
  };
  push(4, 4);
  push(bytes.length, countBits(version));
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, 8 * room - bits.length));
  push(0, (8 - bits.length % 8) % 8);
  for (let pad = 0xec; bits.length < 8 * room; pad ^= 0xec ^ 0x11) push(pad, 8);
  return Array.from({ length: room }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit) => byte << 1 | bit, 0));
}

/** Product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let i = 7; i >= 0; i--) product = product << 1 ^ (product >> 7) * 0x11d ^ (b >> i & 1) * a;
  return product;
}

/** The polynomial with the roots 1, 2, 4 .. 2^(n-1), highest coefficient left out.
 * @param {number} n */
function generator(n) {
  const g = [...Array(n - 1).fill(0), 1];
  for (let i = 0, root = 1; i < n; i++, root = times(root, 2)) {
    for (let j = 0; j < n; j++) g[j] = times(g[j], root) ^ (g[j + 1] ?? 0);
  }
  return g;
}

/** The remainder of data by the generator. @param {number[]} data @param {number[]} by */
function remainder(data, by) {
  const rest = Array(by.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ /** @type {number} */ (rest.shift());
    rest.push(0);
    by.forEach((coefficient, i) => { rest[i] ^= times(coefficient, factor); });
  }
  return rest;
}

/** Blocks with their error correction, a byte of each in turn. The last blocks are one byte longer
 * when they are not all alike. @param {number} version @param {number[]} data */
function interleave(version, data) {
  const n = BLOCKS[version];
  const g = generator(CHECK[version]);
  const short = Math.floor(data.length / n);
  const longer = data.length % n;
  /** @type {number[][]} */ const blocks = [];
  for (let i = 0, at = 0; i < n; i++) {
    const end = at + short + (i >= n - longer ? 1 : 0);
    blocks.push(data.slice(at, end));
    at = end;
  }
  const checks = blocks.map((block) => remainder(block, g));
  const column = (/** @type {number[][]} */ of, /** @type {number} */ i) =>
    of.map((block) => block[i]).filter((byte) => byte !== undefined);
  return [...Array(short + 1).keys()].flatMap((i) => column(blocks, i))
    .concat([...Array(CHECK[version]).keys()].flatMap((i) => column(checks, i)));
}

/* --- modules ------------------------------------------------------------------------------- */

/** @param {number} size @returns {Rows} */
const square = (size) => Array.from({ length: size }, () => Array(size).fill(false));

/** Centres of the alignment patterns. @param {number} version */
function centres(version) {
  if (version === 1) return [];
  const n = Math.floor(version / 7) + 2;
  const last = 4 * version + 10;
  const step = Math.ceil((last - 6) / (2 * n - 2)) * 2;
  return [6, ...Array.from({ length: n - 1 }, (_, i) => last - (n - 2 - i) * step)];
}

/** A matrix with its fixed patterns; the modules of the format are kept free.
 * @param {number} version @returns {Matrix} */
function frame(version) {
  const size = 4 * version + 17;
  const m = { size, dark: square(size), fixed: square(size) };
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {boolean} */ dark) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    m.dark[y][x] = dark;
    m.fixed[y][x] = true;
  };
  const rings = (/** @type {number} */ cx, /** @type {number} */ cy, /** @type {number} */ reach,
      /** @type {number[]} */ light) => {
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        set(cx + x, cy + y, !light.includes(Math.max(Math.abs(x), Math.abs(y))));
      }
    }
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const corners = [[3, 3], [size - 4, 3], [3, size - 4]];
  for (const [x, y] of corners) rings(x, y, 4, [2, 4]);
  const at = centres(version);
  for (const x of at) {
    for (const y of at) {
      const finder = (x === 6 && y === 6) || (x === 6 && y === at.at(-1))
        || (x === at.at(-1) && y === 6);
      if (!finder) rings(x, y, 2, [1]);
    }
  }
  for (let i = 0; i < 9; i++) {
    for (const [x, y] of [[8, i], [i, 8], [8, size - 1 - i], [size - 1 - i, 8]]) {
      if (i < 8 || Math.max(x, y) === 8) m.fixed[y][x] = true;
    }
  }
  if (version >= 7) writeVersion(version, set, size);
  return m;
}

/** 18 bits, twice. @param {number} version
 * @param {(x: number, y: number, dark: boolean) => void} set @param {number} size */
function writeVersion(version, set, size) {
  const bits = version << 12 | checked(version, 12, 0x1f25);
  for (let i = 0; i < 18; i++) {
    const [a, b] = [size - 11 + i % 3, Math.floor(i / 3)];
    set(a, b, (bits >> i & 1) === 1);
    set(b, a, (bits >> i & 1) === 1);
  }
}

/** The check bits of a cyclic code. @param {number} value @param {number} n
 * @param {number} by its polynomial, of degree n */
function checked(value, n, by) {
  let rest = value;
  for (let i = 0; i < n; i++) rest = rest << 1 ^ (rest >> n - 1) * by;
  return rest;
}

/** The 15 bits of level and mask, twice, and the module that is always dark. @param {Rows} rows
 * @param {number} mask */
function writeFormat(rows, mask) {
  const size = rows.length;
  const data = LEVEL_M << 3 | mask;
  const bits = (data << 10 | checked(data, 10, 0x537)) ^ 0x5412;
  for (let i = 0; i < 15; i++) {
    const dark = (bits >> i & 1) === 1;
    const down = i < 6 ? i : i < 8 ? i + 1 : size - 15 + i;
    const across = i < 8 ? size - 1 - i : i === 8 ? 7 : 14 - i;
    rows[down][8] = dark;
    rows[8][across] = dark;
  }
  rows[size - 8][8] = true;
}

/** The bytes, from the lower right corner up and down in columns of two. @param {Matrix} m
 * @param {number[]} bytes */
function place(m, bytes) {
  let i = 0;
  for (let right = m.size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const up = (right + 1 & 2) === 0;
    for (let step = 0; step < m.size; step++) {
      const y = up ? m.size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (m.fixed[y][x]) continue;
        m.dark[y][x] = i < 8 * bytes.length && (bytes[i >> 3] >> 7 - (i & 7) & 1) === 1;
        i += 1;
      }
    }
  }
}

/** Which modules each mask inverts. @type {readonly ((x: number, y: number) => boolean)[]} */
const MASKS = Object.freeze([
  (/** @type {number} */ x, /** @type {number} */ y) => (x + y) % 2 === 0,
  (/** @type {number} */ _, /** @type {number} */ y) => y % 2 === 0,
  (/** @type {number} */ x) => x % 3 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (x + y) % 3 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) =>
    (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => x * y % 2 + x * y % 3 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (x * y % 2 + x * y % 3) % 2 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
]);

/** @param {Matrix} m @param {number} mask @returns {Rows} */
function masked(m, mask) {
  return m.dark.map((row, y) =>
    row.map((dark, x) => dark !== (!m.fixed[y][x] && MASKS[mask](x, y))));
}

/* --- the mask that is easiest to read ------------------------------------------------------ */

const FINDER = /(?=0000(1011101)|(1011101)0000)/g;

/** How hard the code is to read (section 7.8.3). @param {Rows} rows */
function penalty(rows) {
  const size = rows.length;
  const lines = [...rows, ...rows.map((_, x) => rows.map((row) => row[x]))];
  let cost = 0;
  for (const line of lines) {
    const text = line.map(Number).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2;
    cost += 40 * (text.match(FINDER)?.length ?? 0);
  }
  let dark = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      dark += Number(rows[y][x]);
      const same = x > 0 && y > 0 && rows[y][x] === rows[y - 1][x]
        && rows[y][x] === rows[y][x - 1] && rows[y][x] === rows[y - 1][x - 1];
      if (same) cost += 3;
    }
  }
  return cost + 10 * Math.floor(Math.abs(dark / (size * size) - 0.5) * 20);
}
