// measure - what the page takes while it works: frames with twenty pictures that develop, memory
// over 500 pictures in one tab. Numbers, not tests: for a machine that has nothing else to do.
//
//   node test/web/measure.mjs

import { launch } from './browser.mjs';
import { Fake } from './fake.mjs';

const browser = await launch();
const fake = await new Fake({ manual: true, pace: 1, cap: 20 }).start();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(300_000);
const cdp = await page.context().newCDPSession(page);
await page.goto(`http://127.0.0.1:${fake.port}/`);
await page.waitForSelector(':root[data-connection=open]');

const ask = (prompts) => page.evaluate((prompts) => {
  const field = document.getElementById('prompt');
  for (const prompt of prompts) {
    field.value = prompt;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    document.getElementById('generate').click();
  }
}, prompts);
const cards = (n, state = '') => page.waitForFunction(([n, state]) => document
  .querySelectorAll(`.card${state && `[data-state=${state}]`}`).length === n, [n, state]);

/** Frames in a second, for two seconds. Runs in the page. */
const frames = () => new Promise((done) => {
  let [n, from] = [0, 0];
  const frame = (at) => {
    from ||= at;
    n += 1;
    if (at - from >= 2000) done((n - 1) * 1000 / (at - from));
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
});

async function measureFrames() {
  await ask(Array.from({ length: 20 }, (_, i) => `hold picture ${i}`));
  await cards(20);
  const idle = await page.evaluate(frames);
  await cdp.send('Performance.enable');
  const tasks = async () => (await cdp.send('Performance.getMetrics')).metrics
    .find(({ name }) => name === 'TaskDuration').value;
  const [before, from] = [await tasks(), Date.now()];
  const timer = setInterval(() => fake.tick(50), 50);
  const busy = await page.evaluate(frames);
  const share = (await tasks() - before) / ((Date.now() - from) / 1000);
  clearInterval(timer);
  console.log(`20 live pictures: ${busy.toFixed(0)} frames a second, ${idle.toFixed(0)} when they `
    + `stand still; the page's thread works ${Math.round(share * 100)} % of the time`);
  for (const job of fake.jobs) job.cancel = true;
  fake.tick(50);
  await cards(20, 'cancelled');
}

async function measureMemory() {
  const used = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    return (await page.evaluate(() => performance.memory.usedJSHeapSize)) / 1e6;
  };
  await cdp.send('HeapProfiler.enable');
  for (let i = 0; i <= 500; i += 20) {
    await page.evaluate(() => document.getElementById('clear').click());
    await cards(0);
    if (i % 100 === 0) console.log(`heap after ${i} pictures: ${(await used()).toFixed(1)} MB`);
    await ask(Array.from({ length: 20 }, (_, k) => `picture ${i + k}`));
    await cards(20);
    fake.run(4000);
    await cards(20, 'done');
  }
}

await measureFrames();
await measureMemory();
await browser.close();
await fake.stop();
