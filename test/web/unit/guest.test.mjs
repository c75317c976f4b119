// guest - a share link is followed to its end, whatever the network does, and never longer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serverEvents } from '../../../frontend/lib/events.js';
import { Guest, tokenOf } from '../../../frontend/pages/share/guest.js';

const JOB = '00000000000000aa';
const bytes = (text, size = 1) => new ReadableStream({
  start(to) {
    const all = new TextEncoder().encode(text);
    for (let i = 0; i < all.length; i += size) to.enqueue(all.slice(i, i + size));
    to.close();
  },
});
const event = (message) => `event: ${message.type}\nid: ${message.seq}\ndata: ${
  JSON.stringify(message)}\n\n`;
const stream = (...messages) => ({ status: 200, ok: true,
  body: bytes(messages.map(event).join('')) });
const list = { status: 200, ok: true,
  json: async () => ({ jobs: [{ job: JOB, state: 'running' }] }) };
const status = (n) => ({ status: n, ok: false });
const picture = { status: 200, ok: true, blob: async () => 'pixels' };
const accepted = { type: 'accepted', job: JOB, seq: 1 };
const result = { type: 'result', job: JOB, seq: 5, url: '/i/ab.png' };
const end = { type: 'end', job: JOB, seq: 6, state: 'done' };

/** Follow with these answers, one for each request. */
async function follow(...answers) {
  const seen = { asked: [], links: [], messages: [], jobs: [], waits: [] };
  const guest = new Guest('drs_x', { job: (row) => seen.jobs.push(row.job),
    link: (link) => seen.links.push(link), message: (m) => seen.messages.push(m) }, {
    fetch: async (address, options) => {
      seen.asked.push([address, options.headers.Authorization, options.credentials]);
      const answer = answers.shift();
      if (!answer) guest.stop();
      if (!answer || answer === 'broken') throw new TypeError('network');
      return answer;
    },
    wait: async (ms) => { seen.waits.push(ms); }, urlOf: (blob) => `blob:${blob}` });
  await guest.run();
  return seen;
}

describe('events', () => {
  test('of any pieces, comments and what is no JSON left out', async () => {
    const text = `: hello\n\n${event({ type: 'a', seq: 1, t: 'ä🙂' })}data: {\n\n${
      event({ type: 'b', seq: 2 })}data: {"type":"c"`;
    for (const size of [1, 2, 3, 7, 1000]) {
      const found = [];
      for await (const message of serverEvents(bytes(text, size))) found.push(message);
      assert.deepEqual(found.map(({ type, t }) => [type, t]), [['a', 'ä🙂'], ['b', undefined]]);
    }
  });
});

describe('a share link', () => {
  test('shows its job to the end, with its token in a header and no cookie', async () => {
    const seen = await follow(list, stream(accepted, { type: 'preview', job: JOB, seq: 3,
      mime: 'image/jpeg', data: btoa('jpeg'), phase: 'denoise' }, result, end), picture);
    assert.deepEqual(seen.links, ['open', 'done']);
    assert.deepEqual(seen.jobs, [JOB]);
    assert.deepEqual(seen.messages.map(({ type }) => type),
      ['accepted', 'preview', 'result', 'end']);
    assert.equal(seen.messages[2].url, 'blob:pixels');
    assert.equal(await seen.messages[1].image.text(), 'jpeg');
    assert.deepEqual(seen.asked.map(([address]) => address.replace(/\?.*/, '')),
      ['v1/jobs', `v1/jobs/${JOB}/events`, 'i/ab.png']);
    assert.ok(seen.asked.every(([, token, cookie]) => token === 'Bearer drs_x'
      && cookie === 'omit'));
  });

  test('goes on behind what was seen when the stream breaks, with growing pauses', async () => {
    const seen = await follow('broken', status(503), list, stream(accepted), 'broken', 'broken',
      stream(result, end), picture);
    assert.deepEqual(seen.links.filter((link) => link !== 'open'),
      ['lost', 'lost', 'lost', 'lost', 'lost', 'done']);
    assert.match(seen.asked[4][0], /seq=1$/);
    assert.deepEqual(seen.waits, [1000, 2000, 500, 1000, 2000]);
    assert.equal(seen.messages.length, 3);
  });

  test('that is none, has ended, or ends meanwhile is over; one all seen is done', async () => {
    assert.deepEqual((await follow(status(401))).links, ['over']);
    assert.deepEqual((await follow({ ...list, json: async () => ({ jobs: [] }) })).links, ['over']);
    assert.deepEqual((await follow(list, stream(accepted), status(401))).links,
      ['open', 'lost', 'over']);
    assert.deepEqual((await follow(list, status(404))).links, ['over']);
    assert.deepEqual((await follow(list, status(204))).links, ['done']);
  });

  test('of a sweep has the pictures of its cells, each fetched once', async () => {
    const cell = { type: 'cell', job: JOB, seq: 4, cell: 0, state: 'done',
      result: { url: '/i/ab.png', seed: 1 } };
    const seen = await follow(list, stream(accepted, cell, { ...end, cells: [{ job: 'c',
      state: 'done', url: '/i/ab.png' }, { job: 'd', state: 'failed' }] }), picture);
    assert.equal(seen.messages[1].result.url, 'blob:pixels');
    assert.deepEqual(seen.messages[2].cells.map(({ url }) => url), ['blob:pixels', undefined]);
    assert.equal(seen.asked.length, 3);
  });
});

test('a share link that a mail or a chat has taken more into still has its token', () => {
  const token = `drs_${'k7Qz'.repeat(12)}a`;
  for (const more of ['', '.', '%20', '。', ')', '，看看']) assert.equal(tokenOf(token + more), token);
  assert.equal(tokenOf(`${token}b`), `${token}b`);
  assert.equal(tokenOf('x'), 'x');
});
