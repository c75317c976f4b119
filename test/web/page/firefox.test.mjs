// firefox - the main way and the pages in Firefox: they work, and nothing is logged.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Fake } from '../fake.mjs';
import { launchFirefox } from '../firefox.mjs';

const WAIT = { timeout: 120_000 };
let browser;
let fake;
let page;
let complaints;

before(async () => { browser = await launchFirefox(); }, WAIT);
after(async () => { await browser?.close(); });
beforeEach(async () => {
  fake = await new Fake({ manual: true, pace: 1, cap: 1 }).start();
  fake.user = { name: 'ada', role: 'user', lanes: ['normal'], weight: 1, limits: {} };
  page = await browser.newPage();
  page.setDefaultTimeout(WAIT.timeout);
  complaints = [];
  page.on('console', (m) => ['error', 'warn'].includes(m.type()) && complaints.push(m.text()));
  page.on('pageerror', (e) => complaints.push(String(e)));
  await page.setViewport({ width: 1280, height: 900 });
});
afterEach(async () => {
  await page.close();
  await fake.stop().catch(() => {});
  assert.deepEqual(complaints, []);
});

const open = async (hash = '') => {
  await page.goto(`http://127.0.0.1:${fake.port}/${hash}`);
  await page.waitForSelector(':root[data-connection=open]');
};
const reads = (selector, words) => page.waitForFunction((selector, words) =>
  document.querySelector(selector)?.innerText.includes(words), WAIT, selector, words);
const press = (name) => page.locator(`::-p-aria(${name})`).click();
const type = async (id, words) => {
  await page.waitForSelector(`#${id}`);
  await page.$eval(`#${id}`, (e) => { e.value = ''; });
  await page.type(`#${id}`, words);
};

test('a picture is asked for, develops, and opens large', async () => {
  await open();
  await type('prompt', 'a red circle');
  await reads('#quote', 'Starts right away');
  await press('Generate');
  await page.waitForSelector('.card[data-state=running]');
  fake.run(400);
  await page.waitForSelector('.card img.shot, .card img.final');
  fake.run(2000);
  await page.waitForSelector('.card[data-state=done] img.final');
  await page.click('.open');
  await page.waitForSelector('#viewer[open]');
});

test('a sweep fills in', async () => {
  await open();
  await page.$eval('#several', (e) => { e.open = true; });
  await type('several-steps', '5, 10');
  await type('prompt', 'a red circle');
  await press('Generate');
  await page.waitForSelector('.sweep .cell[data-state=running]');
  fake.run(300);
  await page.waitForSelector('.sweep .cell img[src^=blob]');
  fake.run(4000);
  await page.waitForFunction(() =>
    document.querySelectorAll('.sweep .cell[data-state=done]').length === 2, WAIT);
});

test('the queue: time line, order, hold', async () => {
  fake.used = { ms: 40_000, all_ms: 60_000, window_ms: 600_000 };
  await open('#/queue');
  for (const prompt of ['one', 'two', 'three']) {
    fake.newJob(undefined, { width: 256, height: 256, steps: 20, seed: 1, prompt });
  }
  fake.queue();
  await page.waitForFunction(() => document.querySelectorAll('.queue-own').length === 3, WAIT);
  await reads('.queue-share', 'You have used 40 s of the last 10 min');
  assert.equal(await page.$$eval('.line-bar', (bars) => bars.length), 3);
  await press('Earlier: three');
  await page.waitForFunction(() => [...document.querySelectorAll('.queue-name')]
    .map((e) => e.innerText).join() === 'one,three,two', WAIT);
  await press('Hold: two');
  await reads('.queue-own[data-state=held]', 'On hold');
});

test('notices, and the dialog that shares', async () => {
  await open();
  fake.notice('message', 'Tonight the card rests.');
  await reads('#standing', 'Tonight the card rests.');
  await press('Got it: Tonight the card rests.');
  await type('prompt', 'a red circle');
  await press('Generate');
  await page.waitForSelector('.card[data-state=running]');
  await press('Share: a red circle');
  await page.waitForSelector('dialog.share[open]');
  await press('Make a link');
  await page.waitForSelector('.share-code path');
  assert.match(await page.$eval('#share-address', (e) => e.value), /#share=drs_/);
  await press('Take it back');
  await reads('.share-now', 'not shared any more');
});

/** A file that is picked, dropped or pasted: a PNG that the page draws, or these words. Firefox
 * makes no event with files for a script, so that a plain one carries them. */
const bring = (type, words = null) => page.evaluate(async ([type, words]) => {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 16, 16);
  const drawn = () => new Promise((done) => { canvas.toBlob(done, 'image/png'); });
  const files = [new File([words ?? await drawn()], 'mine.png', { type: 'image/png' })];
  const event = new Event(type, { bubbles: true, cancelable: true });
  const value = { files, types: ['Files'] };
  const input = document.querySelector('#sources input[type=file]');
  if (type === 'change') {
    Object.defineProperty(input, 'files', { value: files, configurable: true });
  } else Object.defineProperty(event, type === 'drop' ? 'dataTransfer' : 'clipboardData',
    { value });
  (type === 'change' ? input : document.getElementById('prompt')).dispatchEvent(event);
}, [type, words]);

test('sources: picked, dropped, pasted, and one that is refused', async () => {
  fake.reads = true;
  await open();
  const kept = (n, type) => page.waitForFunction((n) => {
    const all = [...document.querySelectorAll('.sources-list li')];
    return all.length === n && all.every((one) => !one.dataset.waits
      && one.querySelector('img').naturalWidth > 0);
  }, WAIT, n).catch(async () => assert.fail(`${n} sources after ${type}, but ${
    await page.$eval('#sources', (e) => e.outerHTML)}`));
  for (const [i, type] of ['change', 'drop', 'paste'].entries()) {
    await bring(type);
    await kept(i + 1, type);
  }
  await bring('change', 'no picture at all');
  await reads('#sources-error', 'mine.png cannot be used');
  await kept(3, 'the refusal');
  complaints = complaints.filter((words) => !/422/.test(words)); // Firefox tells of the answer
  await type('prompt', 'the same at night');
  await press('Generate');
  await page.waitForSelector('.card');
  assert.equal(fake.submits[0].spec.images.length, 3);
});

test('who has a share link watches, without anything to press', async () => {
  const job = fake.newJob(undefined, { width: 256, height: 256, steps: 20, guidance: 1.5, seed: 1,
    prompt: 'a red circle' });
  fake.command({ socket: {}, watching: new Map() }, { type: 'share', job: job.id });
  await page.goto(`http://127.0.0.1:${fake.port}/#share=${[...fake.shares.keys()][0]}`);
  await reads('.page-share', 'a red circle');
  fake.run(1000);
  await page.waitForSelector('.page-share img.shot');
  fake.run(2000);
  await page.waitForSelector('.page-share .card[data-state=done] img.final');
  assert.deepEqual(await page.$$eval('button, a, input, textarea', (all) =>
    all.filter((e) => e.checkVisibility()).map((e) => e.id)), ['skip', 'language', 'theme']);
});
