// queue - the page of the queue: the time line, one's own jobs in their order, and what can be done
// about them; also those that another tab or a program has asked for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage, visit } from './harness.mjs';

const play = stage({ cap: 1 });
const { url, until } = play;
const USER = { name: 'ada', role: 'user', lanes: ['urgent', 'normal'], weight: 1, limits: {} };
const names = (v) => v.page.locator('.queue-own .queue-name').allInnerTexts();
const row = (v, words) => v.page.locator('.queue-own', { hasText: words });
const press = (v, name, prompt) => v.page.getByRole('button', { name: `${name}: ${prompt}`,
  exact: true });
/** Wait until one's own stand in this order. */
const order = (v, ...wanted) => v.page.waitForFunction((wanted) => [...document
  .querySelectorAll('.queue-own .queue-name')].map((one) => one.innerText).join() === wanted,
wanted.join());
/** Jobs of a program that is not this page. */
const elsewhere = (...prompts) => {
  for (const prompt of prompts) {
    play.fake.newJob(undefined, { width: 256, height: 256, steps: 20, guidance: 1.5, seed: 1,
      prompt });
  }
  play.fake.queue();
};

test('one\'s own jobs are named wherever they came from, others\' are bars without a name',
    async () => {
  play.fake.user = USER;
  play.fake.used = { ms: 40_210, all_ms: 380_000, window_ms: 600_000 };
  play.fake.others = [{ state: 'queued', position: 3, start_ms: 9000, eta_ms: 15_000, width: 512,
    height: 512 }];
  const v = await visit(`${url()}#/queue`);
  await v.reads('.queue-empty', /^None of yours/);
  elsewhere('one', 'two', 'three');
  await order(v, 'one', 'two', 'three');
  await v.reads('.queue-share',
    /^You have used 40 s of the last 10 min; all together 6 min 20 s\./);
  assert.deepEqual(await v.page.locator('.line-bar').evaluateAll((bars) =>
    bars.map((bar) => [bar.dataset.own, bar.dataset.state, bar.innerText])),
  [['true', 'running', 'one'], ['true', 'queued', 'two'], ['true', 'queued', 'three'],
    ['false', 'queued', '']]);
  await v.reads('.queue-others', /^1 picture of others waits/);
  assert.match(await row(v, 'two').innerText(), /Next in line[^]*starts in[^]*Starts when/);
  assert.match(await row(v, 'three').innerText(), /2nd in line[^]*2 pictures are ahead/);
  await v.axe('the queue');
  play.fake.run(1200);
  await order(v, 'two', 'three');
  await v.page.click('#language');
  await v.reads('.page-queue .page-title', /^队列$/);
  await v.reads('.queue-share', /你用了 40 秒/);
  await v.reads('.queue-others', /其他人的 1 张在等待/);
  await v.axe('the queue in Chinese');
  await v.leave();
});

test('by keyboard: earlier, later, hold, release, finish early, cancel', async () => {
  const v = await visit(`${url()}#/queue`);
  elsewhere('one', 'two', 'three', 'four');
  await order(v, 'one', 'two', 'three', 'four');
  await press(v, 'Earlier', 'four').focus();
  await v.page.keyboard.press('Enter');
  await order(v, 'one', 'two', 'four', 'three');
  await v.announced(/^four is now number 2 of your 3 in this lane\.$/);
  assert.equal(await v.page.evaluate(() => document.activeElement.getAttribute('aria-label')),
    'Earlier: four');
  await v.page.keyboard.press('ArrowUp');
  await order(v, 'one', 'four', 'two', 'three');
  await v.page.keyboard.press('ArrowDown');
  await v.page.keyboard.press('ArrowDown');
  await order(v, 'one', 'two', 'three', 'four');
  await press(v, 'Hold', 'two').press('Enter');
  await order(v, 'one', 'three', 'four', 'two');
  await row(v, 'two').getByText('On hold').waitFor();
  await v.axe('one on hold');
  await press(v, 'Release', 'two').press('Enter');
  await order(v, 'one', 'two', 'three', 'four');
  await press(v, 'Cancel', 'three').press('Enter');
  await until(() => play.fake.jobs.some((job) => job.cancel));
  play.fake.run(50);
  await order(v, 'one', 'two', 'four');
  assert.equal(await press(v, 'Finish early', 'one').isVisible(), false);
  play.fake.run(400);
  await press(v, 'Finish early', 'one').press('Enter');
  await until(() => play.fake.jobs[0].finish);
  play.fake.run(200);
  await order(v, 'two', 'four');
  await v.leave();
});

test('by pointer: a row is dragged to another place', async () => {
  const v = await visit(`${url()}#/queue`);
  elsewhere('one', 'two', 'three', 'four');
  await order(v, 'one', 'two', 'three', 'four');
  const from = await row(v, 'four').locator('.queue-grip').boundingBox();
  const to = await row(v, 'two').boundingBox();
  await v.page.mouse.move(from.x + 5, from.y + 10);
  await v.page.mouse.down();
  await v.page.mouse.move(from.x + 5, to.y + 8, { steps: 5 });
  await v.page.locator('.queue-own.target', { hasText: 'two' }).waitFor();
  await v.page.mouse.move(from.x + 5, to.y - 10, { steps: 2 });
  await v.page.mouse.up();
  await order(v, 'one', 'four', 'two', 'three');
  assert.equal(await v.page.locator('.dragged, .target').count(), 0);
  await v.leave();
});

test('a sweep is one row, held and cancelled as one; lanes are told', async () => {
  const v = await visit(url());
  await v.page.evaluate(() => { document.getElementById('several').open = true; });
  await v.page.fill('#several-n', '3');
  elsewhere('before it');
  await v.ask('a red circle');
  await v.page.waitForFunction(() => document.querySelectorAll('.sweep .cell').length === 3);
  await v.page.getByRole('link', { name: 'Queue' }).click();
  await order(v, 'before it', 'a red circle');
  assert.match(await row(v, 'a red circle').innerText(), /3 pictures/);
  await press(v, 'Hold', 'a red circle').click();
  await row(v, 'a red circle').getByText('On hold').waitFor();
  await press(v, 'Release', 'a red circle').click();
  await row(v, 'a red circle').getByText('Next in line').waitFor();
  await v.leave();
});

test('at 360 px, in the dark, without a connection', async () => {
  const v = await visit(`${url()}#/queue`, { width: 360, height: 740, colorScheme: 'dark' });
  elsewhere('one', 'a lighthouse by the sea at night with a very long prompt that is cut', 'three');
  await order(v, 'one', 'a lighthouse by the sea at night with a very long prompt that is cut',
    'three');
  await v.axe('the queue at 360 px');
  play.fake.mute = true;
  play.fake.drop();
  await v.reads('.line-words', /Not known while the connection is gone/);
  play.fake.unmute();
  await order(v, 'one', 'a lighthouse by the sea at night with a very long prompt that is cut',
    'three');
  await v.leave(/WebSocket connection|status of 503/);
});
