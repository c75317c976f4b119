// admin - the administrator's page against the real program with users.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';
import { USER_COMMANDS } from '../../../frontend/pages/admin/model.js';

const server = new Server('--concurrency', '1', '--job-seconds', '86400');
const tokens = {};
before(async () => {
  await Promise.all([openBrowser(), server.start()]);
  for (const name of ['root', 'ada']) {
    tokens[name] = server.user('add', name, ...(name === 'root' ? ['--role', 'admin'] : []));
  }
});
after(async () => { await closeBrowser(); await server.remove(); });

const PATIENCE = { timeout: 60_000 };
const as = async (name, options) => {
  const v = await visit(`${server.url}#token=${tokens[name]}`, { open: false, ...options });
  await v.page.waitForSelector(':root[data-connection=open] #room', PATIENCE);
  return v;
};
const open = async (v) => {
  await v.page.click('.page-link[href="#/admin"]');
  await v.page.waitForSelector('.page-admin .admin-health[data-ok=true]', PATIENCE);
};
const ask = (name, command, body) => fetch(`${server.url}v1/${command}`, { method: 'POST',
  headers: { Authorization: `Bearer ${tokens[name]}`, 'Content-Type': 'application/json' },
  body: JSON.stringify(body) }).then((r) => r.json());
const press = (v, part, name) =>
  v.page.locator(`.admin-${part}`).getByRole('button', { name, exact: true }).click();

test('a user has no such page, by its address neither', async () => {
  const v = await as('ada');
  assert.equal(await v.page.locator('.page-link[href="#/admin"]').isVisible(), false);
  await v.page.evaluate(() => { location.hash = '#/admin'; });
  await v.page.waitForFunction(() => location.hash === '#/admin');
  assert.equal(await v.page.locator('#room').isVisible(), true);
  assert.equal(await v.page.locator('.page-admin').count(), 0);
  await v.leave();
});

test('health, users with their use, and the log; both languages and themes, 360 px', async () => {
  const v = await as('root');
  await open(v);
  await v.reads('.page-admin [data-row=ready] dd', /^Ready$/);
  await v.reads('.page-admin [data-row=model] dd', /^tiny \(/);
  await v.reads('.admin-users tbody', /root[\s\S]*Administrator[\s\S]*ada[\s\S]*User/);
  await v.page.waitForSelector('.admin-lines li');
  const log = await v.text('.admin-lines');
  for (const token of Object.values(tokens)) assert.ok(!log.includes(token.slice(0, 20)));
  await v.page.evaluate(() => document.querySelectorAll('.page-admin details')
    .forEach((d) => { d.open = true; }));
  await v.axe('admin, light');
  await v.page.emulateMedia({ colorScheme: 'dark' });
  await v.page.setViewportSize({ width: 360, height: 780 });
  await v.page.click('#language');
  await v.reads('.page-admin .page-title', /^管理$/);
  await v.axe('admin, dark, Chinese, 360 px');
  await v.page.click('#language');
  await v.reads('.page-admin .page-title', /^Administration$/);
  assert.ok(await v.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await v.leave();
});

test('pause and resume, and the queue of all with whose and why', async () => {
  const v = await as('root');
  await open(v);
  await press(v, 'queue', 'Pause');
  await v.announced(/^The queue is paused\.$/);
  const { job } = await ask('ada', 'jobs', { spec: { prompt: 'a secret of ada', steps: 2 } });
  await v.reads('.admin-queue tbody', /1st[\s\S]*ada[\s\S]*256 × 256[\s\S]*the pause to end/);
  await v.page.waitForSelector('.admin-queue .warning:not([hidden])');
  await v.axe('admin, a queue');
  await press(v, 'queue', 'Cancel: 1st, ada');
  await v.page.waitForSelector('.admin-queue .admin-table', { state: 'hidden' });
  const end = await fetch(`${server.url}v1/jobs/${job}`,
    { headers: { Authorization: `Bearer ${tokens.ada}` } }).then((r) => r.json());
  assert.equal(end.state, 'cancelled');
  await press(v, 'queue', 'Go on');
  await v.announced(/^The queue goes on\.$/);
  await v.leave();
});

test('limits: in force at once; what is out of range is not sent', async () => {
  const v = await as('root');
  await open(v);
  await v.page.waitForFunction(() => document.getElementById('admin-queue-field').value !== '');
  await v.page.fill('#admin-queue-field', '7');
  await press(v, 'controls', 'Apply');
  await v.announced(/^The limits are in force\.$/);
  assert.equal((await ask('root', 'set', {})).set.queue, 7);
  await v.page.fill('#admin-queue-field', '99999');
  await press(v, 'controls', 'Apply');
  await v.reads('.admin-controls .field-error', /from 1 to 4,?096/);
  assert.equal((await ask('root', 'set', {})).set.queue, 7);
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'admin-queue-field');
  await ask('root', 'set', { queue: 100 });
  await v.leave();
});

test('a notice reaches the others, and goes', async () => {
  const v = await as('root');
  await open(v);
  await v.page.fill('#admin-notice-field', 'Tea is ready.');
  await press(v, 'controls', 'Show');
  await v.announced(/^The notice is shown to all\.$/);
  const hello = await fetch(`${server.url}v1/model`,
    { headers: { Authorization: `Bearer ${tokens.ada}` } }).then((r) => r.json());
  assert.equal(hello.notices[0].text, 'Tea is ready.');
  await press(v, 'controls', 'Remove');
  await v.announced(/^There is no notice any more\.$/);
  await v.leave();
});

test('the commands for users are those of the program, and the table follows', async () => {
  const v = await as('root');
  await open(v);
  for (const [, command] of USER_COMMANDS) {
    const args = command.replace('NAME', 'zoe').split(' ').slice(2);
    server.user(...args);
    if (args[0] === 'add') await v.reads('.admin-users tbody', /zoe/);
    if (args[0] === 'set') await v.reads('.admin-users tbody', /zoe\s*Administrator/);
  }
  await v.page.waitForFunction(() =>
    !document.querySelector('.admin-users tbody').textContent.includes('zoe'));
  await v.leave();
});

test('a drain is asked for twice, told to all, and taken back', async () => {
  const v = await as('root');
  await open(v);
  // without a picture that runs the server would end at once: the longest that there is
  const { job, code } = await ask('ada', 'jobs', { sweep: { seed: 20 },
    spec: { prompt: 'a circle', steps: 200, guidance: 2, width: 512, height: 512 } });
  assert.equal(code, undefined, 'accepted');
  await v.page.waitForSelector('.admin-queue tr[data-kind=running]', PATIENCE);
  await v.page.fill('#admin-minutes-field', '30');
  await press(v, 'controls', 'End the server');
  await press(v, 'controls', 'Press again to end the server');
  await v.reads('.admin-controls .warning',
    /^The server stops in about 30 min at the latest\.$/);
  await v.page.waitForSelector('.page-admin .admin-health[data-ok=false]', PATIENCE);
  await v.reads('.page-admin [data-row=ready] dd', /will end/);
  await press(v, 'controls', 'Take back');
  await ask('ada', `jobs/${job}/cancel`, {});
  await v.page.waitForSelector('.page-admin .admin-health[data-ok=true]', PATIENCE);
  await v.leave(/status of 503/);
});
