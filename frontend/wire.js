// @ts-check
// wire - the darkroom.v1 connection: encodes and decodes messages, reconnects. No DOM.

export const SUBPROTOCOL = 'darkroom.v1';
export const FRAME_HEADER = 32;
/** As they follow one another; those of pictures that begin with others among them. */
export const ORDER = Object.freeze(['glyph', 'vision', 'encode', 'prior', 'denoise', 'decode']);
/** As previews number them. */
export const PHASES = Object.freeze(['glyph', 'prior', 'denoise', 'decode']);

const MAGIC = 0x4d4b5244; // "DRKM", little endian
const FRAME_VERSION = 1;
const FRAME_PREVIEW = 1;
const MIME = Object.freeze({ 1: 'image/jpeg', 2: 'image/png' });

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const PING_MS = 20_000; // of silence; the server's own pings are invisible to a page
const PROBE_MS_MAX = 4000; // for the answer to a ping
const HELLO_MS_MAX = 15_000;
const CLOSE_UNKNOWN = 4001; // by the server: it does not know who this is, or not any more

/** A decoded text message: an object with a `type`.
 * @typedef {{type: string, [member: string]: any}} Message */
/** @typedef {{type: 'preview', job: string, seq: number, phase: string, mime: string,
 *             width: number, height: number, image: Uint8Array<ArrayBuffer>}} Frame */

/** Decode a text message. Throws on anything but an object with a type.
 * @param {string} text @returns {Message} */
export function decodeText(text) {
  const message = JSON.parse(text);
  if (message === null || typeof message !== 'object' || typeof message.type !== 'string') {
    throw new TypeError('a message is an object with a type');
  }
  return message;
}

/** Decode a binary message. Null for a version or kind that this page does not know; throws on a
 * malformed one.
 * @param {ArrayBuffer} buffer @returns {Frame | null} */
export function decodeFrame(buffer) {
  if (buffer.byteLength < FRAME_HEADER) throw new RangeError('a frame has at least 32 bytes');
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== MAGIC) throw new TypeError('not a darkroom frame');
  if (view.getUint8(4) !== FRAME_VERSION || view.getUint8(5) !== FRAME_PREVIEW) return null;
  const mime = MIME[/** @type {1 | 2} */ (view.getUint8(6))];
  const phase = PHASES[view.getUint8(7)];
  const job = view.getBigUint64(8, true);
  const seq = view.getBigUint64(16, true);
  const width = view.getUint16(24, true);
  const height = view.getUint16(26, true);
  const bytes = view.getUint32(28, true);
  if (bytes !== buffer.byteLength - FRAME_HEADER || bytes === 0) {
    throw new RangeError('a frame of another length');
  }
  if (!mime || !phase || !job || !seq || !width || !height || seq > Number.MAX_SAFE_INTEGER) {
    throw new RangeError('a frame with a field out of range');
  }
  return {
    type: 'preview', job: job.toString(16).padStart(16, '0'), seq: Number(seq), phase, mime,
    width, height, image: new Uint8Array(buffer, FRAME_HEADER),
  };
}

/** The WebSocket URL for a page at `href`. @param {string} href */
export function socketUrl(href) {
  const url = new URL('ws', href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** The pause in ms before reconnect number `attempt` (from 0): doubles, with 25 % of randomness, as
 * PROTOCOL.md requires.
 * @param {number} attempt @param {() => number} random */
export function retryPause(attempt, random) {
  const base = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(attempt, 8));
  return Math.round(base * (0.75 + 0.5 * random()));
}

/** The state of the connection. locked: the server does not let in who has not signed in.
 * @typedef {{state: 'connecting'} | {state: 'open'} | {state: 'locked'} |
 *  {state: 'waiting', retryAt: number, attempt: number}} Connection */

/** What the wire needs of the browser; tests pass their own. @typedef {Object} Environment
 * @property {new (url: string, protocol: string) => WebSocket} WebSocket
 * @property {() => number} now milliseconds that never go back
 * @property {(f: () => void, ms: number) => any} setTimer
 * @property {(handle: any) => void} clearTimer
 * @property {() => number} random */

/** @returns {Environment} */
export function browserEnvironment() {
  return {
    WebSocket: globalThis.WebSocket,
    now: () => performance.now(),
    setTimer: (f, ms) => setTimeout(f, ms),
    clearTimer: (handle) => clearTimeout(handle),
    random: Math.random,
  };
}

/** One connection that reconnects by itself. It is open from `hello` on; what is sent
 * before that is not queued. */
export class Wire {
  /** @param {string} url
   *  @param {{message: (m: Message | Frame) => void, connection: (c: Connection) => void,
   *           error?: (e: unknown) => void}} to
   *  @param {Environment} [env] */
  constructor(url, to, env = browserEnvironment()) {
    this.url = url;
    this.to = to;
    this.env = env;
    /** @type {WebSocket | null} */ this.socket = null;
    this.open = false;
    this.attempt = 0;
    this.floorMs = 0; // retry_after_ms of a server that shuts down
    this.receivedAt = 0;
    this.received = 0; // messages
    this.timer = null;
    this.probing = null; // the timer of an unanswered ping
  }

  /** Connect, at once also while a reconnect pause is running. */
  connect() {
    if (this.socket) return;
    this.#after(null);
    this.to.connection({ state: 'connecting' });
    const socket = new this.env.WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.receivedAt = this.env.now();
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => {
      if (event?.code === CLOSE_UNKNOWN) this.lock();
      else this.#lost(socket);
    };
    this.#after(() => this.#lost(socket), HELLO_MS_MAX);
  }

  /** Find out now whether the connection is alive: one that does not answer a ping in
   * PROBE_MS_MAX, or is still without hello then, is replaced at once. */
  probe() {
    if (!this.socket) return this.connect();
    if (this.probing !== null) return;
    const { socket, received } = this;
    this.send({ type: 'ping' });
    this.probing = this.env.setTimer(() => {
      this.probing = null;
      if (socket !== this.socket || this.received > received) return;
      this.#lost(socket);
      this.connect();
    }, PROBE_MS_MAX);
  }

  /** Send one command. False when the connection is not open; the caller then sends it again later.
   * @param {Message} message */
  send(message) {
    if (!this.open || !this.socket) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Connect anew, as somebody else perhaps. */
  again() {
    this.#drop();
    this.connect();
  }

  /** End the connection and stay without one until connect(). */
  lock() {
    this.#drop();
    this.#after(null);
    this.attempt = 0;
    this.to.connection({ state: 'locked' });
  }

  /** The socket is ours no more. */
  #drop() {
    const { socket } = this;
    this.socket = null;
    this.open = false;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {WebSocket} socket @param {string | ArrayBuffer} data */
  #receive(socket, data) {
    if (socket !== this.socket) return;
    this.receivedAt = this.env.now();
    this.received += 1;
    let message;
    try {
      message = typeof data === 'string' ? decodeText(data) : decodeFrame(data);
    } catch (error) {
      this.to.error?.(error);
      return;
    }
    if (!message) return;
    if (message.type === 'hello') this.#opened();
    else if (!this.open && message.type === 'error' && message.code === 'unauthorized') {
      this.lock();
      return;
    }
    if (message.type === 'error' && message.code === 'shutting_down') {
      this.floorMs = Number(message.retry_after_ms) || 0;
    }
    this.to.message(message);
    if (message.type === 'hello') this.to.connection({ state: 'open' });
  }

  #opened() {
    this.open = true;
    this.attempt = 0;
    this.floorMs = 0;
    this.#listen();
  }

  /** While the connection is open: probe it after PING_MS of silence. */
  #listen() {
    this.#after(() => {
      this.#listen();
      if (this.env.now() - this.receivedAt >= PING_MS) this.probe();
    }, PING_MS / 2);
  }

  /** @param {WebSocket} socket */
  #lost(socket) {
    if (socket !== this.socket) return;
    this.#drop();
    const pause = Math.max(retryPause(this.attempt, this.env.random), this.floorMs);
    this.attempt += 1;
    this.floorMs = 0;
    this.to.connection({ state: 'waiting', retryAt: this.env.now() + pause,
      attempt: this.attempt });
    this.#after(() => this.connect(), pause);
  }

  /** Start the timer of the pauses, or stop it with null. @param {(() => void) | null} f
   * @param {number} [ms] */
  #after(f, ms = 0) {
    if (this.timer !== null) this.env.clearTimer(this.timer);
    this.timer = f && this.env.setTimer(() => {
      this.timer = null;
      f();
    }, ms);
  }
}
