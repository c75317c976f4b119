// picture - pictures for the fake server: a small landscape at any stage of denoising, as PNG.

import { deflateSync } from 'node:zlib';

/** Counter-based noise in [0, 1). */
function noise(seed, i) {
  let x = Math.imul(seed ^ Math.imul(i + 1, 0x9e3779b1), 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}

const PALETTES = [
  [[24, 32, 78], [236, 120, 84], [255, 214, 140], [38, 44, 66], [62, 74, 96]],
  [[110, 190, 240], [222, 240, 250], [255, 216, 70], [64, 150, 74], [44, 116, 62]],
  [[12, 16, 44], [34, 48, 96], [250, 242, 214], [22, 30, 52], [40, 58, 86]],
  [[88, 60, 130], [244, 150, 110], [255, 230, 160], [70, 84, 110], [44, 60, 84]],
];

/** The landscape of a seed, by columns: of x in 0..1 a function of y in 0..1, which writes the
 * colour there to `colour`. What depends on the seed or the column alone is computed once. */
function landscape(seed, colour) {
  const [top, low, sun, hill, front] = PALETTES[seed % PALETTES.length];
  const [n1, n2, n3, n4, n5, n6] = [1, 2, 3, 4, 5, 6].map((i) => noise(seed, i));
  const take = ([r, g, b]) => {
    colour[0] = r;
    colour[1] = g;
    colour[2] = b;
  };
  const mix = (a, b, t) => {
    for (let c = 0; c < 3; c++) colour[c] = a[c] + (b[c] - a[c]) * t;
  };
  return (x) => {
    const ridge = 0.56 + 0.12 * Math.sin(x * (5 + n1 * 4) + n2 * 6) * Math.sin(x * 2.3 + n3 * 6);
    const near = 0.8 + 0.06 * Math.sin(x * 4 + n4 * 6);
    const dx = x - 0.25 - 0.5 * n5;
    return (y) => {
      if (y > near) return take(front);
      if (y > ridge) return mix(hill, front, (y - ridge) * 1.4);
      const dy = y - 0.22 - 0.14 * n6;
      if (dx * dx + dy * dy < 0.009) return take(sun);
      return mix(top, low, y / 0.62);
    };
  };
}

const PAPER = [150, 120, 112];

/** Pixels of the picture; `done` 0..1 is the progress. */
export function paint(seed, width, height, done) {
  const rgb = new Uint8Array(width * height * 3);
  const cells = done >= 1 ? Infinity : Math.max(6, Math.round(8 + done * done * 120));
  const part = (i, n) =>
    (Number.isFinite(cells) ? Math.floor((i / n) * cells) / cells : i / n);
  const colour = [0, 0, 0];
  const column = landscape(seed, colour);
  const drawn = Math.min(1, 0.25 + done);
  for (let x = 0; x < width; x++) {
    const at = column(part(x, width));
    for (let y = 0; y < height; y++) {
      const grain = (noise(seed + 7, y * width + x) - 0.5) * 60 * (1 - done);
      at(part(y, height));
      for (let c = 0; c < 3; c++) {
        const value = PAPER[c] + (colour[c] - PAPER[c]) * drawn + grain;
        rgb[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return rgb;
}

const CRC = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, body.length + 4);
  return out;
}

/** RGB bytes as PNG. */
export function png(rgb, width, height) {
  const rows = Buffer.alloc(height * (width * 3 + 1));
  for (let y = 0; y < height; y++) {
    Buffer.from(rgb.buffer, y * width * 3, width * 3).copy(rows, y * (width * 3 + 1) + 1);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))]);
}
