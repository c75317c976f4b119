// pages - the pages beside the room: opened by their address and by the links, each loaded once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;
const shown = (v) => v.page.evaluate(() => ['room', 'page']
  .filter((id) => document.getElementById(id).checkVisibility()));
const at = (v, page) => v.page.waitForFunction((page) =>
  document.documentElement.dataset.page === page, page);

test('a page is loaded when it is first opened, and then kept', async () => {
  const v = await visit(url());
  const own = () => v.tab.log.asked.filter((a) => a.includes('/pages/admin/'))
    .map((a) => a.replace(/.*\/pages\/admin\//, '')).sort();
  assert.deepEqual(own(), [], 'not before');
  await v.page.getByRole('link', { name: 'Admin' }).click();
  await v.reads('.page-admin .page-title', /^Administration$/);
  assert.deepEqual(await shown(v), ['page']);
  const first = own();
  assert.deepEqual(['page.js', 'page.css', 'en.js', 'zh.js'].filter((file) => first.includes(file)),
    ['page.js', 'page.css', 'en.js'], 'the page, its style sheet, and one language');
  assert.equal(new Set(first).size, first.length, 'each once');
  assert.equal(await v.page.title(), 'Admin · darkroom');
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'page');
  await v.announced(/^Admin$/);
  await v.page.click('#language');
  await v.reads('.page-admin .page-title', /^管理$/);
  const both = [...first, 'zh.js'].sort();
  assert.deepEqual(own(), both, 'the other language');
  await v.page.click('#language');
  await v.page.goBack();
  await at(v, 'room');
  assert.deepEqual(await shown(v), ['room']);
  await v.page.goForward();
  await at(v, 'admin');
  assert.deepEqual(own(), both, 'nothing again');
  await v.leave();
});

test('by its address, also after a reload; the skip link stays on it', async () => {
  const v = await visit(`${url()}#/admin`);
  await v.reads('.page-admin .page-title', /^Administration$/);
  await v.page.reload();
  await v.reads('.page-admin .page-title', /^Administration$/);
  await v.page.focus('#skip');
  await v.page.keyboard.press('Enter');
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'page');
  assert.deepEqual(await shown(v), ['page']);
  assert.equal(await v.page.getAttribute('.page-link[aria-current=page]', 'href'), '#/admin');
  await v.leave();
});

test('what runs in the room goes on, and Ctrl+Enter asks for nothing elsewhere', async () => {
  const v = await visit(url());
  await v.ask('hold a lighthouse');
  await arrived(1);
  await v.page.fill('#prompt', 'not sent from elsewhere');
  await v.page.evaluate(() => { location.hash = '#/admin'; });
  await at(v, 'admin');
  await v.page.keyboard.press('Control+Enter');
  play.fake.run(1200);
  await v.page.evaluate(() => { location.hash = '#/'; });
  await at(v, 'room');
  await v.state('hold a lighthouse', 'running');
  assert.equal(play.fake.submits.length, 1);
  assert.equal(await v.page.inputValue('#prompt'), 'not sent from elsewhere');
  await v.leave();
});

test('an unknown page is the room', async () => {
  const v = await visit(`${url()}#/nothing`);
  assert.deepEqual(await shown(v), ['room']);
  await v.leave();
});

test('a page that cannot be loaded says so, and can be tried again', async () => {
  const v = await visit(url());
  let broken = true;
  await v.page.route('**/pages/admin/page.css', (route) =>
    (broken ? route.abort() : route.continue()));
  await v.page.evaluate(() => { location.hash = '#/admin'; });
  await v.reads('.page-failed', /^This page could not be loaded/);
  broken = false;
  await v.page.locator('.page-admin').getByRole('button', { name: 'Try now' }).click();
  await v.reads('.page-admin .page-title', /^Administration$/);
  await v.page.unroute('**/pages/admin/page.css');
  await v.leave(/was not loaded|net::ERR_FAILED/);
});
