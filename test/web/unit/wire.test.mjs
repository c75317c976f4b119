// wire - the codec against proto/vectors, and the socket against a world of its own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Wire, decodeFrame, decodeText, retryPause, socketUrl } from '../../../frontend/wire.js';

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../../proto/vectors/${name}.json`, import.meta.url), 'utf8')).cases;
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex')).buffer;

describe('frames as the C side writes them', () => {
  for (const { name, hex, expect, skip, show } of vectors('frames')) {
    test(name, () => {
      if (expect) {
        const { image, mime, type, ...frame } = decodeFrame(bytes(hex));
        assert.deepEqual({ ...frame, kind: type, format: mime.slice(6), bytes: image.length }, expect);
        assert.deepEqual(Buffer.from(image), Buffer.from(hex, 'hex').subarray(32), 'the image is what follows the header');
      } else if (skip) assert.equal(decodeFrame(bytes(hex)), null, 'a newer kind is skipped without a word');
      else if (show) assert.ok(decodeFrame(bytes(hex)));
      else assert.throws(() => decodeFrame(bytes(hex)), /frame/);
    });
  }
});

describe('messages of the server, byte for byte', () => {
  for (const { name, text } of vectors('server')) {
    test(name, () => assert.equal(JSON.stringify(decodeText(text)), text));
  }
});

test('what is not a message is refused', () => {
  for (const text of ['', 'x', 'null', '[]', '{}', '{"type":1}', '"hello"']) assert.throws(() => decodeText(text), text);
});

test('the socket is beside the page, with its security', () => {
  assert.equal(socketUrl('http://127.0.0.1:7860/'), 'ws://127.0.0.1:7860/ws');
  assert.equal(socketUrl('https://host/art/?x#y'), 'wss://host/art/ws');
});

test('pauses double from half a second to ten, give or take a quarter', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((n) => retryPause(n, () => 0.5)), [500, 1000, 2000, 4000, 8000, 10000, 10000]);
  assert.equal(retryPause(0, () => 0), 375);
  assert.equal(retryPause(9, () => 1), 12500);
});

/** A world with sockets that do nothing by themselves and a clock that is moved by hand. */
function makeWorld() {
  const world = {
    time: 0, sockets: [], timers: new Map(), handles: 0, heard: [], links: [], trouble: [],
    now: () => world.time, random: () => 0.5,
    later: (f, ms) => (world.timers.set(++world.handles, { at: world.time + ms, f }), world.handles),
    never: (handle) => world.timers.delete(handle),
    pass(ms) {
      const until = world.time + ms;
      for (;;) {
        const [next] = [...world.timers].sort((a, b) => a[1].at - b[1].at);
        if (!next || next[1].at > until) break;
        world.timers.delete(next[0]);
        world.time = next[1].at;
        next[1].f();
      }
      world.time = until;
    },
    WebSocket: class {
      constructor(url, protocol) {
        Object.assign(this, { url, protocol, sent: [], closed: false });
        world.sockets.push(this);
      }
      send(text) { this.sent.push(JSON.parse(text)); }
      close() { this.closed = true; }
      say(message) { this.onmessage?.({ data: typeof message === 'object' && !(message instanceof ArrayBuffer) ? JSON.stringify(message) : message }); }
    },
  };
  world.wire = new Wire('ws://host/ws', { message: (m) => world.heard.push(m), link: (l) => world.links.push(l), trouble: (e) => world.trouble.push(e) }, world);
  return world;
}

describe('the link', () => {
  test('opens with hello, speaks the subprotocol, sends nothing before', () => {
    const world = makeWorld();
    world.wire.connect();
    const [socket] = world.sockets;
    assert.equal(socket.protocol, 'darkroom.v1');
    assert.equal(world.wire.send({ type: 'ping' }), false);
    socket.say({ type: 'hello' });
    assert.equal(world.wire.send({ type: 'ping' }), true);
    assert.deepEqual(socket.sent, [{ type: 'ping' }]);
    assert.deepEqual(world.links.map((l) => l.state), ['connecting', 'open']);
  });

  test('comes back with growing pauses and begins anew after a hello', () => {
    const world = makeWorld();
    world.wire.connect();
    const pauses = [];
    for (let i = 0; i < 4; i++) {
      world.sockets.at(-1).onclose();
      pauses.push(world.links.at(-1).retryAt - world.time);
      world.pass(pauses.at(-1));
    }
    assert.deepEqual(pauses, [500, 1000, 2000, 4000]);
    world.sockets.at(-1).say({ type: 'hello' });
    world.sockets.at(-1).onclose();
    assert.equal(world.links.at(-1).retryAt - world.time, 500);
    assert.equal(world.sockets.length, 5);
  });

  test('waits as long as a server that stops asks for', () => {
    const world = makeWorld();
    world.wire.connect();
    world.sockets[0].say({ type: 'hello' });
    world.sockets[0].say({ type: 'error', code: 'shutting_down', retry_after_ms: 3000 });
    world.sockets[0].onclose();
    world.pass(2999);
    assert.equal(world.sockets.length, 1);
    world.pass(1);
    assert.equal(world.sockets.length, 2);
  });

  test('"try now" ends the pause, and a second one does not make a second socket', () => {
    const world = makeWorld();
    world.wire.connect();
    world.sockets[0].onclose();
    world.wire.connect();
    world.wire.connect();
    world.pass(400);
    assert.equal(world.sockets.length, 2);
  });

  test('asks a silent server and leaves one that does not answer', () => {
    const world = makeWorld();
    world.wire.connect();
    world.sockets[0].say({ type: 'hello' });
    world.pass(30_000);
    assert.ok(world.sockets[0].sent.some((m) => m.type === 'ping'));
    assert.equal(world.sockets[0].closed, false);
    world.pass(30_000);
    assert.equal(world.sockets[0].closed, true);
    assert.ok(world.sockets.length > 1, 'and tries again');
  });

  test('a server that answers pings is kept', () => {
    const world = makeWorld();
    world.wire.connect();
    world.sockets[0].say({ type: 'hello' });
    for (let i = 0; i < 20; i++) {
      world.pass(10_000);
      if (world.sockets[0].sent.at(-1)?.type === 'ping') world.sockets[0].say({ type: 'pong' });
    }
    assert.equal(world.sockets.length, 1);
    assert.equal(world.sockets[0].closed, false);
  });

  test('gives up a socket that never says hello', () => {
    const world = makeWorld();
    world.wire.connect();
    world.pass(16_000);
    assert.equal(world.sockets[0].closed, true);
    assert.equal(world.sockets.length, 2);
  });

  test('words of a socket that was given up are not heard', () => {
    const world = makeWorld();
    world.wire.connect();
    const old = world.sockets[0];
    const heard = old.onmessage;
    old.onclose();
    heard({ data: '{"type":"hello"}' });
    assert.deepEqual(world.heard, []);
    assert.equal(world.wire.open, false);
  });

  test('a message that cannot be read is reported and does not end the link', () => {
    const world = makeWorld();
    world.wire.connect();
    world.sockets[0].say({ type: 'hello' });
    world.sockets[0].say('{"type":');
    world.sockets[0].say(bytes('00112233'));
    world.sockets[0].say({ type: 'pong' });
    assert.equal(world.trouble.length, 2);
    assert.equal(world.heard.at(-1).type, 'pong');
  });
});
