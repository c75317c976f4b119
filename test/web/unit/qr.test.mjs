// qr - every version of the codes is read back by a reader of somebody else.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import jsqr from 'jsqr';
import { QUIET, qrCode, qrPath } from '../../../frontend/lib/qr.js';

const SCALE = 4;
// bytes that each version holds at level M (ISO/IEC 18004, table 7)
const HOLDS = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560,
  624, 666];
const address = (n) =>
  `https://pictures.example.org/#share=drs_${'k7Qz'.repeat(200)}`.slice(0, n);

/** The code as pixels, with its margin. */
function pixels(rows) {
  const side = (rows.length + 2 * QUIET) * SCALE;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const dark = rows[Math.floor(y / SCALE) - QUIET]?.[Math.floor(x / SCALE) - QUIET];
      if (dark) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return { data, side };
}

function read(rows) {
  const { data, side } = pixels(rows);
  return (jsqr.default ?? jsqr)(data, side, side);
}

describe('a code', () => {
  test('of every version is read back', () => {
    HOLDS.forEach((bytes, i) => {
      const text = address(bytes);
      const rows = qrCode(text);
      assert.equal(rows?.length, 17 + 4 * (i + 1), `version ${i + 1}`);
      const found = read(rows);
      assert.equal(found?.data, text, `version ${i + 1}`);
      assert.equal(found.version, i + 1);
    });
  });

  test('of one byte more needs the next version', () => {
    HOLDS.slice(0, -1).forEach((bytes, i) =>
      assert.equal(qrCode(address(bytes + 1))?.length, 17 + 4 * (i + 2)));
  });

  test('of a text that is too long is none', () => assert.equal(qrCode(address(667)), null));

  test('holds what is not ASCII', () => {
    for (const text of ['', 'ä', '夜晚的雪地 ☃', '🙂'.repeat(20)]) {
      const found = read(qrCode(text));
      assert.equal(new TextDecoder().decode(new Uint8Array(found.binaryData)), text);
    }
  });

  test('is read when a part of it is damaged', () => {
    const rows = qrCode(address(100));
    for (let y = 20; y < 25; y++) for (let x = 12; x < 17; x++) rows[y][x] = !rows[y][x];
    assert.equal(read(rows)?.data, address(100));
  });
});

test('the path has every dark module once', () => {
  const rows = qrCode('a path');
  const seen = rows.map((row) => row.map(() => 0));
  for (const [, x, y, n] of qrPath(rows).matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let i = 0; i < Number(n); i++) seen[Number(y)][Number(x) + i] += 1;
  }
  assert.deepEqual(seen, rows.map((row) => row.map(Number)));
});
