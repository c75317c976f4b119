// users - the page in Chromium against the real program with users: in, out, and never another's.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';

const server = new Server();
const tokens = {};
before(async () => {
  await Promise.all([openBrowser(), server.start()]);
  for (const name of ['ada', 'ben']) tokens[name] = server.user('add', name);
});
after(async () => { await closeBrowser(); await server.remove(); });

const PATIENCE = { timeout: 60_000 };
const REFUSED = /status of (401|429)/;
const locked = (v) => v.page.waitForSelector(':root[data-connection=locked] #signin', PATIENCE);
const open = (v) => v.page.waitForSelector(':root[data-connection=open] #room', PATIENCE);
const enter = async (v, token) => {
  await v.page.fill('#token', token);
  await v.page.press('#token', 'Enter');
};
const draw = async (v, prompt) => {
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  for (const [id, value] of [['steps', '2'], ['width', '64'], ['height', '64']]) {
    await v.page.fill(`#${id}`, value);
  }
  await v.ask(prompt);
  await v.page.locator('.card[data-state=done] img.final', PATIENCE).first().waitFor(PATIENCE);
};

test('a token signs in, is remembered without the page, and a picture is shown', async () => {
  const v = await visit(server.url, { open: false });
  await locked(v);
  assert.equal(await v.page.isVisible('#composer'), false);
  assert.equal(await v.page.isVisible('#signout'), false);
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'token');
  await v.announced(/wants to know who you are/);
  await v.axe('signing in');
  await enter(v, tokens.ada.slice(0, -1));
  await v.reads('#token-error', /That is no token of this service\./);
  await enter(v, `${tokens.ada.slice(0, -1)}${tokens.ada.endsWith('x') ? 'y' : 'x'}`);
  await v.reads('#token-error', /does not know this token/);
  await v.axe('a wrong token');
  await enter(v, ` ${tokens.ada} `);
  await open(v);
  await v.reads('#who', /^ada$/);
  assert.equal(await v.page.isVisible('#signin'), false);
  assert.equal(await v.page.inputValue('#token'), '');
  await draw(v, 'a secret of ada');
  await v.axe('signed in');
  const kept = await v.page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie);
  assert.doesNotMatch(kept, /dr_|darkroom_/);
  await v.page.reload();
  await open(v);
  await v.page.locator('.card img.final').first().waitFor(PATIENCE);
  await v.leave(REFUSED);
});

test('an invitation link signs in and leaves the address at once; signing out leaves nothing',
    async () => {
  const v = await visit(`${server.url}?x=1#token=${tokens.ben}`, { open: false });
  await open(v);
  assert.equal(await v.page.evaluate(() => location.href), `${server.url}?x=1`);
  await v.reads('#who', /^ben$/);
  await draw(v, 'a secret of ben');
  const picture = await v.page.locator('.card img.final').first().getAttribute('src');
  await v.page.click('#who');
  await v.page.click('#signout');
  await locked(v);
  assert.equal(await v.page.locator('.card').count(), 0);
  const kept = await v.page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.doesNotMatch(kept, /secret|ben/);
  assert.equal((await fetch(new URL(picture, server.url))).status, 401);
  await v.page.reload();
  await locked(v);
  await v.page.evaluate((token) => { location.hash = `token=${token}`; }, tokens.ada);
  await open(v); // in the same tab
  await v.reads('#who', /^ada$/);
  assert.equal(await v.page.evaluate(() => location.hash), '');
  await v.page.click('#who');
  await v.reads('#account-facts', /User[\s\S]*Normal[\s\S]*not limited[\s\S]*of the last 10 min/);
  await v.axe('who am I');
  await v.page.keyboard.press('Escape');
  assert.equal(await v.page.isVisible('#account-facts'), false);
  const asAda = await v.page.evaluate((src) => fetch(src).then((r) => r.status), picture);
  assert.equal(asAda, 404, 'another one\'s picture');
  await v.leave(/status of 404/);
});

test('another user at the same browser sees no cards of the first', async () => {
  const v = await visit(`${server.url}#token=${tokens.ada}`, { open: false });
  await open(v);
  await draw(v, 'a secret of ada');
  await v.page.goto(`${server.url}?again#token=${tokens.ben}`);
  await open(v);
  await v.reads('#who', /^ben$/);
  await v.cards(0);
  assert.doesNotMatch(await v.page.evaluate(() => JSON.stringify({ ...localStorage })), /secret/);
  await v.leave();
});

test('who is removed is asked to sign in, and told why a token is none any more', async () => {
  const token = server.user('add', 'cat');
  const v = await visit(`${server.url}#token=${token}`,
    { open: false, locale: 'zh-CN', width: 360 });
  await open(v);
  await v.axe('signed in, Chinese, 360 px');
  assert.ok(await v.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  server.user('remove', 'cat');
  await locked(v);
  await v.reads('#signin-title', /^登录$/);
  await enter(v, token);
  await v.reads('#token-error', /服务器不认识这个令牌/);
  await v.axe('signing in, Chinese, 360 px');
  assert.ok(await v.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await v.leave(REFUSED);
});
