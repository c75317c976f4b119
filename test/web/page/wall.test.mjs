// wall - what can be done with pictures: reuse settings, large view, copy, keyboard, remove, undo.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;

describe('working with pictures', () => {
  test('use these settings, another one, large view, remove, undo', async () => {
    const v = await visit(url());
    await v.page.locator('.size', { hasText: '384 × 256' }).click();
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.fill('#steps', '7');
    await v.page.fill('#guidance', '2.5');
    await v.ask('a lighthouse');
    await arrived(1);
    assert.deepEqual(play.fake.submits[0].spec,
      { prompt: 'a lighthouse', width: 384, height: 256, steps: 7, guidance: 2.5, seed: -1 });
    play.fake.run(3000);
    await v.state('a lighthouse', 'done');
    await v.page.reload();
    await v.page.waitForSelector(':root[data-connection=open]');
    await v.page.fill('#prompt', 'something else');
    await v.page.locator('.size', { hasText: '256 × 256' }).click();
    await v.page.getByRole('button', { name: /^Use settings/ }).click();
    assert.equal(await v.page.inputValue('#prompt'), 'a lighthouse');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    await v.page.press('#prompt', 'Control+Enter');
    await arrived(2);
    assert.deepEqual(play.fake.jobs[1].spec, play.fake.jobs[0].spec,
      'seed and all: it will be the same picture');
    play.fake.run(3000);
    await v.page.getByRole('button', { name: /^Another one/ }).first().click();
    await arrived(3);
    assert.equal(play.fake.submits[2].spec.seed, -1);
    play.fake.run(3000);
    await v.page.waitForFunction(() =>
      document.querySelectorAll('.card[data-state=done]').length === 3);
    await v.page.locator('.open').nth(1).click();
    await v.page.waitForSelector('#viewer[open]');
    await v.reads('.viewer-count', /^2 of 3$/);
    for (const [key, at] of [['ArrowRight', 3], ['ArrowRight', 3], ['Home', 1], ['ArrowRight', 2],
        ['End', 3], ['ArrowLeft', 2]]) {
      await v.page.keyboard.press(key);
      await v.reads('.viewer-count', new RegExp(`^${at} of 3$`));
    }
    await v.page.keyboard.press('Escape');
    assert.ok(await v.page.evaluate(() => document.activeElement?.classList.contains('open')),
      'the focus goes back to where it was');
    await v.page.getByRole('button', { name: /^Remove from this page/ }).first()
      .click({ force: true });
    await v.cards(2);
    await v.page.click('#clear');
    await v.cards(0);
    await v.reads('#notice-text', /^Removed 2 pictures from this page\.$/);
    await v.page.getByRole('button', { name: 'Undo' }).click();
    await v.cards(2);
    await v.leave();
  });

  test('the large view copies the prompt, the seed and the link, and makes another one',
      async () => {
    const v = await visit(url());
    await v.ask('a lighthouse "A"');
    await arrived(1);
    play.fake.run(3000);
    await v.state('a lighthouse', 'done');
    await v.page.locator('.open').click();
    const { seed } = play.fake.jobs[0].spec;
    for (const [part, words] of [['prompt', 'a lighthouse "A"'], ['seed', String(seed)],
        ['link', new URL(play.fake.jobs[0].result.url, url()).href]]) {
      await v.page.getByRole('button', { name: `Copy ${part}` }).click();
      await v.page.getByRole('button', { name: 'Copied' }).first().waitFor();
      assert.equal(await v.page.evaluate(() => navigator.clipboard.readText()), words);
    }
    // as without a secure context
    await v.page.evaluate(() => Object.defineProperty(navigator, 'clipboard',
      { value: undefined }));
    await v.page.getByRole('button', { name: 'Copy prompt' }).click();
    assert.equal(await v.page.getByText('Could not be copied').count(), 0);
    await v.page.locator('#viewer').getByRole('button', { name: 'Another one' }).click();
    await arrived(2);
    assert.equal(play.fake.submits[1].spec.seed, -1);
    assert.equal(await v.page.locator('#viewer').isVisible(), false);
    await v.leave();
  });

  test('undo is where the focus is after a removal by keyboard, and waits there', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse', 'a boat', 'a house');
    await arrived(3);
    play.fake.run(9000);
    await v.page.waitForFunction(() =>
      document.querySelectorAll('.card[data-state=done]').length === 3);
    const focused = () => v.page.evaluate(() => document.activeElement.id
      || document.activeElement.closest('.card')?.querySelector('.prompt-line').textContent);
    const remove = async () => {
      await v.card('a boat').getByRole('button', { name: /^Remove from this page/ }).focus();
      await v.page.keyboard.press('Enter');
      await v.cards(2);
    };
    await remove();
    assert.equal(await focused(), 'notice-action');
    await v.page.evaluate(() => {
      const { now } = performance;
      performance.now = () => now.call(performance) + 60_000;
    });
    await v.page.waitForTimeout(600); // two ticks
    assert.equal(await focused(), 'notice-action', 'it stays as long as it has the focus');
    await v.page.keyboard.press('Enter');
    await v.cards(3);
    assert.equal(await focused(), 'a boat');
    await remove();
    await v.page.keyboard.press('Tab');
    assert.equal(await focused(), 'a house', 'the next are the pictures');
    await v.page.keyboard.press('Shift+Tab');
    await v.page.keyboard.press('Escape');
    assert.equal(await focused(), 'a lighthouse', 'the neighbour');
    assert.equal(await v.page.isVisible('#notice'), false);
    await play.fake.stop();
    await v.page.waitForSelector(':root[data-connection=lost]');
    await v.page.focus('#clear');
    await v.page.keyboard.press('Space');
    await v.cards(0);
    assert.equal(await focused(), 'notice-action');
    await v.page.keyboard.press('Enter');
    await v.cards(2);
    await v.leave(BROKEN_CONNECTION);
  });

  test('the notice covers nothing of the form, with its settings open', async () => {
    for (const [width, height] of [[1300, 850], [1040, 700], [1920, 1000]]) {
      const v = await visit(url(), { width, height });
      await v.ask('hold on', 'hold it');
      await arrived(2);
      await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
      for (const card of ['hold on', 'hold it']) {
        await v.card(card).getByRole('button', { name: /^Remove from this page/ }).click();
      }
      await v.page.waitForSelector('#notice:not([hidden])');
      const [notice, rail] = await v.page.evaluate(() => ['notice', 'composer']
        .map((id) => document.getElementById(id).getBoundingClientRect().toJSON()));
      assert.ok(notice.left >= rail.right, `${width}: ${notice.left} < ${rail.right}`);
      assert.ok(notice.right <= width && notice.bottom <= height);
      play.fake.jobs = [];
      await v.leave();
    }
  });

  test('the large view has its close button in the window, however small that is', async () => {
    const v = await visit(url());
    await v.page.locator('.size', { hasText: '256 × 384' }).click();
    await v.ask(`a lighthouse ${'and a boat '.repeat(100)}`);
    await arrived(1);
    play.fake.run(3000);
    await v.state('a lighthouse', 'done');
    for (const [width, height] of [[640, 360], [640, 400], [1280, 300], [320, 256], [1440, 900]]) {
      await v.page.setViewportSize({ width, height });
      await v.page.locator('.open').click();
      await v.page.waitForSelector('#viewer[open]');
      const close = v.page.locator('#viewer .close');
      const inside = async (when) => {
        const box = await close.boundingBox();
        assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width
          && box.y + box.height <= height, `${width} x ${height} ${when}: ${JSON.stringify(box)}`);
      };
      await inside('at first');
      await v.page.getByRole('button', { name: 'Copy link' }).scrollIntoViewIfNeeded();
      await inside('scrolled to its end');
      await close.click();
      await v.page.waitForSelector('#viewer', { state: 'hidden' });
    }
    await v.leave();
  });

  test('everything by keyboard: skip link, form, card', async () => {
    const v = await visit(url());
    await v.page.keyboard.type('hold the line');
    await v.page.keyboard.press('Control+Enter');
    await arrived(1);
    await v.page.reload();
    await v.page.waitForSelector(':root[data-connection=open]');
    await v.page.keyboard.press('Tab');
    assert.equal(await v.page.evaluate(() => document.activeElement.className), 'skip');
    await v.page.keyboard.press('Enter');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'pictures');
    play.fake.run(100);
    await v.state('hold the line', 'running');
    for (let i = 0; i < 30
        && !(await v.page.evaluate(() => document.activeElement.textContent === 'Cancel')); i++) {
      await v.page.keyboard.press('Tab');
    }
    await v.page.keyboard.press('Enter');
    await v.reads('.card .what', /Cancelling/);
    play.fake.run(50);
    await v.state('hold the line', 'cancelled');
    assert.ok(await v.page.evaluate(() => document.activeElement?.closest('.card') !== null),
      'the focus is not lost with its button');
    await v.leave();
  });
});
