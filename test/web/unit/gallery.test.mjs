// gallery - what it computes: the grid, zoom, archives, time-lapses, settings read from a picture.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { apng, timing } from '../../../frontend/pages/gallery/apng.js';
import { REQUESTS, compared, daysOf, factsOf, settingsOf }
  from '../../../frontend/pages/gallery/facts.js';
import { gridOf, moved, placeOf, rangeOf } from '../../../frontend/pages/gallery/layout.js';
import { comparedJobs } from '../../../frontend/pages/gallery/page.js';
import { WHOLE, dragged, keyed, legal, pinched, zoomed }
  from '../../../frontend/pages/gallery/zoom.js';
import { crc32, fileName, zipStream } from '../../../frontend/pages/gallery/zip.js';
import { loadText } from '../../../frontend/i18n/text.js';
import en from '../../../frontend/pages/gallery/en.js';
import zh from '../../../frontend/pages/gallery/zh.js';
import { pngSpec, pngTexts } from '../../../frontend/png.js';
import { Reel } from '../../../frontend/reel.js';

const text = (await loadText('en')).with(en);
const ROW = { job: '00000000000000aa', created_ms: Date.UTC(2026, 10, 29), favourite: true,
  spec: { prompt: 'a red circle', width: 64, height: 96, steps: 20, guidance: 1.5, seed: 7 },
  result: { url: '/i/0f.png', digest: '0f1e2d3c4b', width: 64, height: 96, seed: 7, seconds: 1.2,
    bytes: 2048 } };

describe('words', () => {
  test('both languages have the same', () => {
    assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  });
});

describe('grid', () => {
  test('cells fill every width, and are on view once', () => {
    for (const width of [1, 103, 320, 360, 479, 480, 800, 1280, 1760]) {
      const grid = gridOf(width, 1000);
      const used = grid.columns * grid.cell + (grid.columns - 1) * grid.gap;
      assert.ok(used <= Math.max(width, 1) && width - used < grid.columns + grid.gap, `${width}`);
      assert.equal(placeOf(grid, grid.columns).x, 0);
    }
    assert.equal(gridOf(500, 0).height, 0);
  });
  test('the range covers the window and no more than a few rows beside it', () => {
    const grid = gridOf(1280, 10_000);
    const step = grid.cell + grid.gap;
    for (const top of [-300, 0, 1000, 123_456, grid.height - 500, grid.height + 900]) {
      const { first, last } = rangeOf(grid, 10_000, top, top + 900);
      const need = [Math.floor(Math.max(0, top) / step) * grid.columns,
        Math.min(9999, Math.floor((top + 900) / step) * grid.columns)];
      if (top < grid.height) assert.ok(first <= need[0] && last >= need[1], `${top}`);
      assert.ok(last - first < (900 / step + 7) * grid.columns, `${top}: ${first} to ${last}`);
      assert.ok(last < 10_000 && first >= 0);
    }
    assert.ok(rangeOf(grid, 0, 0, 900).last < 0);
  });
  test('keys', () => {
    const to = (key, at) => moved(key, at, 23, 5, 3);
    assert.deepEqual(['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End',
      'PageDown', 'PageUp', 'x'].map((key) => to(key, 12)), [13, 11, 17, 7, 0, 22, 22, 0, null]);
    assert.equal(to('ArrowLeft', 0), 0);
    assert.equal(to('ArrowUp', 3), 3);
    assert.equal(to('ArrowDown', 19), 22, 'the last row is shorter');
    assert.equal(to('ArrowDown', 21), 21);
    assert.equal(to('ArrowRight', 22), 22);
    assert.equal(moved('End', 0, 0, 5, 3), null);
  });
});

describe('zoom', () => {
  test('the point under the pointer stays, and nothing beside the picture is shown', () => {
    const at = (view, u, v) => [view.x + (u - 0.5) / view.scale, view.y + (v - 0.5) / view.scale];
    const near = (a, b) => a.forEach((n, i) => assert.ok(Math.abs(n - b[i]) < 1e-9, `${a} ${b}`));
    const in3 = zoomed(WHOLE, 3, 0.2, 0.7);
    near(at(in3, 0.2, 0.7), [0.2, 0.7]);
    near(at(zoomed(in3, 2, 0.6, 0.4), 0.6, 0.4), at(in3, 0.6, 0.4));
    assert.deepEqual(zoomed(in3, 0.001), WHOLE);
    assert.equal(zoomed(in3, 1e9).scale, 16);
    assert.deepEqual(dragged(WHOLE, 5, -5), WHOLE);
    const edge = dragged(in3, 99, 99);
    near([edge.x, edge.y], [0.5 / 3, 0.5 / 3]);
    assert.deepEqual(legal({ scale: 0.1, x: 9, y: -9 }), WHOLE);
  });
  test('keys and fingers', () => {
    assert.equal(keyed(WHOLE, 'x'), null);
    assert.equal(keyed(keyed(WHOLE, '+'), '-').scale, 1);
    assert.equal(keyed(zoomed(WHOLE, 5), '0'), WHOLE);
    assert.ok(keyed(zoomed(WHOLE, 4), 'ArrowRight').x > 0.5);
    const two = pinched(WHOLE, [[0.4, 0.5], [0.6, 0.5]], [[0.3, 0.5], [0.7, 0.5]]);
    assert.ok(Math.abs(two.scale - 2) < 1e-9 && Math.abs(two.x - 0.5) < 1e-9);
    assert.ok(Number.isFinite(pinched(WHOLE, [[0, 0], [0, 0]], [[0, 0], [1, 1]]).scale));
  });
});

describe('archives', () => {
  test('python reads what was written: names, times, bytes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zip-'));
    const bytes = [new Uint8Array(0), new Uint8Array(70_000).map((_, i) => i * 7)];
    const date = new Date(2026, 10, 29, 13, 45, 58);
    const stream = zipStream([
      { name: 'empty.png', date, read: async () => bytes[0] },
      { name: 'gone.png', date, read: async () => null },
      { name: '红色 ü.png', date, read: async () => bytes[1] }]);
    writeFileSync(join(folder, 'a.zip'), Buffer.from(await new Response(stream).arrayBuffer()));
    const read = execFileSync('python3', ['-c', `
import json, sys, zipfile, zlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps([[i.filename, i.date_time, i.file_size, i.CRC] for i in z.infolist()]))`,
    join(folder, 'a.zip')], { encoding: 'utf8' });
    const time = [2026, 11, 29, 13, 45, 58];
    assert.deepEqual(JSON.parse(read), [['empty.png', time, 0, 0],
      ['红色 ü.png', time, 70_000, crc32(bytes[1])]]);
    rmSync(folder, { recursive: true });
  });
  test('only what is read is made', async () => {
    let read = 0;
    const files = function* () {
      for (let i = 0; i < 100; i++) {
        yield { name: `${i}`, date: new Date(), read: async () => {
          read += 1;
          return new Uint8Array(10);
        } };
      }
    };
    const reader = zipStream(files()).getReader();
    for (let i = 0; i < 6; i++) await reader.read();
    assert.ok(read <= 5, `${read} files were read ahead`);
    await reader.cancel();
  });
  test('a crc of parts is that of the whole', () => {
    const all = new TextEncoder().encode('123456789');
    assert.equal(crc32(all), 0xcbf43926);
    assert.equal(crc32(all.subarray(4), crc32(all.subarray(0, 4))), 0xcbf43926);
  });
  test('file names', () => {
    const name = (prompt) => fileName({ created_ms: new Date(2026, 0, 2).getTime(),
      spec: { prompt }, result: { digest: '0123456789' } });
    assert.equal(name('a/b: "c"\n<d>'), '2026-01-02 a b c d 01234567.png');
    assert.equal(name('\u202e..'), '2026-01-02 01234567.png');
    assert.ok([...name('😀'.repeat(99))].length < 90);
  });
});

/** The chunks of a PNG: [kind, data]. */
function chunksOf(bytes) {
  const all = [];
  for (let at = 8; at < bytes.length;) {
    const size = bytes.readUInt32BE(at);
    const body = bytes.subarray(at + 4, at + 8 + size);
    assert.equal(bytes.readUInt32BE(at + 8 + size), crc32(body), 'the crc is right');
    all.push([body.toString('latin1', 0, 4), body.subarray(4)]);
    at += 12 + size;
  }
  return all;
}

describe('time-lapse', () => {
  test('every frame is in the file, and the still is what has no animation', async () => {
    const rgba = (n) => Uint8ClampedArray.from({ length: 3 * 2 * 4 }, (_, i) => n * 31 + i * 17);
    const shares = [];
    const parts = await apng(3, 2, [1, 2, 3].map((n) => ({ rgba: rgba(n), ms: 100 * n })),
      { still: rgba(9), each: (share) => shares.push(share) });
    const chunks = chunksOf(Buffer.concat(parts));
    assert.deepEqual(chunks.map(([kind]) => kind), ['IHDR', 'acTL', 'IDAT', 'fcTL', 'fdAT',
      'fcTL', 'fdAT', 'fcTL', 'fdAT', 'IEND']);
    assert.deepEqual(shares, [1 / 3, 2 / 3, 1]);
    assert.equal(chunks[1][1].readUInt32BE(0), 3);
    const sequence = chunks.filter(([kind]) => kind === 'fcTL' || kind === 'fdAT')
      .map(([, data]) => data.readUInt32BE(0));
    assert.deepEqual(sequence, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(chunks.filter(([kind]) => kind === 'fcTL')
      .map(([, data]) => [data.readUInt16BE(20), data.readUInt16BE(22)]),
    [[100, 1000], [200, 1000], [300, 1000]]);
    const pixels = (data) => { // undo the filter Sub
      const raw = inflateSync(data);
      const out = [];
      for (let y = 0; y < 2; y++) {
        assert.equal(raw[y * 10], 1);
        for (let i = 0; i < 9; i++) {
          out[y * 9 + i] = (raw[y * 10 + 1 + i] + (i < 3 ? 0 : out[y * 9 + i - 3])) & 255;
        }
      }
      return out;
    };
    const rgb = (n) => [...rgba(n)].filter((_, i) => i % 4 < 3);
    assert.deepEqual(pixels(chunks[2][1]), rgb(9));
    assert.deepEqual(pixels(chunks[6][1].subarray(4)), rgb(2));
  });
  test('a film lasts a few seconds however many previews there are', () => {
    for (const n of [1, 2, 20, 96]) {
      const { each, end } = timing(n);
      assert.ok(each * n + end <= 9000 && each >= 60, `${n}`);
    }
  });
  test('previews are kept within bounds, over 500 pictures', () => {
    const reel = new Reel();
    for (let job = 0; job < 500; job++) {
      for (let i = 0; i < 300; i++) {
        reel.add({ job: `j${job}`, image: new Uint8Array(20_000), mime: 'image/jpeg',
          phase: 'prior', seq: i });
      }
      const { length } = reel.of(`j${job}`);
      assert.ok(length > 40 && length <= 96, `${length} previews of the newest`);
      const held = [...reel.shots.values()].flat().reduce((sum, s) => sum + s.image.length, 0);
      assert.equal(held, reel.bytes);
      assert.ok(held <= 16 << 20, `${held} bytes`);
    }
    assert.equal(reel.pace.size, reel.shots.size);
    assert.equal(reel.of('j0').length, 0);
  });
});

describe('settings', () => {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [size, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    crc.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, crc]);
  };
  const png = (...chunks) => new Uint8Array(Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', Buffer.alloc(13)), ...chunks,
    chunk('IEND', Buffer.alloc(0))]));
  const spec = { prompt: 'a red circle', width: 64, height: 96, steps: 20, guidance: 1.5, seed: 7 };

  test('are read from a picture of ours', () => {
    const plain = chunk('tEXt', Buffer.from(`parameters\0${JSON.stringify(spec)}`));
    assert.deepEqual(pngSpec(png(plain)), spec);
    const hanzi = { ...spec, prompt: '红色 ü' };
    const long = chunk('iTXt', Buffer.from(`parameters\0\0\0\0\0${JSON.stringify(hanzi)}`));
    assert.deepEqual(pngSpec(png(long)), hanzi);
  });
  test('are not read from anything else', () => {
    for (const data of ['', 'parameters', 'parameters\0', 'parameters\0{', 'parameters\0null',
      'parameters\0{"prompt":""}', 'parameters\0{"prompt":5}', '\0', 'other\0{"prompt":"x"}']) {
      assert.equal(pngSpec(png(chunk('tEXt', Buffer.from(data)))), null, data);
    }
    assert.equal(pngSpec(new Uint8Array(0)), null);
    assert.equal(pngSpec(new TextEncoder().encode('GIF89a')), null);
    const good = png(chunk('tEXt', Buffer.from(`parameters\0${JSON.stringify(spec)}`)));
    for (let n = 0; n < good.length - 16; n++) pngTexts(good.subarray(0, n)); // no loop, no throw
    assert.equal(pngTexts(good.subarray(0, 60)).size, 0);
  });
  test('go back into the form, and into new requests', () => {
    const row = { ...ROW, spec: { ...ROW.spec, noise_seed: 3, lane: 'batch', prior_from: 'x' } };
    assert.deepEqual(settingsOf(row), { prompt: 'a red circle', width: 64, height: 96, steps: 20,
      guidance: 1.5, seed: 7, noise_seed: 3 });
    assert.equal('noise_seed' in settingsOf(ROW), false);
    const images = ['a'.repeat(64), 'b'.repeat(64)];
    assert.deepEqual(settingsOf({ ...ROW, spec: { ...ROW.spec, images } }).images, images);
    const base = { prompt: 'a red circle', width: 64, height: 96, steps: 20, guidance: 1.5,
      lane: 'batch' };
    assert.deepEqual(REQUESTS.again(row), { ...base, seed: -1 });
    assert.deepEqual(REQUESTS.noise(row), { ...base, seed: -1, prior_from: row.job });
    assert.deepEqual(REQUESTS.composition(row), { ...base, seed: -1, noise_seed: 3 });
    assert.equal(REQUESTS.composition(ROW).noise_seed, 7);
  });
});

describe('facts', () => {
  test('what differs is marked, what nothing has is left out', () => {
    const other = { ...ROW, spec: { ...ROW.spec, prompt: 'a blue circle', noise_seed: 5 },
      result: { ...ROW.result, seed: 8, seconds: 9 } };
    const lines = compared([ROW, other], text);
    assert.deepEqual(lines.filter((line) => line.differs).map(({ name, values }) =>
      [name, ...values]), [['prompt', 'a red circle', 'a blue circle'], ['seed', '7', '8'],
      ['noise', null, '5']]);
    assert.ok(!lines.some(({ name }) => ['lane', 'took', 'job'].includes(name)));
    const known = Object.fromEntries(factsOf(ROW, text));
    assert.equal(known.size, '64 × 96');
    assert.equal(known.bytes, '2 KB');
    assert.equal(known.noise, undefined);
    for (const name of Object.keys(known)) assert.ok(text.has(`gallery.fact.${name}`), name);
    const [one, two] = ['a', 'b'].map((c) => ({ ...ROW, spec: { ...ROW.spec,
      images: [c.repeat(64)] } }));
    assert.deepEqual(compared([one, two], text).filter(({ differs }) => differs)
      .map(({ name, values }) => [name, ...values]), [['images', 'aaaaaaaa', 'bbbbbbbb']]);
    assert.ok(text.has('gallery.fact.images'));
    const early = { ...ROW, result: { ...ROW.result, steps_done: 5 } };
    assert.equal(Object.fromEntries(factsOf(early, text)).steps, '5 / 20');
  });
  test('days begin and end at midnight', () => {
    const now = new Date(2026, 2, 29, 15, 30).getTime();
    const at = (...when) => new Date(...when).getTime();
    assert.deepEqual(daysOf('any', now), { from: 0, until: 0 });
    assert.deepEqual(daysOf('today', now), { from: at(2026, 2, 29), until: 0 });
    assert.deepEqual(daysOf('yesterday', now),
      { from: at(2026, 2, 28), until: at(2026, 2, 29) });
    assert.deepEqual(daysOf('week', now), { from: at(2026, 2, 23), until: 0 });
    assert.deepEqual(daysOf('month', now), { from: at(2026, 1, 28), until: 0 });
    assert.deepEqual(daysOf('2026-12-31', now),
      { from: at(2026, 11, 31), until: at(2027, 0, 1) });
    assert.deepEqual(daysOf('', now), { from: 0, until: 0 });
  });
  test('the address of a comparison', () => {
    const [a, b] = ['0123456789abcdef', 'fedcba9876543210'];
    assert.deepEqual(comparedJobs(`compare/${a}/${b}`), [a, b]);
    for (const rest of ['', 'compare', `compare/${a}`, `compare/${a}/x`, `compare/${a}/${b}/`,
      `compare/${a}/${a}/${a}/${a}/${a}`, `other/${a}/${b}`]) {
      assert.equal(comparedJobs(rest), null, rest);
    }
  });
});
