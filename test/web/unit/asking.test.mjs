// asking - each command gets its own answer, or learns that there is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Asking } from '../../../frontend/asking.js';

function setting({ open = true } = {}) {
  const sent = [];
  const asking = new Asking((message) => open && sent.push(message) > 0);
  return { sent, asking };
}

test('the answer of one command goes to it alone, in whatever order', async () => {
  const { sent, asking } = setting();
  const [a, b] = [asking.ask({ type: 'list' }), asking.ask({ type: 'pause' })];
  assert.notEqual(sent[0].ref, sent[1].ref);
  assert.equal(asking.receive({ type: 'ok', ref: sent[1].ref, re: 'pause' }), true);
  assert.equal(asking.receive({ type: 'list', ref: sent[0].ref, jobs: [] }), true);
  assert.equal((await a).type, 'list');
  assert.equal((await b).re, 'pause');
});

test('an error rejects, with what the server says', async () => {
  const { sent, asking } = setting();
  const answer = asking.ask({ type: 'pause' });
  asking.receive({ type: 'error', ref: sent[0].ref, code: 'forbidden', message: 'm' });
  await assert.rejects(answer, (failure) => failure.code === 'forbidden');
});

test('what others asked for, and events, are not taken; nor is an answer taken twice', async () => {
  const { sent, asking } = setting();
  const answer = asking.ask({ type: 'ping' });
  for (const message of [{ type: 'progress' }, { type: 'quote', ref: 'quote' },
    { type: 'pong', ref: 'ask99' }]) {
    assert.equal(asking.receive(message), false);
  }
  assert.equal(asking.receive({ type: 'pong', ref: sent[0].ref }), true);
  assert.equal(asking.receive({ type: 'pong', ref: sent[0].ref }), false);
  await answer;
});

test('without a connection, and when it is lost, a command fails', async () => {
  const closed = setting({ open: false });
  await assert.rejects(closed.asking.ask({ type: 'list' }), (f) => f.code === 'unreachable');
  const { asking } = setting();
  const answer = asking.ask({ type: 'list' });
  asking.lost();
  await assert.rejects(answer, (f) => f.code === 'unreachable');
});
