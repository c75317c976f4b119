// fake - a small darkroom.v1 server that runs jobs at any speed, to test the page against.
//
//   node test/web/fake.mjs [--port 7861] [--pace 1] [--cap 2]
//
// It follows PROTOCOL.md as far as the page can tell. A word in the prompt chooses the outcome:
// "fail" fails while denoising, "timeout" times out, "refuse" is a bad prompt, "full" finds the
// queue full, "hold" never ends.

import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { paint, png } from './picture.mjs';

const PAGE = fileURLToPath(new URL('../../frontend/', import.meta.url));
export const CSP =
  "default-src 'none'; script-src 'self' 'sha256-5v2xFkAezZRFycPQL6tFyAQ1gm6jOY2Mk2SzGayQ7hc='; " +
  "style-src 'self'; img-src 'self' blob:; " +
  "connect-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.png': 'image/png',
  '.webmanifest': 'application/manifest+json' };
const PHASES = ['glyph', 'prior', 'denoise', 'decode'];
const WEIGHT = { glyph: 0.02, prior: 0.3, denoise: 0.64, decode: 0.04 };
const TICK_MS = 50;
const TOKEN = `drs_${'k7Qz'.repeat(12)}a`;

const FIELDS = [
  { name: 'prompt', type: 'string', unit: 'bytes', required: true, min: 1, max: 16384, doc: '' },
  { name: 'width', type: 'integer', unit: 'pixels', required: false, min: 64, max: 512, step: 32,
    default: 256, doc: '' },
  { name: 'height', type: 'integer', unit: 'pixels', required: false, min: 64, max: 512, step: 32,
    default: 256, doc: '' },
  { name: 'steps', type: 'integer', unit: '', required: false, min: 1, max: 200, default: 20,
    doc: '' },
  { name: 'guidance', type: 'number', unit: '', required: false, min: 0, max: 20, default: 1.5,
    doc: '' },
  { name: 'seed', type: 'integer', unit: '', required: false, min: -1, max: Number.MAX_SAFE_INTEGER,
    default: -1, doc: '' },
];
const EXAMPLES = ['a red circle on a blue background',
  'a boat with a red sail on the sea at sunset',
  'a house with a red roof and two trees on a green meadow', 'a lighthouse by the sea at night',
  'a wooden sign that says "HOME" in the desert', '夜晚的雪地里有一个雪人'];

/** The page's files, read once: a busy disk would hold up every reload. */
const files = new Map();

export class Fake {
  /** pace: pictures a second of the device, roughly, for one 256 x 256 picture of 20 steps. */
  constructor({ pace = 0.2, cap = 2, queueMax = 64, manual = false, page = PAGE } = {}) {
    Object.assign(this, { pace, cap, queueMax, manual, page });
    this.model = 'tiny';
    this.sizes = [[256, 256], [384, 256], [256, 384], [512, 512]];
    this.jobs = []; // kept over a restart, as on the real server
    this.sweeps = []; // their cells are among the jobs
    this.user = null; // of every connection; null: a service without users
    this.notices = [];
    this.used = { ms: 0, all_ms: 0, window_ms: 600_000 };
    this.others = []; // rows of the statistics that are somebody else's
    this.done = this.failed = this.cancelled = 0;
    this.count = 0;
    this.submits = []; // every submit message that came
    this.paused = this.mute = false;
    this.silent = [];
    this.reads = false; // a model that reads pictures
    this.images = new Map(); // bytes by digest
    this.shares = new Map(); // jobs by token
  }

  async start(port = 0) {
    this.bootId = randomBytes(8).toString('hex');
    this.connections = new Set();
    this.http = createServer((request, response) => this.serve(request, response));
    this.sockets = new WebSocketServer({ server: this.http, path: '/ws',
      handleProtocols: (set) => set.has('darkroom.v1') && 'darkroom.v1' });
    this.sockets.on('connection', (socket) => this.accept(socket));
    await new Promise((resolve) => this.http.listen(port, '127.0.0.1', resolve));
    this.port = this.http.address().port;
    this.timer = this.manual ? null : setInterval(() => this.tick(TICK_MS), TICK_MS);
    return this;
  }

  /** Stop as a crash does; start() goes on with the jobs. */
  async stop() {
    clearInterval(this.timer);
    for (const c of this.connections) c.socket.terminate();
    this.sockets.close();
    this.http.closeAllConnections?.();
    await new Promise((resolve) => this.http.close(resolve));
    for (const job of this.jobs) {
      if (job.state !== 'running') continue;
      Object.assign(job, { state: 'queued', phase: 0, at: 0 });
      for (const kind of ['phase', 'progress', 'preview']) delete job.board[kind];
    }
  }

  /** Break every connection, keep everything else. */
  drop() {
    for (const c of this.connections) c.socket.terminate();
  }

  async serve(request, response) {
    const path = new URL(request.url, 'http://x').pathname;
    const head = { 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache' };
    const whole = path.replace(/^\/t\/(\w+)\.jpg$/, '/i/$1.png'); // of a small one, the large one
    const job = this.jobs.find((j) => j.result?.url === whole);
    if (job) {
      response.writeHead(200, { ...head, 'Content-Type': 'image/png' });
      return response.end(job.png);
    }
    if (path === '/readyz') {
      response.writeHead(this.mute ? 503 : 200, { ...head, 'Content-Type': 'application/json' });
      return response.end(JSON.stringify({ ok: !this.mute, version: 'fake' }));
    }
    if (path.startsWith('/v1/images')) return this.image(request, response, path, head);
    if (path.startsWith('/v1/jobs')) return this.shared(request, response, path, head);
    const file = normalize(join(this.page, path === '/' ? 'index.html' : path));
    try {
      if (!file.startsWith(this.page)) throw new Error('outside');
      if (!files.has(file)) files.set(file, await readFile(file));
      const body = files.get(file);
      response.writeHead(200,
        { ...head, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
      response.end(body);
    } catch {
      response.writeHead(404, head).end();
    }
  }

  /** A source: sent to be kept, or asked for. */
  async image(request, response, path, head) {
    const json = (status, body) => response.writeHead(status,
      { ...head, 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    if (request.method !== 'POST') {
      const bytes = this.images.get(path.split('/').at(-1));
      return bytes ? response.writeHead(200, { ...head, 'Content-Type': 'image/png' }).end(bytes)
        : response.writeHead(404, head).end();
    }
    const parts = [];
    for await (const part of request) parts.push(part);
    const bytes = Buffer.concat(parts);
    if (bytes.subarray(1, 4).toString() !== 'PNG') {
      return json(422, { type: 'error', code: 'bad_image', message: 'It is no PNG.' });
    }
    const digest = createHash('sha256').update(bytes).digest('hex');
    this.images.set(digest, bytes);
    return json(200, { digest });
  }

  /** What who has a share link gets: the row of its job, and its events as a stream. */
  shared(request, response, path, head) {
    const job = this.find(this.shares.get(request.headers.authorization?.slice(7)));
    if (!job) return response.writeHead(401, head).end();
    if (path === '/v1/jobs') {
      return response.writeHead(200, { ...head, 'Content-Type': 'application/json' })
        .end(JSON.stringify({ jobs: [this.row(job)] }));
    }
    response.writeHead(200, { ...head, 'Content-Type': 'text/event-stream' });
    const write = (message) => response.write(`data: ${message}\n\n`);
    const send = (message) => write(!(message instanceof Buffer) ? message
      : JSON.stringify({ type: 'preview', job: job.id, seq: Number(message.readBigUInt64LE(16)),
        phase: PHASES[message[7]], mime: 'image/png',
        data: message.subarray(32).toString('base64') }));
    const c = { socket: { readyState: 1, send, terminate: () => response.destroy() },
      watching: new Map(), stats: false };
    this.connections.add(c);
    response.on('close', () => this.connections.delete(c));
    return this.watch(c, job, 0);
  }

  /** As a network that vanished: the present connections stay open, and nothing passes. */
  deafen() {
    for (const c of this.connections) c.deaf = true;
  }

  /** A server that loads its model accepts connections, but sends hello only when it is ready. */
  unmute() {
    this.mute = false;
    for (const socket of this.silent.splice(0)) this.accept(socket);
  }

  accept(socket) {
    if (this.mute) return void this.silent.push(socket);
    const c = { socket, watching: new Map(), stats: false };
    this.connections.add(c);
    socket.on('close', () => this.connections.delete(c));
    socket.on('error', () => {});
    socket.on('message', (data) => !c.deaf && this.command(c, JSON.parse(data)));
    this.send(c, { type: 'hello', protocol: 'darkroom.v1', version: 'fake', boot_id: this.bootId,
      time_ms: Date.now(),
      model: { name: this.model, device: 'cpu (2 threads, avx2, bf16)', dtype: 'bf16' },
      concurrency: { cap: this.cap, why: this.why(), devices: this.devices() },
      capabilities: ['text_to_image', ...(this.reads ? ['image_to_image'] : [])], phases: PHASES,
      fields: FIELDS, examples: EXAMPLES,
      sizes: this.sizes.map(([width, height]) => ({ width, height })),
      defaults: { width: 256, height: 256, steps: 20, guidance: 1.5, seed: -1 },
      limits: { message_bytes: 65536, aspect_max: 4, queue: this.queueMax },
      previews: { every_ms: 0, max_px: 256, format: 'jpeg' }, user: this.user,
      notices: this.notices });
  }

  /** Tell everybody; a text of null ends it. */
  notice(kind, text, more = {}) {
    this.notices = this.notices.filter((one) => one.kind !== kind);
    if (text !== null) this.notices.push({ kind, text, ...more });
    for (const c of this.connections) this.send(c, { type: 'notice', kind, text, ...more });
  }

  /** A job or a sweep. */
  find(id) {
    return this.jobs.find((j) => j.id === id) ?? this.sweeps.find((s) => s.id === id);
  }

  send(c, message) {
    if (c.socket.readyState === 1 && !c.deaf) {
      c.socket.send(message instanceof Buffer ? message : JSON.stringify(message));
    }
  }

  command(c, m) {
    const ok = (state) => this.send(c, { type: 'ok', ref: m.ref, re: m.type, job: m.job, state });
    const job = this.find(m.job);
    if (m.job && !job) {
      return this.send(c, { type: 'error', ref: m.ref, re: m.type, job: m.job, code: 'not_found',
        message: 'there is no such job',
        hint: 'Check the name; finished jobs are listed by `list`.' });
    }
    switch (m.type) {
      case 'submit': return this.submit(c, m);
      case 'watch': ok(job.state); return this.watch(c, job, m.seq ?? 0);
      case 'cancel': ok(job.state); return void (job.cells ?? [job])
        .forEach((one) => { one.cancel = true; });
      case 'hold': case 'release': return this.hold(job, m.type === 'hold', ok);
      case 'reorder': return this.reorder(job, m.before, ok);
      case 'finish': job.finish = true; return ok(job.state);
      case 'list': return this.list(c, m);
      case 'job': return this.send(c, { ...this.row(job), type: 'job', ref: m.ref });
      case 'share': job.shared = Date.now() + 1000 * (m.ttl_s ?? 604800);
        this.shares.set(TOKEN, job.id);
        return this.send(c, { type: 'ok', ref: m.ref, re: 'share', job: m.job,
          token: TOKEN, shared_until_ms: job.shared });
      case 'unshare': delete job.shared; this.shares.clear(); return ok(job.state);
      case 'stats': c.stats = m.on !== false; return this.send(c, { ...this.stats(), ref: m.ref });
      case 'list': return this.list(c, m);
      case 'ping': return this.send(c, { type: 'pong', ref: m.ref, time_ms: Date.now() });
      case 'quote': return this.quote(c, m);
      case 'set': return this.send(c, { type: 'ok', ref: m.ref, re: 'set',
        set: { concurrency: 0, queue: this.queueMax, job_seconds: 300 },
        concurrency: { cap: this.cap, why: this.why(), devices: this.devices() } });
      case 'users': return this.send(c, { type: 'users', ref: m.ref, users: [], more: 0,
        window_ms: 600000 });
      case 'log': return this.send(c, { type: 'log', ref: m.ref,
        lines: m.seq ? [] : [{ seq: 1, time_ms: Date.now(), level: 'info', text: 'It began.' }] });
      default: return ok();
    }
  }

  error(c, m, code, message, hint, more = {}) {
    this.send(c, { type: 'error', ref: m.ref, re: m.type, code, message, hint, ...more });
  }

  submit(c, m) {
    this.submits.push(m);
    if (this.swallow) return this.swallow(c, m);
    const old = m.key && this.jobs.find((j) => j.key === m.key);
    if (old) {
      this.send(c, { ...old.board.accepted, ref: m.ref });
      return this.watch(c, old, old.board.accepted.seq);
    }
    const { prompt } = m.spec;
    if (/refuse/.test(prompt)) {
      return this.error(c, m, 'bad_prompt',
        'the prompt contains "<|dit_token_0|>", which the model reads as part of a picture',
        'Remove that word and send the request again.', { field: 'prompt' });
    }
    if (/full/.test(prompt)) {
      return this.error(c, m, 'queue_full', '64 pictures wait already, and no more than 64 may',
        'The queue is full. Try again after retry_after_ms.', { retry_after_ms: 12000 });
    }
    const spec = { width: 256, height: 256, steps: 20, guidance: 1.5, ...m.spec };
    if (!(spec.seed >= 0)) spec.seed = Math.floor(Math.random() * 1e9);
    const job = m.n > 1 || m.sweep ? this.newSweep(m, spec) : this.newJob(m.key, spec);
    this.send(c, { ...job.board.accepted, ref: m.ref });
    this.watch(c, job, job.seq);
    this.queue();
  }

  newJob(key, spec, place = {}) {
    const job = { id: randomBytes(8).toString('hex'), key, spec, state: 'queued',
      created: Date.now(), seq: 0, board: {}, ...place,
      phase: 0, at: 0, cost: (spec.width * spec.height / 65536) * (0.4 + 0.6 * spec.steps / 20) };
    this.jobs.push(job);
    this.post(job, 'accepted', { key, created_ms: job.created, spec });
    return job;
  }

  newSweep(m, spec) {
    const axes = { ...m.sweep };
    if (m.n > 1 && !axes.seed) axes.seed = m.n;
    for (const [name, value] of Object.entries(axes)) {
      if (typeof value === 'number') {
        axes[name] = Array.from({ length: value }, (_, i) => spec.seed + i);
      }
    }
    let specs = [spec];
    for (const [name, values] of Object.entries(axes)) {
      specs = specs.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
    }
    const sweep = { id: randomBytes(8).toString('hex'), key: m.key, spec: specs[0], axes,
      state: 'queued', created: Date.now(), seq: 0, board: {} };
    sweep.cells = specs.map((one, cell) => this.newJob(undefined, one, { sweep, cell }));
    this.sweeps.push(sweep);
    this.post(sweep, 'accepted', { key: m.key, created_ms: sweep.created, spec: specs[0],
      sweep: axes, cells: sweep.cells.map((cell) => cell.id) });
    return sweep;
  }

  /** A cell is in another state. */
  cellMoved({ sweep, cell, state, result, error }) {
    if (!sweep) return;
    this.post(sweep, 'cell', { cell, state, ...(result ? { result } : {}),
      ...(error ? { error } : {}) }, `cell ${cell}`);
    const over = sweep.cells.filter((one) => ['done', 'failed', 'cancelled'].includes(one.state));
    if (over.length === sweep.cells.length) return this.sweepOver(sweep);
    sweep.state = 'running';
    delete sweep.board.queue;
    const overall = sweep.cells.reduce((sum, one) =>
      sum + (over.includes(one) ? 1 : this.overall(one)), 0) / sweep.cells.length;
    this.post(sweep, 'progress', { done: over.length, total: sweep.cells.length, overall,
      eta_ms: sweep.cells.reduce((sum, one) => sum + (over.includes(one) ? 0 : this.left(one)),
        0) });
  }

  sweepOver(sweep) {
    const has = (state) => sweep.cells.find((one) => one.state === state);
    sweep.state = ['failed', 'cancelled'].find(has) ?? 'done';
    for (const kind of Object.keys(sweep.board)) if (kind !== 'accepted') delete sweep.board[kind];
    this.post(sweep, 'end', { state: sweep.state,
      ...(sweep.state === 'failed' ? { error: has('failed').error } : {}),
      cells: sweep.cells.map((one) => ({ job: one.id, state: one.state, url: one.result?.url })) });
  }

  hold(job, held, ok) {
    for (const one of job.cells ?? [job]) {
      if (one.state !== 'queued') continue;
      one.held = held;
      delete one.board.queue;
      if (held) {
        this.post(one, 'queue', { position: 0, ahead: 0, start_ms: null, eta_ms: null,
          eta_range_ms: null, why: 'held' });
      }
    }
    job.held = held;
    ok(job.state);
    this.queue();
  }

  reorder(job, before, ok) {
    this.jobs.splice(this.jobs.indexOf(job), 1);
    const to = before ? this.jobs.findIndex((one) => one.id === before) : this.jobs.length;
    this.jobs.splice(to, 0, job);
    ok(job.state);
    this.queue();
  }

  row(job) {
    const { id, key, spec, state, created, held, shared, sweep } = job;
    const place = this.jobs.filter((j) => j.state === 'queued' && !j.held).indexOf(job) + 1;
    return { job: id, key, spec, state, created_ms: created,
      ...(state === 'queued' ? { position: held ? 0 : place, eta_ms: null } : {}),
      ...(shared ? { shared_until_ms: shared } : {}),
      ...(sweep ? { parent: sweep.id, cell: job.cell } : {}),
      ...(job.cells ? { counts: { cells: job.cells.length } } : {}),
      ...(state === 'done' && job.result ? { result: job.result } : {}) };
  }

  list(c, m) {
    if (m.results) return this.results(c, m);
    const all = [...this.sweeps, ...this.jobs].filter((j) => (!m.state || j.state === m.state)
      && (m.parent ? j.sweep?.id === m.parent : !j.sweep) && (!m.shared || j.shared));
    const rows = all.sort((a, b) => b.created - a.created).slice(0, m.limit ?? 50);
    this.send(c, { type: 'list', ref: m.ref, jobs: rows.map((job) => this.row(job)), more: false });
  }

  results(c, m) {
    const over = this.jobs.filter((job) => job.result && job.state === 'done').reverse();
    const from = m.skip ?? 0;
    this.send(c, { type: 'list', ref: m.ref, count: over.length, sizes: [], more: false,
      jobs: over.slice(from, from + (m.limit ?? 50)).map((job) => this.row(job)) });
  }

  quote(c, m) {
    if (/refuse/.test(m.spec.prompt)) return this.error(c, m, 'bad_prompt', 'no', 'no');
    const waiting = this.jobs.filter((j) => j.state === 'queued').length;
    const busy = this.jobs.filter((j) => j.state === 'running').length >= this.cap;
    const position = busy ? waiting + 1 : 0;
    const start_ms = this.start_ms(position);
    const cells = Object.values(m.sweep ?? {}).reduce((all, values) =>
      all * (typeof values === 'number' ? values : values.length), m.n ?? 1);
    const run_ms = 1000 * cells / this.pace;
    this.send(c, { type: 'quote', ref: m.ref, spec: m.spec, position, start_ms,
      eta_ms: Math.round(start_ms + run_ms), eta_range_ms: [0, 0], run_ms, bytes: 1,
      tokens: (m.spec.prompt ?? '').split(/\s+/).length,
      lettering: [...(m.spec.prompt ?? '').matchAll(/"([^"]+)"/g)].map((found) => found[1]),
      ...(cells > 1 ? { cells } : {}) });
  }

  post(job, kind, members, slot = kind) {
    job.seq += 1;
    const message = { type: kind, job: job.id, seq: job.seq, ...members };
    job.board[slot] = message;
    for (const c of this.connections) this.flush(c, job);
  }

  watch(c, job, seq) {
    c.watching.set(job.id, seq);
    this.flush(c, job);
  }

  flush(c, job) {
    const seen = c.watching.get(job.id);
    if (seen === undefined) return;
    const news = Object.values(job.board).filter((m) => m.seq > seen).sort((a, b) => a.seq - b.seq);
    for (const m of news) this.send(c, m.type === 'preview' ? m.frame : m);
    if (news.length) c.watching.set(job.id, news.at(-1).seq);
    if (job.board.end && c.watching.get(job.id) >= job.board.end.seq) c.watching.delete(job.id);
  }

  left(job) {
    const total = 1000 * job.cost / this.pace;
    return Math.round(total * (1 - this.overall(job)));
  }

  overall(job) {
    return PHASES.slice(0, job.phase).reduce((sum, p) => sum + WEIGHT[p], 0) +
      WEIGHT[PHASES[job.phase] ?? 'decode'] * Math.min(1, job.at);
  }

  start_ms(position) {
    return Math.max(0, Math.round(position * 1000 / this.pace / this.cap));
  }

  queue() {
    const running = this.jobs.filter((j) => j.state === 'running');
    const waiting = this.jobs.filter((j) => j.state === 'queued' && !j.held);
    while (running.length < this.cap && waiting.length && !this.paused) {
      this.begin(waiting[0], running, waiting);
    }
    waiting.forEach((job, i) => {
      const start = this.start_ms(i + 1);
      const eta = start + this.left(job);
      const old = job.board.queue;
      if (old && old.position === i + 1) return;
      this.post(job, 'queue', { position: i + 1, ahead: i + running.length, start_ms: start,
        eta_ms: eta, eta_range_ms: [Math.round(eta * 0.85), Math.round(eta * 1.2)],
        why: i ? 'turn' : 'slots' });
    });
    for (const sweep of this.sweeps) this.queueSweep(sweep);
    this.pushStats();
  }

  queueSweep(sweep) {
    const first = sweep.state === 'queued' && sweep.cells.find((one) => one.board.queue);
    if (!first || sweep.board.queue?.position === first.board.queue.position) return;
    const { position, ahead, start_ms, eta_ms, eta_range_ms, why } = first.board.queue;
    this.post(sweep, 'queue', { position, ahead, start_ms, eta_ms, eta_range_ms, why });
  }

  begin(job, running, waiting) {
    job.state = 'running';
    delete job.board.queue;
    running.push(waiting.shift());
    this.post(job, 'phase', { phase: 'glyph', total: 1 });
    this.cellMoved(job);
  }

  /** Advance the time by ms, tick by tick, without waiting. */
  run(ms) {
    for (let t = 0; t < ms; t += TICK_MS) this.tick(TICK_MS);
  }

  /** Advance every running job by ms. */
  tick(ms) {
    for (const job of this.jobs) {
      if (job.cancel && ['queued', 'running'].includes(job.state)) this.end(job, 'cancelled');
    }
    const running = this.jobs.filter((j) => j.state === 'running');
    for (const job of running) this.advance(job, ms);
    this.queue();
  }

  totals(job) {
    return { glyph: 1, prior: 320, denoise: job.spec.steps, decode: 4 }[PHASES[job.phase]];
  }

  advance(job, ms) {
    const phase = PHASES[job.phase];
    const before = Math.floor(job.at * this.totals(job));
    job.at += ms * this.pace / job.cost / WEIGHT[phase] / 1000;
    if (/hold/.test(job.spec.prompt) && job.phase === 2) job.at = Math.min(job.at, 0.55);
    if (/fail|timeout/.test(job.spec.prompt) && job.phase === 2 && job.at > 0.4) {
      return this.end(job, 'failed', ERRORS[/fail/.test(job.spec.prompt) ? 'device' : 'timeout']);
    }
    const total = this.totals(job);
    const done = Math.min(total, Math.floor(job.at * total));
    if (done !== before) {
      const overall = Math.round(this.overall(job) * 1e4) / 1e4;
      this.post(job, 'progress', { phase, done, total, overall, eta_ms: this.left(job) });
      if (phase === 'denoise' || (phase === 'prior' && done % 5 === 0)) this.preview(job);
    }
    if (job.finish && phase === 'denoise' && done > 0) job.at = 1;
    if (job.at < 1) return;
    job.at = 0;
    job.phase += 1;
    if (job.phase === PHASES.length) return this.finish(job);
    this.post(job, 'phase', { phase: PHASES[job.phase], total: this.totals(job) });
  }

  preview(job) {
    const scale = (this.manual ? 64 : 128) / Math.max(job.spec.width, job.spec.height);
    const [width, height] = [Math.round(job.spec.width * scale),
      Math.round(job.spec.height * scale)];
    const image = png(paint(job.spec.seed, width, height, this.overall(job) * 0.95), width, height);
    job.seq += 1;
    const head = Buffer.alloc(32);
    head.write('DRKM', 0, 'latin1');
    head.set([1, 1, 2, job.phase], 4);
    head.writeBigUInt64LE(BigInt(`0x${job.id}`), 8);
    head.writeBigUInt64LE(BigInt(job.seq), 16);
    head.writeUInt16LE(width, 24);
    head.writeUInt16LE(height, 26);
    head.writeUInt32LE(image.length, 28);
    job.board.preview = { type: 'preview', seq: job.seq, frame: Buffer.concat([head, image]) };
    for (const c of this.connections) this.flush(c, job);
  }

  finish(job) {
    const { width, height, seed } = job.spec;
    job.png = png(paint(seed, width, height, 1), width, height);
    const digest = createHash('sha256').update(job.png).digest('hex');
    job.result = { url: `/i/${digest}.png`, digest, mime: 'image/png', width, height, seed,
      seconds: 1.23 * job.cost, bytes: job.png.length };
    this.clearBoard(job);
    this.post(job, 'result', job.result);
    this.end(job, 'done');
  }

  clearBoard(job) {
    for (const kind of ['queue', 'phase', 'progress', 'preview']) delete job.board[kind];
  }

  end(job, state, error) {
    job.state = state;
    this[state] += 1;
    this.clearBoard(job);
    job.error = error;
    this.post(job, 'end', { state, ...(error ? { error } : {}) });
    this.cellMoved(job);
  }

  why() {
    return `${this.cap} pictures of 256x256 fit in 1.2 GB of memory.`;
  }

  devices() {
    return [{ why: 'memory', cap: this.cap, fits: this.cap, width: 256, height: 256,
      picture_bytes: Math.floor(1.2e9 / this.cap), bytes: 1.2e9 }];
  }

  stats() {
    const row = (j) => ({ job: j.id, state: j.state, width: j.spec.width, height: j.spec.height,
      ...(j.sweep ? { parent: j.sweep.id, cell: j.cell } : {}),
      ...(j.state === 'queued' ? { why: j.board.queue?.why ?? 'turn' } : {}),
      ...(j.spec.lane ? { lane: j.spec.lane } : {}) });
    const running = this.jobs.filter((j) => j.state === 'running');
    const queued = this.jobs.filter((j) => j.state === 'queued' && !j.held);
    return { type: 'stats', running: running.length, queued: queued.length, done: this.done,
      failed: this.failed, cancelled: this.cancelled,
      cap: this.cap, why_cap: this.why(), ...(this.disk ? { disk: this.disk } : {}),
      devices: this.devices(),
      rates: { tokens_per_s: null, steps_per_s: null, pictures_per_min: 4 },
      held: this.jobs.filter((j) => j.held).length, used: this.used,
      jobs: [...running.map((j) =>
        ({ ...row(j), phase: PHASES[j.phase], overall: this.overall(j), eta_ms: this.left(j) })),
        ...queued.map((j, i) =>
          ({ ...row(j), position: i + 1, start_ms: this.start_ms(i + 1),
            eta_ms: this.start_ms(i + 1) + this.left(j) })), ...this.others],
      more: 0 };
  }

  pushStats() {
    const at = Date.now();
    if (!this.manual && at - (this.pushedAt ?? 0) < 250) return;
    this.pushedAt = at;
    for (const c of this.connections) if (c.stats) this.send(c, this.stats());
  }
}

const ERRORS = {
  device: { code: 'device', message: 'the device reported an error while denoising',
    hint: 'Submit it again; if it keeps failing, ask whoever runs this server.' },
  timeout: { code: 'timeout', message: 'it ran for more than 300 s',
    hint: 'Ask for fewer steps or a smaller picture, or raise --job-seconds.' },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, value) => {
    const at = process.argv.indexOf(`--${name}`);
    return at >= 0 ? Number(process.argv[at + 1]) || value : value;
  };
  const fake = await new Fake({ pace: option('pace', 0.2), cap: option('cap', 2) })
    .start(option('port', 7861));
  console.log(`http://127.0.0.1:${fake.port}/`);
}
