// share - a link to one picture, made and taken back by its owner, and what who has it sees: in
// Chromium against the real program with users.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import jsqr from 'jsqr';
import { closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';

const server = new Server();
let token = '';
before(async () => {
  await Promise.all([openBrowser(), server.start()]);
  token = server.user('add', 'ada');
});
after(async () => { await closeBrowser(); await server.remove(); });

const PATIENCE = { timeout: 60_000 };
const REFUSED = /status of (401|404|429)/;
const enter = async () => {
  const v = await visit(`${server.url}#token=${token}`, { open: false });
  await v.page.waitForSelector(':root[data-connection=open] #room', PATIENCE);
  return v;
};
const small = async (v) => {
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  for (const [id, value] of [['steps', '2'], ['width', '64'], ['height', '64']]) {
    await v.page.fill(`#${id}`, value);
  }
};

/** The text of a code that is drawn as a path. */
function decode(path) {
  const rows = [];
  for (const [, x, y, n] of path.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
    for (let i = 0; i < Number(n); i++) (rows[y] ??= [])[Number(x) + i] = true;
  }
  const side = (rows.length + 8) * 4;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (rows[Math.floor(y / 4) - 4]?.[Math.floor(x / 4) - 4]) {
        data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
      }
    }
  }
  return (jsqr.default ?? jsqr)(data, side, side)?.data;
}

test('a picture is shared, watched without an account, and taken back', async () => {
  const v = await enter();
  await small(v);
  await v.ask('a red circle');
  await v.page.locator('.card[data-state=done] img.final', PATIENCE).first().waitFor(PATIENCE);
  await v.page.getByRole('button', { name: 'Share: a red circle' }).click();
  await v.page.selectOption('#share-term', 'hour');
  await v.axe('the dialog before');
  await v.page.getByRole('button', { name: 'Make a link' }).click();
  await v.page.waitForFunction(() => document.getElementById('share-address')?.value);
  const address = await v.page.inputValue('#share-address');
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/#share=drs_[0-9A-Za-z]+$/);
  assert.equal(decode(await v.page.locator('.share-code path').getAttribute('d')), address);
  await v.axe('the dialog with a link');
  await v.page.getByRole('button', { name: 'Copy link' }).click();
  assert.equal(await v.page.evaluate(() => navigator.clipboard.readText()), address);

  const guest = await visit(address, { open: false });
  await guest.page.waitForSelector('.page-share .card[data-state=done] img.final', PATIENCE);
  assert.match(await guest.page.getAttribute('.page-share img.final', 'src'), /^blob:/);
  assert.deepEqual(await guest.page.evaluate(() => [...document.querySelectorAll(
    'button, a, input, textarea, select')].filter((e) => e.checkVisibility()).map((e) => e.id)),
  ['skip', 'language', 'theme']);
  await guest.axe('the spectator\'s view');
  await guest.page.click('#language');
  await guest.reads('.page-share .page-title', /^你在观看$/);
  assert.equal(await guest.page.evaluate(() => JSON.stringify({ ...localStorage })
    .includes('drs_')), false);

  await v.page.getByRole('button', { name: 'Take it back' }).click();
  await v.reads('.share-now', /not shared any more/);
  assert.equal(await v.page.isVisible('#share-address'), false);
  await guest.page.reload();
  await guest.reads('.share-words', /这个链接什么也不显示/);
  await guest.reads('.page-share .page-title', /^这里没有图片$/);
  await guest.leave(REFUSED);

  // one that was made before is told of, and its token is not
  await v.page.getByRole('button', { name: 'Make a link' }).click();
  await v.page.waitForFunction(() => document.getElementById('share-address')?.value);
  await v.page.keyboard.press('Escape');
  await v.page.getByRole('button', { name: 'Share: a red circle' }).click();
  await v.reads('.share-now', /by a link that was made before/);
  await v.page.keyboard.press('Escape');
  await v.leave();
});

test('a sweep is watched while it is drawn, also by who is signed in as another', async () => {
  const v = await enter();
  await small(v);
  await v.page.fill('#steps', '60');
  await v.page.evaluate(() => { document.getElementById('several').open = true; });
  await v.page.fill('#several-guidance', '1, 2');
  await v.ask('a blue square');
  await v.page.waitForFunction(() => document.querySelectorAll('.sweep .cell').length === 2);
  await v.page.getByRole('button', { name: 'Share: a blue square' }).click();
  await v.page.getByRole('button', { name: 'Make a link' }).click();
  await v.page.waitForFunction(() => document.getElementById('share-address')?.value);
  const address = await v.page.inputValue('#share-address');
  const ben = server.user('add', 'ben');
  const guest = await visit(`${server.url}#token=${ben}`, { open: false, width: 360, height: 740 });
  await guest.page.waitForSelector(':root[data-connection=open] #room', PATIENCE);
  await guest.page.goto('about:blank');
  await guest.page.goto(address);
  await guest.page.waitForFunction(() =>
    document.querySelectorAll('.page-share .cell').length === 2, PATIENCE);
  await guest.page.waitForFunction(() =>
    document.querySelectorAll('.page-share .cell[data-state=done] img[src^=blob]').length === 2,
  null, PATIENCE);
  await guest.axe('a shared sweep at 360 px');
  await guest.leave(REFUSED);
  await v.page.keyboard.press('Escape');
  await v.leave();
});

test('a private picture is shown once, kept by nothing, and cannot be shared', async () => {
  // what the tests before have drawn would be waited for
  await fetch(`${server.url}v1/cancel`, { method: 'POST', body: '{"all":true}',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' } });
  const v = await enter();
  await small(v);
  await v.page.check('#private');
  await v.ask('a secret circle');
  const card = v.card('a secret circle');
  // "private" is far down the form, and what is not on the screen is not drawn
  await card.scrollIntoViewIfNeeded();
  await card.locator('img.final').waitFor(PATIENCE).catch(async (failure) =>
    assert.fail(`${await card.innerHTML()}\n${await v.text('#counts')}\n${failure}`));
  assert.match(await card.locator('img.final').getAttribute('src'), /^blob:/);
  assert.match(await card.innerText(), /private: gone with this page/);
  assert.equal(await card.getByRole('button', { name: /^Share/ }).isVisible(), false);
  await card.locator('.open').click();
  await v.page.waitForFunction(() => document.querySelector('#viewer img')?.naturalWidth > 0);
  await v.page.keyboard.press('Escape');
  await v.page.fill('#prompt', '');
  const kept = await v.page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.doesNotMatch(kept, /secret/);
  await v.page.reload();
  await v.page.waitForSelector(':root[data-connection=open] #room', PATIENCE);
  assert.equal(await v.page.locator('.card', { hasText: 'secret' }).count(), 0);
  await v.leave();
});
