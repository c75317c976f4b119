// line - the queue in numbers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { barsOf, linesOf, matesOf, moveTo, ownOf, signature, ticksOf }
  from '../../../frontend/pages/queue/line.js';

const size = { width: 64, height: 64 };
const runs = (job, eta_ms, more = {}) => ({ job, state: 'running', phase: 'denoise', overall: 0.5,
  eta_ms, ...size, ...more });
const waits = (job, position, start_ms, eta_ms, more = {}) => ({ job, state: 'queued', position,
  start_ms, eta_ms, ...size, ...more });
const listed = (job, more = {}) => ({ job, state: 'queued', created_ms: 1, position: 1,
  spec: { prompt: job }, ...more });

describe('the time line', () => {
  const rows = [runs('a', 4000), runs(undefined, 9000), waits(undefined, 1, 4000, 12_000),
    waits('b', 2, 9000, 16_000), waits(undefined, 3, 11_900, 30_000)];

  test('what runs has a track each, what waits the one that is free first', () => {
    const { bars, tracks, span } = barsOf(rows, 2);
    assert.deepEqual(bars.map(({ track, from, to }) => [track, from, to]), [[0, 0, 4000],
      [1, 0, 9000], [0, 4000, 12_000], [1, 9000, 16_000], [0, 12_000, 30_000]]);
    assert.deepEqual(bars.map(({ own }) => own), [true, false, false, true, false]);
    assert.deepEqual([tracks, span], [2, 30_000]);
  });

  test('no two bars of a track overlap, whatever the forecasts say', () => {
    let seed = 7;
    const random = () => (seed = seed * 16807 % 2147483647) / 2147483647;
    for (let round = 0; round < 200; round++) {
      const many = Array.from({ length: 1 + Math.floor(random() * 30) }, (_, i) => {
        const from = random() * 50_000;
        return random() < 0.1 ? runs('r', from) : waits('w', i, from, from + random() * 9000);
      });
      const { bars, span } = barsOf(many, 3, random() * 60_000);
      for (const bar of bars) {
        assert.ok(bar.from >= 0 && bar.to >= bar.from && bar.to <= span);
        assert.ok(!bars.some((other) => other !== bar && other.track === bar.track
          && other.from < bar.to && bar.from < other.to), JSON.stringify(many));
      }
    }
  });

  test('time passes; nothing goes below zero; a job without times has no bar', () => {
    const { bars } = barsOf([...rows, waits('x', 4, null, null)], 2, 5000);
    assert.equal(bars.length, 5);
    assert.deepEqual([bars[0].to, bars[2].from, bars[2].to], [0, 0, 7000]);
    assert.deepEqual(barsOf([], 2), { bars: [], tracks: 1, span: 10_000 });
  });

  test('a few ticks at round times', () => {
    assert.deepEqual(ticksOf(10_000), [0, 2000, 4000, 6000, 8000, 10_000]);
    assert.deepEqual(ticksOf(61_000), [0, 15_000, 30_000, 45_000, 60_000]);
    for (const span of [1, 999, 12_345, 1e6, 1e7, 1e8, 9e8, 1e12]) {
      assert.ok(ticksOf(span).length <= 7, String(span));
    }
  });
});

describe('one\'s own', () => {
  const rows = [runs('a', 4000), runs(undefined, 9000), waits(undefined, 1, 4000, 12_000),
    waits('c', 2, 9000, 16_000, { why: 'turn', eta_range_ms: [15_000, 18_000] }),
    waits('b', 3, 12_000, 20_000), waits(undefined, 4, 16_000, 24_000),
    waits('s1', 5, 20_000, 28_000, { parent: 's' }), waits('s2', 6, 24_000, 40_000,
      { parent: 's' })];
  const own = ownOf([listed('s', { counts: { cells: 2 } }), listed('h', { position: 0 }),
    listed('b'), listed('a', { state: 'running' }), listed('c'), listed('gone')], rows);

  test('what runs, then what waits in its order, then what is held', () => {
    assert.deepEqual(own.map(({ job, state, place }) => [job, state, place]),
      [['a', 'running', 0], ['c', 'queued', 2], ['b', 'queued', 3], ['s', 'queued', 5],
        ['h', 'held', 0]]);
    assert.deepEqual([own[1].why, own[1].range, own[4].why], ['turn', [15_000, 18_000], 'held']);
    assert.deepEqual([own[3].start, own[3].end, own[3].range], [20_000, 40_000, null]);
  });

  test('the others between them are counted', () => {
    assert.deepEqual(linesOf(own, rows).map((line) => line.job ?? [line.others, line.running]),
      ['a', [1, true], [1, false], 'c', 'b', [1, false], 's', 'h']);
  });

  test('those of one lane and owner change places, but no sweep, and none that is held', () => {
    const names = (job) => matesOf(own, own.find((one) => one.job === job)).map((one) => one.job);
    assert.deepEqual(['a', 'c', 'b', 's', 'h'].map(names), [[], ['c', 'b'], ['c', 'b'], [], []]);
    const [x, y] = ownOf([listed('b', { spec: { prompt: '', lane: 'batch' } }),
      listed('c', { user: 'ben' })], rows);
    assert.deepEqual([matesOf([x, y], x).length, matesOf([x, y], y).length], [1, 1]);
  });

  test('moving one says before which', () => {
    const mates = ['a', 'b', 'c', 'd'].map((job) => ({ job }));
    const before = (from, to) => moveTo(mates, mates[from], to)?.before;
    assert.deepEqual([before(2, 1), before(3, 0), before(0, 1), before(0, 3), before(0, 9),
      before(1, 1), before(0, -1)], ['b', 'a', 'c', null, null, undefined, undefined]);
    for (let from = 0; from < 4; from++) {
      for (let to = 0; to < 4; to++) {
        const move = moveTo(mates, mates[from], to);
        const order = mates.filter((mate) => mate !== mates[from]);
        const at = move ? order.findIndex(({ job }) => job === move.before) : from;
        order.splice(at < 0 ? order.length : at, 0, mates[from]);
        assert.equal(order.indexOf(mates[from]), to, `${from} to ${to}`);
      }
    }
  });

  test('is asked for anew when jobs come, go, start or are held, and not while they go on', () => {
    const base = signature({ jobs: rows, held: 1 });
    assert.equal(signature({ jobs: [...rows].reverse().map((row) => ({ ...row, eta_ms: 5 })),
      held: 1 }), base);
    assert.notEqual(signature({ jobs: rows, held: 2 }), base);
    assert.notEqual(signature({ jobs: rows.slice(1), held: 1 }), base);
    assert.notEqual(signature({ jobs: rows.map((row) => ({ ...row, state: 'queued' })), held: 1 }),
      base);
    assert.equal(signature(null), signature({ jobs: [{ state: 'queued' }] }));
  });
});
