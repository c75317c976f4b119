// measure - what the page takes while it works: its thread's time with twenty pictures that
// develop, and what 500 pictures leave in one tab. Numbers, not tests.
//
//   node test/web/measure.mjs [--rounds 3] [--other FRONTEND] [--frames | --memory]
//
// Times are those of the processor, so that a busy machine changes them little; `other`, the page's
// files of another version, is measured in turn with this one.

import { launch } from './browser.mjs';
import { Fake } from './fake.mjs';

const SECONDS = 3;
const option = (name, value) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? value : process.argv[at + 1];
};
const only = ['frames', 'memory'].find((name) => process.argv.includes(`--${name}`));
const other = option('other', null);

const browser = await launch();

/** A page of this version in a tab of its own, and a server. */
async function open(folder, options) {
  const fake = await new Fake({ manual: true, pace: 1, cap: 20, ...options,
    ...(folder ? { page: folder } : {}) }).start();
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  const cdp = await context.newCDPSession(page);
  await page.goto(`http://127.0.0.1:${fake.port}/`);
  await page.waitForSelector(':root[data-connection=open]');
  const close = async () => {
    await context.close();
    await fake.stop();
  };
  return { fake, page, cdp, close };
}

const ask = (page, prompts) => page.evaluate((prompts) => {
  const field = document.getElementById('prompt');
  for (const prompt of prompts) {
    field.value = prompt;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    document.getElementById('generate').click();
  }
}, prompts);
const cards = (page, n, state = '') => page.waitForFunction(([n, state]) => document
  .querySelectorAll(`.card${state && `[data-state=${state}]`}`).length === n, [n, state]);

/** Frames in a second. Runs in the page. */
const frames = (seconds) => new Promise((done) => {
  let [n, from] = [0, 0];
  const frame = (at) => {
    from ||= at;
    n += 1;
    if (at - from >= 1000 * seconds) done((n - 1) * 1000 / (at - from));
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
});

/** Every job goes on: progress twenty times a second, ten previews a second. */
function busy(fake) {
  const shots = new Map(); // painted once, because painting takes this process' time
  let n = 0;
  return setInterval(() => {
    n += 1;
    for (const job of fake.jobs.filter(({ state }) => state === 'running')) {
      const overall = 0.3 + (n % 1000) / 2000;
      fake.post(job, 'progress', { phase: 'denoise', done: n % 1000, total: 1000, overall,
        eta_ms: 60_000 - n * 50 });
      if (n % 2) continue;
      const kind = `${job.id} ${n / 2 % 6}`;
      if (!shots.has(kind)) {
        job.at = 0.1 + 0.12 * (n / 2 % 6);
        fake.preview(job);
        shots.set(kind, job.board.preview.frame);
      }
      const frame = Buffer.from(shots.get(kind));
      job.seq += 1;
      frame.writeBigUInt64LE(BigInt(job.seq), 16);
      job.board.preview = { type: 'preview', seq: job.seq, frame };
      for (const c of fake.connections) fake.flush(c, job);
    }
    if (n % 5 === 0) fake.pushStats();
  }, 50);
}

const COSTS = { TaskDuration: 'all', ScriptDuration: 'scripts', RecalcStyleDuration: 'styles',
  LayoutDuration: 'layout' };

/** Milliseconds of the page's thread per second. */
async function measureFrames(folder) {
  const { fake, page, cdp, close } = await open(folder);
  await ask(page, Array.from({ length: 20 }, (_, i) => `hold picture ${i}`));
  await cards(page, 20);
  fake.run(800);
  await cards(page, 20, 'running');
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const taken = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics
    .map(({ name, value }) => [name, value]));
  const timer = busy(fake);
  await page.evaluate(frames, 1);
  const before = await taken();
  const rate = await page.evaluate(frames, SECONDS);
  const after = await taken();
  clearInterval(timer);
  const seconds = after.Timestamp - before.Timestamp;
  const costs = Object.fromEntries(Object.entries(COSTS)
    .map(([name, word]) => [word, 1000 * (after[name] - before[name]) / seconds]));
  await close();
  return { ...costs, rate };
}

async function framesOfAll() {
  const folders = other ? [other, null] : [null];
  const found = folders.map(() => []);
  for (let round = 0; round < Number(option('rounds', 3)); round++) {
    for (const [i, folder] of folders.entries()) found[i].push(await measureFrames(folder));
  }
  for (const [i, folder] of folders.entries()) {
    const middle = (what) => found[i].map((one) => one[what]).sort((a, b) => a - b)[
      Math.floor(found[i].length / 2)];
    const costs = Object.values(COSTS).map((word) => `${word} ${middle(word).toFixed(0)}`);
    const name = folder ? 'the other' : 'this';
    console.log(`${name} page, 20 live pictures: ${costs.join(', ')} ms of `
      + `its thread per second, ${middle('rate').toFixed(0)} frames a second`);
  }
}

async function measureMemory() {
  const { fake, page, cdp, close } = await open(null);
  await cdp.send('HeapProfiler.enable');
  const used = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { usedSize } = await cdp.send('Runtime.getHeapUsage');
    const { nodes, jsEventListeners } = await cdp.send('Memory.getDOMCounters');
    return `${(usedSize / 1e6).toFixed(1)} MB, ${nodes} nodes, ${jsEventListeners} listeners`;
  };
  for (let i = 0; i <= 500; i += 20) {
    await page.evaluate(() => document.getElementById('clear').click());
    await cards(page, 0);
    if (i % 100 === 0) console.log(`after ${i} pictures: ${await used()}`);
    await ask(page, Array.from({ length: 20 }, (_, k) => `picture ${i + k}`));
    await cards(page, 20);
    fake.run(4000);
    await cards(page, 20, 'done');
  }
  await close();
}

if (only !== 'memory') await framesOfAll();
if (only !== 'frames') await measureMemory();
await browser.close();
