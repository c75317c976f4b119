// wire - the codec against proto/vectors, and the socket against an environment of its own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Wire, decodeFrame, decodeText, retryPause, socketUrl } from '../../../frontend/wire.js';

const vectors = (name) =>
  JSON.parse(readFileSync(new URL(`../../../proto/vectors/${name}.json`, import.meta.url),
  'utf8')).cases;
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex')).buffer;

describe('frames as the C side writes them', () => {
  for (const { name, hex, expect, skip, show } of vectors('frames')) {
    test(name, () => {
      if (expect) {
        const { image, mime, type, ...frame } = decodeFrame(bytes(hex));
        assert.deepEqual({ ...frame, kind: type, format: mime.slice(6), bytes: image.length },
          expect);
        assert.deepEqual(Buffer.from(image), Buffer.from(hex, 'hex').subarray(32),
          'the image is what follows the header');
      } else if (skip) assert.equal(decodeFrame(bytes(hex)), null,
        'a newer kind is skipped');
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
  for (const text of ['', 'x', 'null', '[]', '{}', '{"type":1}', '"hello"']) {
    assert.throws(() => decodeText(text), text);
  }
});

test('the socket is beside the page, with its security', () => {
  assert.equal(socketUrl('http://127.0.0.1:7860/'), 'ws://127.0.0.1:7860/ws');
  assert.equal(socketUrl('https://host/art/?x#y'), 'wss://host/art/ws');
});

test('pauses double from half a second to ten, give or take a quarter', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((n) => retryPause(n, () => 0.5)),
    [500, 1000, 2000, 4000, 8000, 10000, 10000]);
  assert.equal(retryPause(0, () => 0), 375);
  assert.equal(retryPause(9, () => 1), 12500);
});

/** An environment with sockets that only tests operate, and a clock that pass() advances. */
function makeEnvironment() {
  const env = {
    time: 0, sockets: [], timers: new Map(), handles: 0, received: [], connections: [], errors: [],
    now: () => env.time, random: () => 0.5,
    setTimer: (f, ms) => (env.timers.set(++env.handles, { at: env.time + ms, f }), env.handles),
    clearTimer: (handle) => env.timers.delete(handle),
    pass(ms) {
      const until = env.time + ms;
      for (;;) {
        const [next] = [...env.timers].sort((a, b) => a[1].at - b[1].at);
        if (!next || next[1].at > until) break;
        env.timers.delete(next[0]);
        env.time = next[1].at;
        next[1].f();
      }
      env.time = until;
    },
    WebSocket: class {
      constructor(url, protocol) {
        Object.assign(this, { url, protocol, sent: [], closed: false });
        env.sockets.push(this);
      }
      send(text) { this.sent.push(JSON.parse(text)); }
      close() { this.closed = true; }
      say(message) {
        const json = typeof message === 'object' && !(message instanceof ArrayBuffer);
        this.onmessage?.({ data: json ? JSON.stringify(message) : message });
      }
    },
  };
  env.wire = new Wire('ws://host/ws',
    { message: (m) => env.received.push(m), connection: (c) => env.connections.push(c),
    error: (e) => env.errors.push(e) }, env);
  return env;
}

describe('the connection', () => {
  test('opens with hello, speaks the subprotocol, sends nothing before', () => {
    const env = makeEnvironment();
    env.wire.connect();
    const [socket] = env.sockets;
    assert.equal(socket.protocol, 'darkroom.v1');
    assert.equal(env.wire.send({ type: 'ping' }), false);
    socket.say({ type: 'hello' });
    assert.equal(env.wire.send({ type: 'ping' }), true);
    assert.deepEqual(socket.sent, [{ type: 'ping' }]);
    assert.deepEqual(env.connections.map((c) => c.state), ['connecting', 'open']);
  });

  test('comes back with growing pauses and begins anew after a hello', () => {
    const env = makeEnvironment();
    env.wire.connect();
    const pauses = [];
    for (let i = 0; i < 4; i++) {
      env.sockets.at(-1).onclose();
      pauses.push(env.connections.at(-1).retryAt - env.time);
      env.pass(pauses.at(-1));
    }
    assert.deepEqual(pauses, [500, 1000, 2000, 4000]);
    env.sockets.at(-1).say({ type: 'hello' });
    env.sockets.at(-1).onclose();
    assert.equal(env.connections.at(-1).retryAt - env.time, 500);
    assert.equal(env.sockets.length, 5);
  });

  test('stays away from a server that wants to know who it is, until it is told to connect', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'error', code: 'unauthorized', message: 'who?' });
    assert.equal(env.connections.at(-1).state, 'locked');
    assert.ok(env.sockets[0].closed);
    assert.deepEqual(env.received, [], 'the form says it, no notice');
    env.pass(600_000);
    assert.equal(env.sockets.length, 1);
    env.wire.connect();
    env.sockets[1].say({ type: 'hello' });
    assert.equal(env.connections.at(-1).state, 'open');
    env.sockets[1].onclose({ code: 4001, reason: 'unauthorized' });
    assert.equal(env.connections.at(-1).state, 'locked');
    env.pass(600_000);
    assert.equal(env.sockets.length, 2);
    env.wire.connect();
    env.sockets[2].onclose({ code: 1006 });
    assert.equal(env.connections.at(-1).state, 'waiting');
  });

  test('connects anew as somebody else, and hears no more of the old socket', () => {
    const env = makeEnvironment();
    env.wire.connect();
    const [old] = env.sockets;
    old.say({ type: 'hello' });
    env.wire.again();
    old.onclose?.({ code: 1000 });
    assert.equal(env.sockets.length, 2);
    assert.ok(old.closed);
    env.sockets[1].say({ type: 'hello' });
    assert.equal(env.connections.at(-1).state, 'open');
  });

  test('waits as long as a server that stops asks for', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'hello' });
    env.sockets[0].say({ type: 'error', code: 'shutting_down', retry_after_ms: 3000 });
    env.sockets[0].onclose();
    env.pass(2999);
    assert.equal(env.sockets.length, 1);
    env.pass(1);
    assert.equal(env.sockets.length, 2);
  });

  test('"try now" ends the pause, and a second one does not make a second socket', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].onclose();
    env.wire.connect();
    env.wire.connect();
    env.pass(400);
    assert.equal(env.sockets.length, 2);
  });

  test('asks a silent server and leaves one that does not answer', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'hello' });
    env.pass(22_000);
    assert.ok(env.sockets[0].sent.some((m) => m.type === 'ping'));
    assert.equal(env.sockets[0].closed, false);
    env.pass(5000);
    assert.equal(env.sockets[0].closed, true);
    assert.ok(env.sockets.length > 1, 'and tries again');
  });

  test('a server that answers pings is kept', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'hello' });
    for (let i = 0; i < 200; i++) {
      env.pass(1000);
      if (env.sockets[0].sent.at(-1)?.type === 'ping') env.sockets[0].say({ type: 'pong' });
    }
    assert.equal(env.sockets.length, 1);
    assert.equal(env.sockets[0].closed, false);
  });

  test('a probe replaces a dead connection at once, and only that', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'hello' });
    env.wire.probe();
    env.wire.probe();
    assert.equal(env.sockets[0].sent.filter((m) => m.type === 'ping').length, 1);
    env.sockets[0].say({ type: 'pong' });
    env.pass(5000);
    assert.equal(env.sockets[0].closed, false, 'it answered');
    env.wire.probe();
    env.pass(4100);
    assert.equal(env.sockets[0].closed, true);
    assert.equal(env.sockets.length, 2, 'without a pause');
    env.sockets[1].say({ type: 'hello' });
    env.pass(15_000);
    assert.equal(env.sockets.length, 2);
  });

  test('a probe of a closed or a hanging connection connects', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].onclose();
    env.wire.probe();
    assert.equal(env.sockets.length, 2, 'not after the pause');
    env.wire.probe();
    env.pass(4100);
    assert.equal(env.sockets[1].closed, true);
    assert.equal(env.sockets.length, 3);
  });

  test('gives up a socket that never says hello', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.pass(16_000);
    assert.equal(env.sockets[0].closed, true);
    assert.equal(env.sockets.length, 2);
  });

  test('messages of a socket that was given up are ignored', () => {
    const env = makeEnvironment();
    env.wire.connect();
    const old = env.sockets[0];
    const receive = old.onmessage;
    old.onclose();
    receive({ data: '{"type":"hello"}' });
    assert.deepEqual(env.received, []);
    assert.equal(env.wire.open, false);
  });

  test('a message that cannot be read is reported and does not end the connection', () => {
    const env = makeEnvironment();
    env.wire.connect();
    env.sockets[0].say({ type: 'hello' });
    env.sockets[0].say('{"type":');
    env.sockets[0].say(bytes('00112233'));
    env.sockets[0].say({ type: 'pong' });
    assert.equal(env.errors.length, 2);
    assert.equal(env.received.at(-1).type, 'pong');
  });
});
