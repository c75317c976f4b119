// sweeps - the state of several pictures that were asked for at once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY, isSweep, newJob, reduce } from '../../../frontend/state.js';
import { Session, Store, toRecord } from '../../../frontend/session.js';
import { storedJob } from '../../../frontend/stored.js';

const ID = '00000000000000aa';
const CELLS = ['00000000000000c0', '00000000000000c1'];
const SWEEP = { steps: [10, 20] };
const RESULT = { url: '/i/ab.png', digest: 'ab', width: 64, height: 64, seed: 7, seconds: 1 };
const accepted = { type: 'accepted', job: ID, key: 'k', seq: 1, created_ms: 5,
  spec: { prompt: 'a', steps: 10, seed: 7 }, sweep: SWEEP, cells: CELLS };

const play = (state, ...messages) => messages.reduce((s, message) =>
  reduce(s, { do: 'message', message, at: 100 }), state);
const asked = reduce(EMPTY, { do: 'submit',
  job: newJob('k', { prompt: 'a' }, 1, { sweep: { steps: [10, 20] } }) });
const begun = play(asked, accepted);
const [job] = begun.jobs;

describe('a sweep', () => {
  test('has its cells from its acceptance on', () => {
    assert.equal(isSweep(asked.jobs[0]), true);
    assert.deepEqual(job.cells.map(({ id, state }) => [id, state]),
      CELLS.map((id) => [id, 'queued']));
    assert.deepEqual(job.sweep, SWEEP);
    assert.equal(isSweep(newJob('x', { prompt: 'a' }, 1, { n: 1 })), false);
  });

  test('progress is of all, a cell tells of one, its own events of that one', () => {
    const state = play(begun, { type: 'progress', job: ID, seq: 2, done: 0, total: 2, overall: 0.1,
      eta_ms: 900 }, { type: 'cell', job: ID, seq: 3, cell: 1, state: 'running' },
    { type: 'progress', job: CELLS[1], seq: 9, phase: 'denoise', done: 1, total: 2, overall: 0.5 },
    { type: 'preview', job: CELLS[1], seq: 10, phase: 'denoise', image: 'pixels' });
    const [{ state: word, overall, total, cells, phase }] = state.jobs;
    assert.deepEqual([word, overall, total, phase], ['running', 0.1, 2, null]);
    assert.deepEqual(cells.map((cell) => [cell.state, cell.overall, cell.preview?.image]),
      [['queued', 0, undefined], ['running', 0.5, 'pixels']]);
  });

  test('a cell that is done has its picture, and stays as it is', () => {
    const state = play(begun, { type: 'cell', job: ID, seq: 3, cell: 0, state: 'done',
      result: RESULT }, { type: 'progress', job: CELLS[0], seq: 9, phase: 'decode', overall: 0.9 });
    assert.deepEqual(state.jobs[0].cells[0].result, RESULT);
    assert.equal(state.jobs[0].cells[0].state, 'done');
    assert.equal(play(state, { type: 'cell', job: ID, seq: 2, cell: 0, state: 'running' }), state);
  });

  test('its end says how each ended, also what was not read before', () => {
    const state = play(begun, { type: 'cell', job: ID, seq: 3, cell: 0, state: 'done',
      result: RESULT }, { type: 'end', job: ID, seq: 9, state: 'failed', error: { code: 'device' },
      cells: [{ job: CELLS[0], state: 'done', url: RESULT.url },
        { job: CELLS[1], state: 'failed' }] });
    const [{ cells, error, state: word }] = state.jobs;
    assert.deepEqual([word, error.code, cells[0].result, cells[1].state],
      ['failed', 'device', RESULT, 'failed']);
    const late = play(begun, { type: 'end', job: ID, seq: 9, state: 'done',
      cells: CELLS.map((id) => ({ job: id, state: 'done', url: '/i/cd.png' })) });
    assert.deepEqual(late.jobs[0].cells.map((cell) => cell.result.url), ['/i/cd.png', '/i/cd.png']);
  });

  test('is stored and read back, what runs to be asked for again', () => {
    const state = play(begun, { type: 'cell', job: ID, seq: 3, cell: 0, state: 'done',
      result: RESULT }, { type: 'cell', job: ID, seq: 4, cell: 1, state: 'running' });
    const back = storedJob('k', toRecord(state.jobs[0]));
    assert.deepEqual(back.cells.map((cell) => [cell.state, cell.result]),
      [['done', RESULT], ['queued', null]]);
    assert.deepEqual([back.sweep, back.more, back.state], [SWEEP, { sweep: SWEEP }, 'queued']);
    for (const odd of [5, [], { steps: 5 }, { steps: [] }, { steps: [null] }]) {
      const record = JSON.parse(toRecord(state.jobs[0]));
      const text = JSON.stringify({ ...record, sweep: odd, cells: odd, more: odd });
      const other = storedJob('k', text);
      assert.equal(other.sweep, null);
      assert.deepEqual(other.cells, []);
    }
  });
});

describe('at the server', () => {
  const setting = () => {
    const sent = [];
    const store = new Store();
    const kept = new Map();
    const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v),
      removeItem: (k) => kept.delete(k), key: (i) => [...kept.keys()][i],
      get length() { return kept.size; } };
    const session = new Session({ store, storage, now: () => 0, date: () => 0,
      send: (m) => sent.push(m) > 0 });
    session.receive({ type: 'hello', boot_id: 'a' });
    store.dispatch({ do: 'connection', connection: { state: 'open' } });
    return { sent, store, session, kept };
  };

  test('a cell is followed once it runs, and again on the next connection', () => {
    const { sent, session } = setting();
    const key = session.submit({ prompt: 'a' }, { sweep: { steps: [10, 20] } });
    assert.deepEqual(sent.at(-1), { type: 'submit', ref: key, key, spec: { prompt: 'a' },
      sweep: { steps: [10, 20] } });
    session.receive({ ...accepted, key, ref: key });
    const watched = () => sent.filter((m) => m.type === 'watch').map((m) => [m.job, m.seq]);
    assert.deepEqual(watched(), []);
    const running = { type: 'cell', job: ID, seq: 3, cell: 1, state: 'running' };
    session.receive(running);
    session.receive({ ...running, seq: 4, cell: 0, state: 'done', result: RESULT });
    assert.deepEqual(watched(), [[CELLS[1], 0]]);
    session.receive({ type: 'progress', job: CELLS[1], seq: 12, phase: 'prior', overall: 0.2 });
    sent.length = 0;
    session.receive({ type: 'hello', boot_id: 'a' });
    assert.deepEqual(watched(), [[ID, 4], [CELLS[1], 12]]);
  });

  test('a private picture is stored by no browser, and is not missed there', () => {
    const { store, session, kept, sent } = setting();
    const key = session.submit({ prompt: 'a secret' }, { private: true });
    assert.equal(sent.at(-1).private, true);
    session.receive({ type: 'accepted', job: ID, key, seq: 1, private: true,
      spec: { prompt: 'a secret' } });
    assert.equal(store.state.jobs[0].id, ID);
    assert.equal(store.state.unsaved, 0);
    assert.equal([...kept.values()].join().includes('secret'), false);
  });
});

describe('what the server tells everybody', () => {
  test('of each kind the newest holds; null ends it; unknown kinds are left out', () => {
    let state = play(EMPTY, { type: 'hello', boot_id: 'a', notices: [
      { kind: 'message', text: 'one' }, { kind: 'new', text: 'x' }, { kind: 'drain', text: null },
      null] });
    assert.deepEqual(state.notices.map(({ text }) => text), ['one']);
    state = play(state, { type: 'notice', kind: 'drain', text: 'stops', at_ms: 5, in_ms: 3 },
      { type: 'notice', kind: 'message', text: 'two' }, { type: 'notice', kind: 'new', text: 'y' });
    assert.deepEqual(state.notices.map(({ text }) => text), ['stops', 'two']);
    state = play(state, { type: 'notice', kind: 'drain', text: null });
    assert.deepEqual(state.notices.map(({ text }) => text), ['two']);
  });

  test('who one is can change', () => {
    const state = play(EMPTY, { type: 'hello', boot_id: 'a', user: { name: 'ada', lanes: [] } },
      { type: 'user', user: { name: 'ada', lanes: ['urgent'] } });
    assert.deepEqual(state.hello.user.lanes, ['urgent']);
    assert.equal(state.hello.boot_id, 'a');
  });
});
