// session - no job is lost or doubled: over broken connections, reloads, restarts, other tabs.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, test } from 'node:test';
import { Session, Store, randomKey } from '../../../frontend/session.js';

globalThis.crypto ??= webcrypto; // node 18 has no global one, browsers do

class Memory {
  constructor(entries = []) { this.map = new Map(entries); }
  get length() { return this.map.size; }
  key(i) { return [...this.map.keys()][i] ?? null; }
  getItem(name) { return this.map.get(name) ?? null; }
  setItem(name, value) { this.map.set(name, value); }
  removeItem(name) { this.map.delete(name); }
}

function open(storage = new Memory()) {
  const page = { sent: [], connected: false, storage, time: 1000, clock: 0, probes: 0 };
  page.store = new Store();
  page.session = new Session({ store: page.store, storage, now: () => page.clock,
    date: () => page.time++, probe: () => { page.probes += 1; },
    send: (m) => (page.connected && page.sent.push(m), page.connected) });
  page.pass = (ms) => {
    for (const until = page.clock + ms; page.clock < until; page.clock += 250) page.session.tick();
  };
  page.receive = (...messages) => messages.forEach((m) => page.session.receive(m));
  page.hello = (boot_id = 'a') => {
    Object.assign(page, { connected: true, sent: [] });
    page.receive({ type: 'hello', boot_id });
    page.store.dispatch({ do: 'connection', connection: { state: 'open' } });
  };
  page.of = (type) => page.sent.filter((m) => m.type === type);
  page.job = () => page.store.state.jobs[0];
  return page;
}
const accepted = (key, job = '00000000000000aa', seq = 1) =>
  ({ type: 'accepted', ref: key, key, job, seq, created_ms: 1, spec: { prompt: 'x', seed: 5 } });
const ended = (job, seq, state = 'done') => ({ type: 'end', job, seq, state });

describe('submitting', () => {
  test('without a connection: the card is there at once, the message follows the hello', () => {
    const page = open();
    const key = page.session.submit({ prompt: 'x' });
    assert.equal(page.job().state, 'sending');
    page.hello();
    assert.deepEqual(page.of('submit'), [{ type: 'submit', ref: key, key, spec: { prompt: 'x' } }]);
  });

  test('an answer that was lost: the same message with the same key again', () => {
    const page = open();
    page.hello();
    page.session.submit({ prompt: 'x', seed: -1 });
    const [first] = page.of('submit');
    page.hello();
    assert.deepEqual(page.of('submit'), [first]);
  });

  test('what was accepted is watched, not submitted, from the last number seen', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.receive(accepted(key),
      { type: 'queue', job: '00000000000000aa', seq: 8, position: 1, ahead: 0, eta_ms: 5,
      why: 'turn' });
    page.hello('b');
    assert.deepEqual(page.of('submit'), []);
    assert.deepEqual(page.of('watch'), [{ type: 'watch', job: '00000000000000aa', seq: 8 }]);
  });

  test('what is over is left alone', () => {
    const page = open();
    page.hello();
    page.receive(accepted(page.session.submit({ prompt: 'x' })), ended('00000000000000aa', 9));
    page.hello();
    assert.deepEqual([page.of('submit'), page.of('watch')], [[], []]);
  });

  test('many are sent in the order in which they were asked for', () => {
    const page = open();
    for (const prompt of ['1', '2', '3']) page.session.submit({ prompt });
    page.hello();
    assert.deepEqual(page.of('submit').map((m) => m.spec.prompt), ['1', '2', '3']);
  });

  test('an answer that does not come: a probe, the same message again, then it is said', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.pass(1900);
    assert.equal(page.probes, 0);
    page.pass(1000);
    assert.equal(page.probes, 1);
    page.pass(8000);
    assert.deepEqual(page.of('submit').map((m) => m.key), [key, key]);
    page.pass(20_000);
    assert.equal(page.of('submit').length, 2);
    assert.equal(page.probes, 1);
    assert.deepEqual([page.job().state, page.job().error.code], ['refused', 'no_answer']);
    page.session.again(key);
    assert.deepEqual([page.job().state, page.job().error], ['sending', null]);
    assert.deepEqual(page.of('submit').map((m) => m.key), [key, key, key], 'never another key');
    page.receive(accepted(key));
    page.pass(60_000);
    assert.equal(page.job().state, 'queued');
    assert.equal(page.of('submit').length, 3);
  });

  test('an answer that comes late is still one', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.pass(40_000);
    assert.equal(page.job().state, 'refused');
    page.receive(accepted(key));
    assert.deepEqual([page.job().state, page.job().error], ['queued', null]);
  });

  test('time without a connection does not count', () => {
    const page = open();
    page.hello();
    page.session.submit({ prompt: 'x' });
    page.pass(1000);
    page.store.dispatch({ do: 'connection',
      connection: { state: 'waiting', retryAt: 0, attempt: 1 } });
    page.connected = false;
    page.pass(60_000);
    assert.deepEqual([page.probes, page.job().state], [0, 'sending']);
    page.hello();
    page.pass(1900);
    assert.deepEqual([page.probes, page.job().state], [0, 'sending']);
  });

  test('a card that was removed before the answer and taken back is sent again', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.session.adopt(page.session.forget([key]));
    assert.deepEqual(page.of('submit').map((m) => m.key), [key, key]);
  });

  test('a prompt that cannot be sent is refused here with the reason, also a stored one', () => {
    const cases = [['a\0b', 'prompt_character'], ['a\ud800', 'prompt_character'],
      ['x'.repeat(16_385), 'prompt_long'], [`${'\x01'.repeat(12_000)}x`, 'prompt_long'],
      ['\u200b\u3000', 'prompt_unseen']];
    for (const [prompt, code] of cases) {
      const page = open();
      page.session.submit({ prompt });
      assert.deepEqual([page.job().state, page.job().error.code], ['refused', code]);
      const key = 'k'.repeat(24);
      page.storage.setItem(`darkroom.job.${key}`, JSON.stringify({ key, asked: { prompt },
        spec: { prompt }, state: 'sending', created: 1, sent: true }));
      const after = open(page.storage);
      after.session.load();
      after.hello();
      assert.deepEqual(after.of('submit'), []);
      assert.ok(after.store.state.jobs.every((job) => job.state === 'refused'
        && job.error.code === code));
    }
    const page = open();
    page.hello();
    page.receive({ type: 'hello', boot_id: 'a', limits: { message_bytes: 1024 },
      fields: [{ name: 'prompt', max: 100 }] });
    page.session.submit({ prompt: 'x'.repeat(101) });
    assert.deepEqual(page.job().error, { code: 'prompt_long', values: { n: 101, max: 100 } });
  });

  test('keys are 24 hex digits and do not repeat', () => {
    const keys = new Set(Array.from({ length: 1000 }, randomKey));
    assert.equal(keys.size, 1000);
    for (const key of keys) assert.match(key, /^[0-9a-f]{24}$/);
  });
});

describe('a reload', () => {
  test('takes up what was running from number 0, so that the preview comes too', () => {
    const before = open();
    before.hello();
    before.receive(accepted(before.session.submit({ prompt: 'x' })),
      { type: 'phase', job: '00000000000000aa', seq: 5, phase: 'prior', total: 9 });
    const after = open(before.storage);
    after.session.load();
    assert.equal(after.job().spec.seed, 5);
    after.hello();
    assert.deepEqual(after.of('watch'), [{ type: 'watch', job: '00000000000000aa', seq: 0 }]);
  });

  test('sends again what was not answered, with its key', () => {
    const before = open();
    before.hello();
    const key = before.session.submit({ prompt: 'x' });
    const after = open(before.storage);
    after.session.load();
    after.hello();
    assert.deepEqual(after.of('submit').map((m) => m.key), [key]);
  });

  test('shows what is over as it was, without asking', () => {
    const before = open();
    before.hello();
    before.receive(accepted(before.session.submit({ prompt: 'x' })),
      { type: 'result', job: '00000000000000aa', seq: 8, url: '/i/a.png', digest: 'a', width: 1,
        height: 1, seed: 5, seconds: 1 }, ended('00000000000000aa', 9));
    const after = open(before.storage);
    after.session.load();
    assert.equal(after.job().state, 'done');
    assert.equal(after.job().result.url, '/i/a.png');
    after.hello();
    assert.deepEqual(after.of('watch'), []);
  });

  test('forgets what was removed, and remembers what was taken back', () => {
    const before = open();
    before.hello();
    const key = before.session.submit({ prompt: 'x' });
    const gone = before.session.forget([key]);
    assert.equal(before.storage.length, 0);
    before.session.adopt(gone);
    assert.equal(before.storage.length, 1);
  });

  test('is not disturbed by what others keep in the same place', () => {
    const page =
      open(new Memory([['darkroom.job.x', '{'], ['darkroom.job.y', 'null'],
      ['darkroom.job.z', '{"key":5}'], ['other', '{}']]));
    page.session.load();
    assert.deepEqual(page.store.state.jobs, []);
    assert.deepEqual([page.store.state.news.kind, page.store.state.news.n], ['unread', 3]);
    assert.deepEqual([...page.storage.map.keys()], ['darkroom.job.z', 'other'],
      'what another version may read stays');
  });

  test('keeps the newest 200', () => {
    const storage = new Memory();
    const before = open(storage);
    for (let i = 0; i < 205; i++) before.session.submit({ prompt: `${i}` });
    const after = open(storage);
    after.session.load();
    assert.equal(after.store.state.jobs.length, 200);
    assert.equal(after.job().asked.prompt, '204');
    assert.equal(storage.length, 200);
    assert.deepEqual([after.store.state.news.kind, after.store.state.news.n], ['dropped', 5]);
  });

  test('a browser that allows no memory still works', () => {
    const page = open(null);
    page.session.load();
    page.hello();
    page.session.submit({ prompt: 'x' });
    assert.equal(page.of('submit').length, 1);
    assert.equal(page.store.state.unsaved, 1, 'and says what a reload loses');
  });

  test('a full memory does not stop a submit, and is told; removing makes room', () => {
    const storage = new Memory();
    const { setItem } = Memory.prototype;
    const full = (most) => {
      storage.setItem = (name, value) => {
        if (!storage.map.has(name) && storage.length >= most) throw new Error('quota');
        setItem.call(storage, name, value);
      };
    };
    full(2);
    const page = open(storage);
    page.hello();
    const keys = ['1', '2', '3', '4'].map((prompt) => page.session.submit({ prompt }));
    assert.equal(page.of('submit').length, 4);
    assert.equal(page.store.state.unsaved, 2);
    page.session.forget([keys[0]]);
    assert.equal(page.store.state.unsaved, 1, 'another takes its place');
    assert.equal(storage.length, 2);
    full(100);
    page.receive(accepted(keys[2]), accepted(keys[3], '00000000000000ab'));
    assert.equal(page.store.state.unsaved, 0);
    storage.setItem = () => { throw new Error('quota'); };
    page.receive(ended('00000000000000aa', 9));
    assert.equal(page.store.state.unsaved, 0, 'an older record is enough to take it up again');
    const after = open(storage);
    after.session.load();
    assert.equal(after.store.state.jobs.length, 3);
  });
});

describe('cancelling', () => {
  test('a job with a name', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.receive(accepted(key));
    page.session.cancel(key);
    assert.deepEqual(page.of('cancel'), [{ type: 'cancel', job: '00000000000000aa' }]);
  });

  test('a job that has no name yet: as soon as it has one', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.session.cancel(key);
    assert.deepEqual(page.of('cancel'), []);
    page.receive(accepted(key));
    assert.deepEqual(page.of('cancel'), [{ type: 'cancel', job: '00000000000000aa' }]);
  });

  test('a cancel that a broken connection may have lost is sent again', () => {
    const page = open();
    page.hello();
    const key = page.session.submit({ prompt: 'x' });
    page.receive(accepted(key));
    page.session.cancel(key);
    page.hello();
    assert.equal(page.of('cancel').length, 1);
  });
});

describe('another tab', () => {
  test('its new job appears here and is watched once it has a name', () => {
    const [a, b] = [open(), open(new Memory())];
    a.hello();
    b.hello();
    const key = a.session.submit({ prompt: 'x' });
    const name = `darkroom.job.${key}`;
    b.session.storageChanged({ key: name, newValue: a.storage.getItem(name) });
    assert.equal(b.store.state.jobs.length, 0, 'the other tab is still sending it');
    a.receive(accepted(key));
    b.session.storageChanged({ key: name, newValue: a.storage.getItem(name) });
    assert.deepEqual(b.of('watch'), [{ type: 'watch', job: '00000000000000aa', seq: 0 }]);
    b.session.storageChanged({ key: name, newValue: null });
    assert.equal(b.store.state.jobs.length, 0);
  });
});

test('the settings of a connection are sent again on every new one', () => {
  const page = open();
  for (const boot of ['a', 'a', 'b']) {
    page.hello(boot);
    assert.equal(page.of('stats').length, 1);
    assert.equal(page.of('previews').length, 1);
  }
});

test('commands of this page are such as PROTOCOL.md lists', () => {
  const page = open();
  page.hello();
  page.session.quote({ prompt: 'x' });
  const members = { previews: ['type', 'every_ms', 'max_px', 'format'], stats: ['type', 'on'],
    quote: ['type', 'ref', 'spec'] };
  for (const message of page.sent) assert.deepEqual(Object.keys(message), members[message.type]);
  const { every_ms, max_px } = page.of('previews')[0];
  assert.ok(every_ms >= 0 && every_ms <= 60000 && max_px >= 16 && max_px <= 512);
});
