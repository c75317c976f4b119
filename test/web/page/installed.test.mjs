// installed - the page as a program of its own: what launchers need, offline, notifications.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';
import { Server } from './server.mjs';

const server = new Server();
before(() => server.start());
after(() => server.remove());
const play = stage();
const { url, arrived } = play;

test('the manifest names icons that are there, of the size that it tells', async () => {
  const manifest = await fetch(`${server.url}app.webmanifest`).then((r) => r.json());
  const sizes = [];
  for (const { src, type, sizes: size } of manifest.icons) {
    const answer = await fetch(new URL(src, server.url));
    assert.equal(answer.headers.get('content-type'), type);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (type !== 'image/png') continue;
    sizes.push(size);
    assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, size, src);
  }
  assert.ok(sizes.includes('192x192') && sizes.includes('512x512'));
  assert.ok(manifest.icons.some(({ purpose }) => purpose === 'maskable'));
  for (const member of ['id', 'name', 'start_url', 'display']) assert.ok(manifest[member], member);
});

test('without the server its address says that it is away, and comes back by itself', async () => {
  const v = await visit(server.url);
  await v.page.evaluate(() => navigator.serviceWorker.ready.then((r) => new Promise((done) => {
    if (r.active?.state === 'activated') return done();
    r.active?.addEventListener('statechange', done);
  })));
  await server.kill('SIGKILL');
  await v.page.goto(server.url);
  await v.reads('main p', /cannot be reached/);
  await v.axe('offline, light');
  await v.page.emulateMedia({ colorScheme: 'dark' });
  await v.page.setViewportSize({ width: 360, height: 640 });
  await v.axe('offline, dark, 360 px');
  await server.start();
  await v.page.waitForSelector(':root[data-connection=open] #room');
  // the offline page has no live region for the harness to watch
  await v.leave(BROKEN_CONNECTION, /Failed to fetch|ERR_FAILED|status of 503|MutationObserver/);
});

/** Notifications as the page asks for them, and a page that is not looked at. */
function record() {
  window.told = [];
  window.hiddenNow = false;
  Object.defineProperty(document, 'hidden', { get: () => window.hiddenNow });
  ServiceWorkerRegistration.prototype.showNotification = async function told(title, options) {
    window.told.push([title, options.body]);
  };
  window.Notification = class {
    static permission = 'default';

    static async requestPermission() {
      window.Notification.permission = 'granted';
      return 'granted';
    }

    constructor(title, options) {
      window.told.push([title, options.body]);
    }
  };
}

test('a notification is asked for when it is of use, and comes when nobody looks', async () => {
  const v = await visit(url());
  await v.page.evaluate(record);
  assert.equal(await v.page.isVisible('#notify'), false, 'not at first');
  play.fake.pace = 0.05; // 20 s each
  await v.ask('a lighthouse', 'a boat');
  await arrived(2);
  play.fake.run(1000);
  await v.page.waitForSelector('#notify:not([hidden])');
  await v.axe('asking');
  await v.page.click('#notify');
  await v.page.waitForSelector('#notify', { state: 'hidden' });
  await v.page.evaluate(() => { window.hiddenNow = true; });
  play.fake.run(120_000);
  await v.page.waitForFunction(() => window.told.length === 2);
  const told = await v.page.evaluate(() => window.told);
  assert.deepEqual(told.map(([, body]) => body).sort(), ['a boat', 'a lighthouse']);
  await v.page.evaluate(() => { window.hiddenNow = false; });
  await v.ask('a house');
  await arrived(3);
  play.fake.run(120_000);
  await v.state('a house', 'done');
  assert.equal(await v.page.evaluate(() => window.told.length), 2, 'not while it is looked at');
  await v.leave();
});
