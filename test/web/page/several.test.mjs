// several - many pictures of one request: asked for in the form, shown in a table that fills in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage, visit } from './harness.mjs';

const play = stage();
const { url, until } = play;
const fillIn = async (v, values) => {
  await v.page.evaluate(() => { document.getElementById('several').open = true; });
  for (const [id, value] of Object.entries(values)) await v.page.fill(`#several-${id}`, value);
};

test('a sweep fills in live; its winner comes back into the form', async () => {
  const v = await visit(url());
  await fillIn(v, { steps: '5, 10', guidance: '1..2/0.5' });
  await v.reads('#several-now', /^6 pictures$/);
  await v.page.fill('#prompt', 'a red circle');
  await v.axe('the form for several');
  await v.page.press('#prompt', 'Control+Enter');
  await until(() => play.fake.submits.length === 1);
  const [{ sweep, spec, n }] = play.fake.submits;
  assert.deepEqual([sweep, spec.prompt, n],
    [{ steps: [5, 10], guidance: [1, 1.5, 2] }, 'a red circle', undefined]);
  await v.page.waitForFunction(() => document.querySelectorAll('.sweep .cell').length === 6);
  assert.deepEqual(await v.page.locator('.sweep th').allInnerTexts(),
    ['guidance 1', 'guidance 1.5', 'guidance 2', '5 steps', '10 steps']);
  await v.page.locator('.cell[data-state=running]').nth(1).waitFor();
  play.fake.run(400);
  await v.page.locator('.cell[data-state=running] img[src^=blob]').first().waitFor();
  await v.axe('a sweep that is drawn');
  play.fake.run(8000);
  await v.state('a red circle', 'done');
  await v.reads('.sweep .step-count', /^6 of 6 ready$/);
  await v.axe('a sweep that is done');
  const blobs = await v.page.waitForFunction(() => window.seen.blobs.size === 0);
  assert.ok(blobs);
  await v.page.getByRole('button', { name: 'Open large: 10 steps, guidance 1.5' }).click();
  await v.reads('#viewer .count, #viewer dl', /./);
  assert.equal(await v.page.getByRole('button', { name: 'Begin with it' }).count(), 0,
    'no trace of it where no picture can begin with another');
  await v.page.keyboard.press('ArrowRight');
  await v.page.keyboard.press('ArrowLeft');
  await v.page.locator('#viewer').getByRole('button', { name: 'Use these settings again' }).click();
  assert.equal(await v.page.inputValue('#steps'), '10');
  assert.equal(await v.page.inputValue('#guidance'), '1.5');
  assert.equal(await v.page.inputValue('#several-steps'), '');
  assert.equal(await v.page.inputValue('#seed'), String(play.fake.sweeps[0].spec.seed));
  await v.leave();
});

test('a sweep survives a reload, and is cancelled as one', async () => {
  const v = await visit(url());
  await fillIn(v, { n: '3', prompt: 'a blue square' });
  await v.ask('a red circle');
  await v.page.waitForFunction(() => document.querySelectorAll('.sweep .cell').length === 6);
  await v.reads('.sweep .prompt-line', /^2 prompts$/);
  assert.deepEqual((await v.page.locator('.sweep th').allInnerTexts()).slice(-2),
    ['a red circle', 'a blue square']);
  play.fake.run(1500);
  await v.page.locator('.cell[data-state=done]').first().waitFor();
  await v.page.reload();
  await v.page.waitForSelector(':root[data-connection=open]');
  await v.page.locator('.cell[data-state=done]').first().waitFor();
  await v.page.locator('.cell[data-state=running]').first().waitFor();
  await v.page.getByRole('button', { name: 'Cancel all: 2 prompts' }).click();
  await until(() => play.fake.jobs.some((job) => job.cancel));
  play.fake.run(100);
  await v.page.locator('.sweep[data-state=cancelled]').waitFor();
  assert.ok(await v.page.locator('.cell[data-state=cancelled]').count() >= 3);
  assert.ok(await v.page.locator('.cell[data-state=done]').count() >= 1);
  await v.page.getByRole('button', { name: /^Use settings/ }).click();
  assert.equal(await v.page.inputValue('#several-n'), '3');
  assert.equal(await v.page.inputValue('#several-prompt'), 'a blue square');
  await v.leave();
});

test('the lists of the form and a pair that is drawn survive a reload', async () => {
  const v = await visit(url());
  const again = async () => {
    await v.page.reload();
    await v.page.waitForSelector(':root[data-connection=open]');
  };
  await fillIn(v, { n: '2', steps: '5, 10', prompt: 'a blue square' });
  await v.page.fill('#prompt', 'a red circle');
  await again();
  await v.reads('#several-now', /^8 pictures$/);
  assert.equal(await v.page.inputValue('#several-steps'), '5, 10');
  assert.equal(await v.page.inputValue('#several-prompt'), 'a blue square');
  await fillIn(v, { n: '1', steps: '', prompt: '' });
  await v.page.click('#versus-toggle');
  await v.page.fill('#prompt-b', 'a green square');
  await again();
  assert.equal(await v.page.inputValue('#prompt-b'), 'a green square');
  assert.equal(await v.page.isVisible('#prompt-b'), true);
  await v.page.press('#prompt-b', 'Control+Enter');
  await until(() => play.fake.submits.length === 2);
  await again();
  await v.cards(2);
  play.fake.run(4000);
  await v.page.waitForFunction(() => location.hash.startsWith('#/gallery/compare/'));
  await v.page.waitForFunction(() => document.querySelectorAll('.pane img').length === 2);
  assert.deepEqual(await v.page.$$eval('.pane img', (all) => all.map((image) => image.alt)),
    ['a red circle', 'a green square']);
  await v.page.goBack();
  await v.page.waitForSelector(':root[data-page=room]');
  await again();
  await v.cards(2);
  assert.equal(await v.page.evaluate(() => location.hash.includes('compare')), false,
    'a pair is shown once');
  await v.leave();
});

test('what is no list, too much or not together is told beside its field', async () => {
  const v = await visit(url());
  await v.page.fill('#prompt', 'a red circle');
  await fillIn(v, { steps: 'ten' });
  await v.page.press('#prompt', 'Control+Enter');
  await v.reads('#several-steps-error', /“ten” is no number/);
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'several-steps');
  await v.axe('a wrong list');
  await fillIn(v, { steps: '1..20', guidance: '1..2/0.1' });
  await v.page.press('#prompt', 'Control+Enter');
  await v.reads('#several-n-error', /That would be 220 pictures, and 100/);
  await fillIn(v, { steps: '', guidance: '' });
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  await v.page.check('#private');
  await fillIn(v, { n: '2' });
  await v.page.press('#prompt', 'Control+Enter');
  await v.reads('#private-error', /one at a time/);
  assert.equal(play.fake.submits.length, 0);
  await v.page.click('#language');
  await v.reads('#private-error', /一次只能要一张/);
  await v.leave();
});

test('at 360 px a table scrolls, the page does not', async () => {
  const v = await visit(url(), { width: 360, height: 740, locale: 'zh-CN', colorScheme: 'dark' });
  await fillIn(v, { steps: '5, 10', seed: '1..6' });
  await v.ask('一个红色的圆');
  await v.page.waitForFunction(() => document.querySelectorAll('.sweep .cell').length === 12);
  await v.axe('a sweep at 360 px');
  await v.leave();
});

test('only lanes that are allowed are offered, and the lane is sent', async () => {
  play.fake.user = { name: 'ada', role: 'user', lanes: ['normal', 'batch'], weight: 1, limits: {} };
  const v = await visit(url());
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  assert.deepEqual(await v.page.locator('#lane option:not([disabled])').allInnerTexts(),
    ['Normal', 'At leisure']);
  await v.page.selectOption('#lane', 'batch');
  await v.ask('a red circle');
  await until(() => play.fake.submits.length === 1);
  assert.equal(play.fake.submits[0].spec.lane, 'batch');
  for (const c of play.fake.connections) {
    play.fake.send(c, { type: 'user', user: { ...play.fake.user, lanes: ['normal'] } });
  }
  await v.page.waitForFunction(() => !document.getElementById('lane').checkVisibility());
  await v.ask('a blue circle');
  await until(() => play.fake.submits.length === 2);
  assert.equal(play.fake.submits[1].spec.lane, undefined);
  await v.leave();
});
