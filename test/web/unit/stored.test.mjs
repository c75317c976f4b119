// stored - whatever a browser stored is read without harm: what has its shape is kept.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadText } from '../../../frontend/i18n/text.js';
import { storedDraft, storedJob, storedLists, storedPairs, tidyHello }
  from '../../../frontend/stored.js';
import { paramWords, whatWords } from '../../../frontend/view/card.js';
import { jobErrors } from '../../../frontend/view/errors.js';
import { titleWords } from '../../../frontend/view/title.js';

const KEY = 'k'.repeat(24);
const RECORD = { key: KEY, id: '0000019b76da0001', asked: { prompt: 'a', seed: -1 },
  spec: { prompt: 'a', width: 256, height: 256, steps: 20, guidance: 1.5, seed: 7 }, created: 5,
  state: 'done', result: { url: '/i/x.png', digest: 'x', width: 256, height: 256, seed: 7,
    seconds: 2 }, error: null, sent: true, cancelling: false };
const ODD = [null, true, false, 0, -1, 1e308, '', 'x', [], [1], {}, { prompt: 5 }, { url: 5 },
  { code: 5 }, { a: { b: [] } }, 'constructor', '__proto__'];
const read = (record) => storedJob(KEY, JSON.stringify(record));
const E = await loadText('en');

describe('a stored job', () => {
  test('in its shape is itself', () => {
    const job = read(RECORD);
    for (const [name, value] of Object.entries(RECORD)) assert.deepEqual(job[name], value, name);
    assert.equal(job.seq, 0);
  });

  test('with any member of another shape, or without it, can be shown, or is none', () => {
    for (const name of Object.keys(RECORD)) {
      for (const odd of [...ODD, undefined]) {
        for (const state of ['done', 'failed', 'sending', 'queued', 'lost', 'cancelled']) {
          const job = read({ ...RECORD, state, [name]: odd });
          if (name === 'asked') assert.equal(job, null);
          else {
            assert.ok(job, `${name} ${JSON.stringify(odd)}`);
            assert.equal(job.asked.prompt, 'a');
            for (const words of [...paramWords(job, E), whatWords(job, E, true),
                titleWords([job], 0, E), jobErrors(job, E, false)?.wrong ?? '']) {
              assert.equal(typeof words, 'string');
              assert.doesNotMatch(words, /undefined|NaN|\[object/, name);
            }
            assert.ok(job.state !== 'done' || job.result, 'no picture without its result');
          }
        }
      }
    }
  });

  test('and likewise the members of its members', () => {
    for (const part of ['asked', 'spec', 'result']) {
      for (const name of Object.keys(RECORD[part])) {
        for (const odd of ODD) {
          const job = read({ ...RECORD, [part]: { ...RECORD[part], [name]: odd } });
          if (job === null) assert.deepEqual([part, name], ['asked', 'prompt']);
          else {
            const words = paramWords(job, E).join();
            assert.doesNotMatch(words, /undefined|NaN|\[object/, `${part}.${name}`);
          }
        }
      }
    }
  });

  test('that lost its picture asks the server for it', () => {
    assert.equal(read({ ...RECORD, result: null }).state, 'queued');
    assert.equal(read({ ...RECORD, result: null, id: null }).state, 'lost');
    assert.equal(read({ ...RECORD, state: 'new state', result: null }).state, 'queued');
    assert.equal(read({ ...RECORD, state: 'new state' }).state, 'done');
    assert.equal(read({ ...RECORD, state: 'running', id: 'x' }).state, 'sending',
      'the same key again');
  });

  test('that is no job', () => {
    for (const text of [null, '', '{', 'null', '5', '"x"', '[]', '[{}]', '{}', '{"key":5}',
        '{"asked":null}', '{"asked":{"prompt":null}}']) {
      assert.equal(storedJob(KEY, text), null, String(text));
    }
    for (const key of ['', ' ', 'a b', 'é', 'x'.repeat(65)]) {
      assert.equal(storedJob(key, JSON.stringify(RECORD)), null, key);
    }
  });
});

describe('a stored draft', () => {
  test('keeps what has its shape, and says when the words are lost', () => {
    assert.deepEqual(
      storedDraft('{"prompt":"a","steps":"9","width":256,"height":384,"seed":7}'),
      { spec: { prompt: 'a', width: 256, height: 384, seed: 7 }, lost: false });
    for (const side of [-1, 0, 1.5, 1e9, '256', null]) {
      assert.deepEqual(storedDraft(JSON.stringify({ prompt: 'a', width: side, height: 256 })),
        { spec: { prompt: 'a' }, lost: false });
    }
    assert.deepEqual(storedDraft('{"prompt":5,"steps":5}'),
      { spec: { prompt: '', steps: 5 }, lost: true });
    assert.deepEqual(storedDraft(null), { spec: null, lost: false });
    for (const text of ['', '[]', '5', '{']) {
      assert.deepEqual(storedDraft(text), { spec: null, lost: true }, text);
    }
  });

  test('a sweep with more or fewer cells than its fields have values is asked for again', () => {
    const cells = [1, 2].map((i) => ({ id: `000000000000000${i}`, state: 'running' }));
    const sweep = { steps: [5, 9] };
    const whole = read({ ...RECORD, result: null, sweep, cells });
    assert.deepEqual([whole.sweep, whole.cells.length, whole.state], [sweep, 2, 'done']);
    const odd = [[sweep, 1], [sweep, 0], [{ steps: [5] }, 2], [{ ...sweep, seed: [1, 2] }, 2]];
    for (const [axes, n] of odd) {
      const job = read({ ...RECORD, result: null, sweep: axes, cells: cells.slice(0, n) });
      assert.deepEqual([job.sweep, job.cells, job.state], [null, [], 'queued']);
    }
  });

  test('the lists of a sweep and the second prompt, as typed; damaged ones are left out', () => {
    assert.deepEqual(storedLists('{"prompt":"a","several":{"n":"2","steps":"5, 1","seed":7},'
      + '"second":"b"}'), { several: { n: '2', steps: '5, 1' }, second: 'b' });
    for (const text of [null, '', '{', '{"several":[1],"second":5}', '{"several":"x"}']) {
      assert.deepEqual(storedLists(text), { several: {}, second: null }, String(text));
    }
  });

  test('pairs of jobs, as two keys each', () => {
    assert.deepEqual(storedPairs('{"pairs":[["a1","b2"],["a"],[1,2],"ab",["a b","c"]]}'),
      [['a1', 'b2']]);
    for (const text of [null, '[', '{"pairs":5}', '[]']) assert.deepEqual(storedPairs(text), []);
  });
});

describe('a hello', () => {
  const hello = { type: 'hello', boot_id: 'a', model: { name: 'm', device: 'cpu', dtype: 'f32' },
    concurrency: { cap: 2, disk: 'd', devices: [{ why: 'lost', tries: 3, message: 'm' }] },
    fields: [{ name: 'steps', min: 1, max: 9, default: 5 }],
    sizes: [{ width: 1, height: 2 }], examples: ['a'], defaults: { steps: 5 },
    limits: { aspect_max: 4 }, capabilities: ['text_to_image'] };

  test('in its shape is itself', () => assert.deepEqual(tidyHello(hello), hello));

  test('of any shape has lists, objects, names and numbers', () => {
    for (const name of Object.keys(hello)) {
      for (const odd of [...ODD, undefined, [null, 5, 'x', {}, []]]) {
        const tidy = tidyHello({ ...hello, [name]: odd });
        assert.equal(typeof tidy.model.name + typeof tidy.model.device, 'stringstring');
        assert.ok(tidy.concurrency.devices.every(({ why }) => typeof why === 'string'));
        assert.ok(tidy.examples.every((one) => typeof one === 'string'));
        assert.ok(tidy.sizes.every((one) => Number.isFinite(one.width + one.height)));
        assert.ok(tidy.fields.every((one) => typeof one.name === 'string'
          && Number.isFinite(one.min + one.max) && one.step !== 0));
        assert.ok(Object.values(tidy.defaults).every(Number.isFinite));
      }
    }
    for (const none of [null, undefined, 5, 'x', []]) assert.equal(tidyHello(none), null);
  });
});
