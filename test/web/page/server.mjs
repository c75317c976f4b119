// server - the real program on a free port, with a temporary data folder.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BINARY = process.env.BINARY ?? join(ROOT, 'build/darkroom');
const FITTED = process.env.TEST_FITTED; // by test/run
const START_MS_MAX = 180_000; // the first start learns the previews, and the machine may be busy

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** The preview colours that some server of the tests has fitted, from folder to folder. */
async function copyFitted(from, to) {
  for (const name of await readdir(from)) {
    if (!/^preview-[0-9a-f]{32}$/.test(name)) continue;
    const aside = join(to, `aside-${randomUUID()}`);
    await copyFile(join(from, name), aside);
    await rename(aside, join(to, name)); // others may read it
  }
}

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-web-'));
  if (FITTED) await copyFitted(FITTED, folder);
  return folder;
}

export class Server {
  constructor(...options) {
    this.options = options;
    this.log = '';
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Start, or start again after kill(): on the same port, with the same data. */
  async start() {
    this.port ??= await freePort();
    this.data ??= await newFolder();
    this.child = spawn(BINARY,
      ['serve', '--model', join(ROOT, 'weights/tiny'), '--data', this.data, '--port',
      String(this.port), ...this.options],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (text) => { this.log += text; });
    this.child.stderr.on('data', (text) => { this.log += text; });
    this.child.on('error', (error) => { this.log += error; });
    const from = Date.now();
    while (Date.now() - from < START_MS_MAX) {
      if (!this.child.pid || this.child.exitCode !== null) break;
      const well = await fetch(`${this.url}readyz`).then((r) => r.ok, () => false);
      if (well) return this;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`${BINARY} does not serve:\n${this.log}`);
  }

  /** Send the signal and wait until the process has ended. */
  async kill(signal = 'SIGKILL') {
    if (!this.child?.pid || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  }

  /** `darkroom user ..` with this server's folder: a token. */
  user(...args) {
    const about = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync(BINARY, ['user', ...args, '--data', this.data], about).trim();
  }

  async remove() {
    await this.kill();
    if (this.data && FITTED) await copyFitted(this.data, FITTED);
    if (this.data) await rm(this.data, { recursive: true, force: true });
  }
}
