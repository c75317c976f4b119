// cap - why no more pictures are drawn at a time, in both languages, from the protocol's parts.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadText } from '../../../frontend/i18n/text.js';
import { capMessages, capWords } from '../../../frontend/view/cap.js';

const E = await loadText('en');
const Z = await loadText('zh');
const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const PLAN = { cap: 2, fits: 3, width: 384, height: 256, picture_bytes: 48_000_000,
  bytes: 1_240_000_000 };

test('every reason of the protocol has its words in both languages, with every number', () => {
  const reasons = read('proto/concurrency.c').match(/REASON\[CAP_REASONS\] = \{([^}]+)\}/)[1]
    .match(/\w+/g);
  assert.ok(reasons.length >= 8);
  const table = read('proto/PROTOCOL.md').match(/\| `why` \| the device \|[^]*?\n\n/)[0];
  for (const why of reasons) {
    assert.ok(table.includes(`| \`${why}\` |`), `${why} is not in PROTOCOL.md`);
    const drawn = !['starting', 'failed', 'lost'].includes(why);
    const device = { why, ...(drawn ? PLAN : {}), ...(why === 'lost' ? { tries: 7 } : {}) };
    for (const text of [E, Z]) {
      const words = capWords({ devices: [device] }, text);
      assert.ok(words && !words.includes('cap.') && !/[{}]|undefined|NaN/.test(words), words);
      if (text === Z) assert.doesNotMatch(words.replace(/[MG]B/g, ''), /[A-Za-z]/);
      if (drawn) assert.match(words, /3.*384 × 256.*48 MB.*1\.2 GB/);
      if (why === 'lost') assert.match(words, /7/);
      if (drawn && why !== 'memory') assert.match(words, /2/);
    }
  }
});

test('several devices are named, a disk that takes nothing comes first', () => {
  const told = { disk: 'database or disk is full',
    devices: [{ why: 'memory', ...PLAN }, { why: 'lost', tries: 1, message: 'gone' },
      { why: 'failed', message: 'ECC' }] };
  assert.match(capWords(told, E),
    /^The disk .* Device 0: There is .* Device 1: .*1 time\. Device 2/);
  assert.match(capWords(told, Z), /^服务器的磁盘.*设备 0：内存.*设备 1：设备没有恢复/);
  assert.doesNotMatch(capWords(told, E) + capWords(told, Z), /database|gone|ECC/);
  assert.equal(capMessages(told), 'gone · ECC');
});

test('what another server does not say is left out', () => {
  for (const none of [null, undefined, {}, { devices: [] }, { devices: [{ why: 'new' }] }]) {
    assert.equal(capWords(none, E), '');
    assert.equal(capMessages(none ?? null), '');
  }
  assert.equal(capWords({ devices: [{ why: 'new' }, { why: 'starting' }] }, E),
    'Device 1: The model is being loaded.');
});

test('one is one', () => {
  const one = { ...PLAN, cap: 1, fits: 1, picture_bytes: 1_240_000, bytes: 9.4e6 };
  assert.equal(capWords({ devices: [{ why: 'option', ...one }] }, E), 'Whoever runs this server ' +
    'has limited it to 1. There is memory for 1 picture of 384 × 256: 1.2 MB each, 9.4 MB for ' +
    'all.');
});

test('the server\'s own page of the queue says each of them in Chinese, and each phase', () => {
  const table = read('server/http/queue_words.c').match(/\} PHASE_WORDS\[\] = [^;]*;/)[0];
  const names = [...table.matchAll(/\{"(\w+)", /g)].map(([, name]) => name).sort();
  const listed = (file, list) => read(file).split(`${list}] = {`)[1].split('}')[0].match(/\w+/g);
  assert.deepEqual(names, [...listed('proto/event.c', 'PHASE[PHASES'),
    ...listed('proto/concurrency.c', 'REASON[CAP_REASONS')].sort());
});
