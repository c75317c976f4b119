// announcer - the sentences for screen readers: one at a time, and none about a loss is dropped.

import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { loadText } from '../../../frontend/i18n/text.js';
import { EMPTY, newJob } from '../../../frontend/state.js';
import { Announcer, changes } from '../../../frontend/view/announcer.js';

const E = await loadText('en');
const plain = (words) => () => words;
const job = (prompt, more) => ({ ...newJob(prompt, { prompt }, 1), ...more });

/** Everything that stands in the live region until the queue is empty. */
function spoken(sentences) {
  const place = { textContent: '' };
  globalThis.document = { getElementById: () => place };
  const announcer = new Announcer(() => E);
  for (const sentence of sentences) announcer.say(sentence);
  const heard = [];
  for (let i = 0; i < 10; i++) {
    mock.timers.tick(1600);
    if (heard.at(-1) !== place.textContent) heard.push(place.textContent);
  }
  return heard;
}

describe('announcer', () => {
  beforeEach(() => { mock.timers.reset(); mock.timers.enable({ apis: ['setTimeout'] }); });

  test('of too many sentences the oldest is dropped', () => {
    assert.deepEqual(spoken(['1', '2', '3', '4', '5', '6'].map(plain)), ['3', '4', '5', '6']);
  });

  test('but none about a loss, however many come behind it', () => {
    const before = { ...EMPTY, jobs: [job('a'), job('b')] };
    const full = changes({ ...before, unsaved: 2 }, before);
    const failed = changes({ ...before, jobs: [before.jobs[0], { ...before.jobs[1],
      state: 'failed', error: { code: 'internal' } }] }, before);
    assert.deepEqual([full.length, failed.length], [1, 1]);
    const heard = spoken([...full, ...failed, ...['1', '2', '3', '4', '5'].map(plain)]);
    assert.match(heard[0], /no room to store/);
    assert.match(heard[1], /failed/i);
    assert.deepEqual(heard.slice(2), ['4', '5']);
  });
});
