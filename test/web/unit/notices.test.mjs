// notices - what stands in the place for notices, in both languages, each with what to do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadText } from '../../../frontend/i18n/text.js';
import { standing } from '../../../frontend/notices.js';
import { EMPTY, newJob, reduce } from '../../../frontend/state.js';

const E = await loadText('en');
const Z = await loadText('zh');
const open = reduce(EMPTY, { do: 'connection', connection: { state: 'open' } });
const told = (...messages) => messages.reduce((state, message) =>
  reduce(state, { do: 'message', message, at: 1000 }), open);
const words = (state, now = 1000, text = E) =>
  standing(state).map((one) => `${one.words(text, now)} ${one.todo(text)}`);
const waits = (why) => ({ ...newJob('k', { prompt: 'a' }, 1), state: 'queued',
  queue: { position: 1, ahead: 1, why, range: null } });

test('every kind of the protocol that is for users has its words in both languages', () => {
  const kinds = readFileSync(new URL('../../../proto/notice.c', import.meta.url), 'utf8')
    .match(/KIND\[NOTICE_KINDS\] = \{([^}]+)\}/)[1].match(/\w+/g).filter((k) => k !== 'user');
  assert.ok(kinds.length >= 4);
  for (const kind of kinds) {
    const state = told({ type: 'notice', kind, text: 'words', at_ms: 5, in_ms: 60_000, count: 2 });
    for (const text of [E, Z]) {
      const [line] = words(state, 1000, text);
      assert.ok(line && !line.includes('stand.') && !line.includes('{'), `${kind}: ${line}`);
    }
  }
});

test('a drain counts down by the server\'s clock, and keeps an administrator\'s words', () => {
  const state = told({ type: 'hello', boot_id: 'a', time_ms: 9e12,
    notices: [{ kind: 'drain', text: 'What the server says.', own: true,
      at_ms: 9e12 + 50_000 }] });
  assert.match(words(state)[0], /^The server stops in about 50 s at the latest\. What develops/);
  assert.match(words(state, 31_000)[0], /in about 20 s at/);
  assert.match(words(state, 999_000)[0], /^The server is stopping\./);
  const own = told({ type: 'notice', kind: 'drain', text: 'New card.', at_ms: 5, in_ms: 9000 });
  assert.match(words(own, 1000, Z)[0], /^服务器最迟在约 9 秒后停止。 New card\./);
  const like = told({ type: 'notice', kind: 'drain', text: 'The server stops for tea.', at_ms: 5,
    in_ms: 9000 });
  assert.match(words(like, 1000, Z)[0], /后停止。 The server stops for tea\./);
});

test('what the server writes itself is never shown as it is', () => {
  for (const kind of ['drain', 'quota', 'removed']) {
    for (const more of [{}, { at_ms: 5 }, { in_ms: 0, at_ms: 5 }, { count: 1, in_ms: 9000 }]) {
      const [line] = words(told({ type: 'notice', kind, text: 'English.', own: true, ...more }),
        1000, Z);
      assert.doesNotMatch(line, /[A-Za-z]{2}/, `${kind} ${JSON.stringify(more)}`);
    }
  }
});

test('the most urgent stands first; what is over is gone', () => {
  const state = told({ type: 'notice', kind: 'quota', text: 'q', count: 1, in_ms: 5000, at_ms: 7 },
    { type: 'notice', kind: 'message', text: 'Hello all' },
    { type: 'notice', kind: 'drain', text: 'd', in_ms: 5000, at_ms: 8 },
    { type: 'stats', running: 0, queued: 1, jobs: [{ why: 'paused' }] });
  assert.deepEqual(standing(state).map(({ id }) => id.split(' ')[0]),
    ['drain', 'paused', 'message', 'quota']);
  const after = reduce(state, { do: 'message', at: 1,
    message: { type: 'notice', kind: 'drain', text: null } });
  assert.equal(standing(after)[0].id, 'paused');
});

test('a lost device and a full disk are told from what one\'s own jobs wait for', () => {
  for (const why of ['device', 'disk', 'paused']) {
    const state = reduce(open, { do: 'submit', job: waits(why) });
    assert.match(words(state)[0], { device: /failed/, disk: /full/, paused: /paused/ }[why]);
  }
  assert.deepEqual(standing(reduce(open, { do: 'submit', job: waits('turn') })), []);
});

test('without a connection that alone is told', () => {
  const state = told({ type: 'notice', kind: 'message', text: 'x' });
  assert.deepEqual(standing(reduce(state, { do: 'connection',
    connection: { state: 'waiting', retryAt: 1, attempt: 1 } })), []);
});
