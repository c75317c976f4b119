// pages_firefox - every listed page in Firefox, and a picture that is there after a reload.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { PAGES } from '../../../frontend/pages.js';
import { Fake } from '../fake.mjs';
import { launchFirefox } from '../firefox.mjs';

const WAIT = { timeout: 120_000 };
let browser;
let fake;
before(async () => { browser = await launchFirefox(); });
after(() => browser?.close());
beforeEach(async () => { fake = await new Fake({ manual: true, pace: 1 }).start(); });
afterEach(() => fake.stop());

/** A page that collects its messages. */
async function visit(hash = '') {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (m) => ['error', 'warn', 'warning'].includes(m.type())
    && complaints.push(m.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${fake.port}/${hash}`);
  await page.waitForSelector(':root[data-connection=open]', WAIT);
  return { page, leave: async () => {
    await page.close();
    assert.deepEqual(complaints, []);
  } };
}

const ask = (page, prompt) => page.evaluate((prompt) => {
  const field = document.getElementById('prompt');
  field.value = prompt;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  document.getElementById('generate').click();
}, prompt);
const card = (page, state) => page.waitForSelector(`.card[data-state=${state}]`, WAIT);

test('a picture is asked for, develops, and is there, also after a reload', async () => {
  const { page, leave } = await visit();
  await ask(page, 'a sign that says "HOME"');
  while (!fake.jobs.length) await new Promise((done) => setTimeout(done, 20));
  fake.run(1000);
  await card(page, 'running');
  await page.waitForFunction(() => document.querySelector('.card img.shot'), WAIT);
  fake.run(4000);
  await card(page, 'done');
  await page.waitForFunction(() => document.querySelector('.card img.final')?.naturalWidth === 256,
    WAIT);
  await page.reload();
  await card(page, 'done');
  await leave();
});

test('the prompt is read by the server, and both languages and themes are there', async () => {
  const { page, leave } = await visit();
  await page.type('#prompt', 'a sign that says "HOME"');
  await page.waitForFunction(() => document.querySelector('.letter')?.textContent === 'HOME', WAIT);
  await page.click('#language');
  await page.waitForFunction(() => document.documentElement.lang === 'zh-Hans'
    && /生成/.test(document.getElementById('generate').textContent), WAIT);
  await page.click('#theme');
  await leave();
});

for (const name of Object.keys(PAGES).filter((one) => PAGES[one].listed !== false)) {
  test(`the page ${name}`, async () => {
    const { page, leave } = await visit(`#/${name}`);
    await page.waitForFunction((name) => document.querySelector(`.page-${name}`)
      ?.childElementCount > 0 && !document.querySelector('.page-failed'), WAIT, name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `scrolls sideways by ${wide} px`);
    await leave();
  });
}
