// proxy - the page behind a reverse proxy, with and without faults, against the real program.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Proxy } from '../proxy.mjs';
import { BROKEN_CONNECTION, closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';

const server = new Server();
before(async () => { await Promise.all([openBrowser(), server.start()]); });
after(async () => { await closeBrowser(); await server.remove(); });

const PATIENCE = { timeout: 60_000 };
const REFUSED = [BROKEN_CONNECTION, /status of (40[034]|50[23])/];

/** Open the page through a proxy with these options. */
async function behind(options, path = '/', visitor = {}) {
  const proxy = await new Proxy(server.port, options).start();
  const v = await visit(`http://127.0.0.1:${proxy.port}${path}`, visitor);
  return { v, proxy };
}

for (const path of ['/pictures/darkroom/', '/pictures/darkroom', '/pictures/darkroom?x=1#y']) {
  test(`below a path: ${path}`, async () => {
    const { v, proxy } = await behind({ prefix: '/pictures/darkroom' }, path);
    assert.equal(await v.page.evaluate(() => location.pathname), '/pictures/darkroom/');
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.fill('#steps', '2');
    await v.page.fill('#width', '64');
    await v.page.fill('#height', '64');
    await v.ask('a red circle');
    await v.page.locator('.card[data-state=done] img.final').waitFor(PATIENCE);
    await v.page.waitForFunction(() => document.querySelector('img.final').naturalWidth === 64);
    const link = await v.page.locator('.card a[download]').evaluate((a) => a.href);
    assert.match(link, new RegExp(`:${proxy.port}/pictures/darkroom/i/[0-9a-f]+\\.png\\?download`));
    assert.equal((await fetch(link)).status, 200);
    await v.page.reload();
    await v.page.locator('.card[data-state=done] img.final').waitFor();
    await v.page.locator('.open').click();
    await v.page.waitForFunction(() => document.querySelector('.viewer img').naturalWidth === 64);
    await v.page.keyboard.press('Escape');
    await v.leave(...REFUSED);
    await proxy.stop();
  });
}

/** The page tries by itself, too: it may be connected by now, and the button gone. */
const tryNow = (v) => v.page.locator('#notice-action').dispatchEvent('click');

const FAULTS = [
  ['a proxy that passes no WebSocket on', { upgrade: false }],
  ['a proxy that replaces Host', { host: 'localhost:1' }],
];
for (const [name, options] of FAULTS) {
  test(`${name}: never connected, with the cause and the cure`, async () => {
    const { v, proxy } = await behind(options, '/', { open: false });
    await v.reads('#notice-text',
      /^The server answers, but this page’s live connection is refused\. .* Host, Upgrade and /);
    assert.ok((await v.text('#notice-text')).endsWith(`--origins http://127.0.0.1:${proxy.port}`));
    assert.equal(await v.text('#connection-text'), 'Not connected');
    await v.announced(/live connection is refused/);
    await v.ask('a lighthouse');
    await v.reads('.what', /^Waits for the connection$/);
    Object.assign(proxy, { upgrade: true, host: null }); // the cure
    await tryNow(v);
    await v.page.waitForSelector(':root[data-connection=open]');
    await v.leave(...REFUSED);
    await proxy.stop();
  });
}

test('never connected, for other causes', async () => {
  const { v, proxy } = await behind({ upgrade: false }, '/', { open: false });
  await v.reads('#notice-text', /^The server answers/);
  for (const words of [/^服务器有回应/, /^The server answers/]) { // both are there when the server is not
    await v.page.click('#language');
    await v.reads('#notice-text', words);
  }
  const causes = [
    [{ behind: 1 }, /^The proxy in front of the server answers with status 502/],
    [{ behind: server.port, prefix: '/x' }, /^Another program than darkroom answers .* 404/],
  ];
  for (const [options, words] of causes) {
    Object.assign(proxy, options);
    await tryNow(v);
    await v.reads('#notice-text', words);
  }
  await v.page.click('#language');
  await v.reads('#notice-text', /^这个地址上应答的不是 darkroom（状态 404）/);
  await v.page.click('#language');
  await proxy.stop();
  await tryNow(v);
  await v.reads('#notice-text', /^The server does not answer\. Trying again in/);
  await v.axe('never connected');
  await v.leave(...REFUSED);
});

test('a connection that is lost is not one that never was', async () => {
  const { v, proxy } = await behind({});
  proxy.upgrade = false;
  for (const socket of proxy.sockets) socket.destroy();
  await v.reads('#notice-text', /^The connection is gone\./);
  proxy.upgrade = true;
  await v.page.waitForSelector(':root[data-connection=open]');
  await v.leave(...REFUSED);
  await proxy.stop();
});
