// budget - what the page takes: bytes of script, time to the first paint; and that it works where
// storage is full or refused and where the clock is wrong. Frames, and memory over 500 pictures:
// ../measure.mjs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { stage, visit } from './harness.mjs';
import { Server } from './server.mjs';

const SCRIPT_KB = 150; // that the room loads, as it is sent
const PAINT_MS = 1000;
const server = new Server();
before(() => server.start());
after(() => server.remove());
const play = stage();
const { url, arrived } = play;

test('at most 150 KB of script, one language, and the first paint within a second', async () => {
  const v = await visit(server.url);
  const loads = async () => v.page.evaluate(() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    const scripts = performance.getEntriesByType('resource')
      .filter(({ name }) => /\.js($|\?)/.test(name));
    return { paint: paint?.startTime ?? -1,
      sent: scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      whole: scripts.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
      names: scripts.map(({ name }) => new URL(name).pathname) };
  });
  await v.page.waitForFunction(() =>
    performance.getEntriesByName('first-contentful-paint').length > 0);
  const paints = [];
  let found = await loads();
  for (let i = 0; i < 5; i++) {
    await v.page.reload();
    await v.page.waitForFunction(() =>
      performance.getEntriesByName('first-contentful-paint').length > 0);
    await v.page.waitForSelector(':root[data-connection=open]');
    found = await loads();
    paints.push(found.paint);
  }
  paints.sort((a, b) => a - b);
  console.log(`# ${found.names.length} scripts, ${Math.round(found.sent / 1000)} KB as sent, `
    + `${Math.round(found.whole / 1000)} KB in all; first paint ${Math.round(paints[0])} ms`);
  assert.ok(found.sent > 10_000 && found.sent <= SCRIPT_KB * 1000, `${found.sent} bytes`);
  assert.ok(found.sent < found.whole / 2, 'they are compressed');
  assert.ok(found.names.every((name) => !name.includes('/pages/')), 'pages come when opened');
  assert.deepEqual(found.names.filter((name) => /i18n\/(en|zh)/.test(name)), ['/i18n/en.js']);
  // the best of five: a busy machine makes each of them slower
  assert.ok(paints[0] > 0 && paints[0] <= PAINT_MS, `${paints}`);
  await v.leave();
});

describe('where the browser or the machine is not as usual', () => {
  /** Storage that throws for each call of `which`. */
  const refuse = (which) => {
    const no = () => { throw new DOMException('no', 'QuotaExceededError'); };
    if (which === 'all') Object.defineProperty(window, 'localStorage', { get: no });
    else Storage.prototype.setItem = no;
  };
  const worn = async (script, ...args) => {
    const v = await visit(url());
    const handle = await v.context.addInitScript(script, ...args);
    await v.page.reload();
    await v.page.waitForSelector(':root[data-connection=open]');
    return { v, handle };
  };

  for (const which of ['all', 'setItem']) {
    test(`storage: ${which} is refused, as in a private window or when it is full`, async () => {
      const { v, handle } = await worn(refuse, which);
      await v.ask('a lighthouse');
      await arrived(1);
      play.fake.run(3000);
      await v.state('a lighthouse', 'done');
      if (which === 'setItem') await v.reads('#unsaved', /no room to store 1 picture/);
      await v.page.click('#language');
      await v.page.click('#theme');
      await v.page.click('#language');
      await handle?.dispose?.();
      await v.tab.context.close();
    });
  }

  test('a clock that is a day off changes no time that is shown', async () => {
    const { v } = await worn(() => {
      const { now } = Date;
      Date.now = () => now.call(Date) - 86_400_000;
    });
    await v.page.fill('#prompt', 'a lighthouse');
    await v.reads('#quote', /ready in about \d+ s|ready in a moment/i);
    await v.ask('hold a lighthouse');
    await arrived(1);
    play.fake.run(1500);
    await v.reads('.when', /about \d+ s left|a moment|any moment|longer/);
    await v.tab.context.close();
  });
});
