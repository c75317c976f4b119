// notices - what everybody should know stands in one place, on every page, with what to do; and the
// form's forecast is never older than the queue.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';

const play = stage({ cap: 1 });
const { url } = play;
const kinds = (v) => v.page.locator('#standing > li').evaluateAll((all) =>
  all.map((one) => one.dataset.kind));
const shown = (v, ...wanted) => v.page.waitForFunction((wanted) => [...document
  .querySelectorAll('#standing > li')].map((one) => one.dataset.kind).join() === wanted,
wanted.join());

for (const [width, height, colorScheme] of [[1280, 800, 'light'], [360, 740, 'dark']]) {
  test(`they stack, cover nothing, and go when they are over: ${width} px`, async () => {
    const v = await visit(url(), { width, height, colorScheme });
    play.fake.notice('message', 'Tonight the card is somebody else\'s.');
    play.fake.notice('drain', 'The server stops in 10 min at the latest. ..',
      { at_ms: Date.now() + 600_000, in_ms: 600_000 });
    await shown(v, 'drain', 'message');
    await v.announced(/^The server stops in about 10 min at the latest\./);
    await v.announced(/^Tonight the card/);
    await v.axe('two notices');
    const over = await v.page.evaluate(() => {
      const [a, b] = ['#notices', '.go'].map((s) => document.querySelector(s)
        .getBoundingClientRect());
      return Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5
        && a.left < b.right && b.left < a.right;
    });
    assert.equal(over, false);
    await v.page.getByRole('button', { name: /^Got it: Tonight/ }).click();
    await shown(v, 'drain');
    play.fake.notice('drain', null);
    await shown(v);
    play.fake.notice('message', 'Another one.');
    await shown(v, 'message');
    await v.page.click('#language');
    await v.reads('#standing .todo', /^这是管理员的消息。$/);
    await v.leave();
  });
}

test('they stand on every page, and with the next connection; a lost one hides them', async () => {
  play.fake.notices = [{ kind: 'quota', text: 'q', count: 3, at_ms: Date.now() + 86_400_000 }];
  const v = await visit(`${url()}#/queue`);
  await v.reads('#standing', /Your 3 oldest pictures will be removed in about 2[34] h/);
  await v.axe('a notice on the queue');
  const { port } = play.fake;
  await play.fake.stop();
  await v.reads('#notice-text', /^The connection is gone/);
  await v.page.waitForFunction(() => document.querySelectorAll('#standing > li').length === 0);
  await play.fake.start(port);
  await shown(v, 'quota');
  await v.leave(BROKEN_CONNECTION);
});

test('the forecast follows the queue: nothing old is shown, a full queue is told', async () => {
  const v = await visit(url());
  await v.page.fill('#prompt', 'a red circle');
  await v.reads('#quote', /^Starts right away/);
  play.fake.newJob(undefined, { width: 256, height: 256, steps: 20, seed: 1, prompt: 'other' });
  play.fake.newJob(undefined, { width: 256, height: 256, steps: 20, seed: 1, prompt: 'another' });
  play.fake.queue();
  await v.reads('#quote', /^2 pictures are ahead\. Ready in about 3 s\.$/);
  // its answer is held back: what is shown is known to be old
  const { quote } = play.fake;
  let held = () => {};
  play.fake.quote = (c, m) => { held = () => quote.call(play.fake, c, m); };
  play.fake.run(2500);
  await v.page.waitForSelector('#quote[data-old]');
  await v.page.waitForFunction(() =>
    getComputedStyle(document.getElementById('quote')).opacity === '0');
  delete play.fake.quote;
  held();
  await v.page.waitForSelector('#quote:not([data-old])');
  await v.reads('#quote', /^Starts right away/);
  play.fake.quote = (c, m) =>
    play.fake.error(c, m, 'queue_full', 'm', 'h', { retry_after_ms: 9000 });
  await v.page.fill('#prompt', 'a red circle again');
  await v.reads('#quote', /^The queue is full\. Try again in about 9 s\.$/);
  delete play.fake.quote;
  await v.page.evaluate(() => { document.getElementById('several').open = true; });
  await v.page.fill('#several-n', '4');
  await v.reads('#quote', /^The first starts right away, all 4 are ready in about 4 s\.$/);
  assert.deepEqual(await kinds(v), []);
  await v.leave();
});
