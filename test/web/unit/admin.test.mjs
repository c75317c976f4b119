// admin - what the administrator's page makes of answers and of what is typed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LINES_MAX, addLines, drainOf, noticeOf, setOf, shareOf, wholeIn }
  from '../../../frontend/pages/admin/model.js';

const line = (seq) => ({ seq, time_ms: seq, level: 'info', text: `line ${seq}` });
const seqs = (lines) => lines.map(({ seq }) => seq);

describe('the log', () => {
  test('grows by what is new, in order, and is bounded', () => {
    assert.deepEqual(seqs(addLines([line(1), line(2)], [line(2), line(3)])), [1, 2, 3]);
    assert.deepEqual(seqs(addLines([line(1)], [])), [1]);
    const many = Array.from({ length: LINES_MAX + 9 }, (_, i) => line(i + 1));
    assert.deepEqual(seqs(addLines([], many)).slice(0, 1), [10]);
    assert.equal(addLines(many, [line(5000)]).length, LINES_MAX);
  });

  test('of a server that was started again replaces the one before', () => {
    assert.deepEqual(seqs(addLines([line(8), line(9)], [line(1), line(2)])), [1, 2]);
  });
});

test('a number in a field', () => {
  for (const [value, n] of [['0', 0], ['16', 16], [' 4 ', 4], ['', null], ['17', null],
    ['-1', null], ['1.5', null], ['x', null], ['1e1', 10]]) {
    assert.equal(wholeIn(value, 0, 16), n, value);
  }
});

test('a notice: without blanks around it, null for none, and no longer than it may be', () => {
  assert.deepEqual(noticeOf(' Tea. '), { type: 'notice', text: 'Tea.' });
  assert.deepEqual(noticeOf('  '), { type: 'notice', text: null });
  assert.equal(noticeOf('火'.repeat(333))?.type, 'notice');
  assert.equal(noticeOf('火'.repeat(334)), null);
});

test('a drain: minutes, and words when there are some', () => {
  assert.deepEqual(drainOf(10, ''), { type: 'drain', deadline_ms: 600_000 });
  assert.deepEqual(drainOf(0, 'Now.'), { type: 'drain', deadline_ms: 0, text: 'Now.' });
});

test('limits: what differs alone', () => {
  const now = { concurrency: 0, queue: 64, job_seconds: 300 };
  assert.equal(setOf({ ...now }, now), null);
  assert.deepEqual(setOf({ ...now, queue: 8 }, now), { type: 'set', queue: 8 });
});

test('a share of the time', () => {
  assert.equal(shareOf({ used_ms: 30_000 }, 600_000), 0.05);
  assert.equal(shareOf({ used_ms: 900_000 }, 600_000), 1, 'two devices');
  assert.equal(shareOf({ used_ms: 1 }, 0), 0);
});
