// real - the page in Chromium against the real program and the bundled model, from end to end.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { BROKEN_CONNECTION, closeBrowser, openBrowser, visit } from './harness.mjs';
import { CSP } from '../fake.mjs';
import { Server } from './server.mjs';

// a busy machine would refuse slow() as too long
const server = new Server('--concurrency', '1', '--queue', '3', '--job-seconds', '86400');
before(async () => { await Promise.all([openBrowser(), server.start()]); });
after(async () => { await closeBrowser(); await server.remove(); });

const PATIENCE = { timeout: 180_000 };
const done = (v, words) => v.page.locator('.card[data-state=done]', { hasText: words }).first()
  .waitFor(PATIENCE);
const settings = async (v, steps, size) => {
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  await v.page.fill('#steps', steps);
  await v.page.fill('#width', size);
  await v.page.fill('#height', size);
};
/** Long enough, on a fast machine too, to do something while it runs. */
const slow = (v) => settings(v, '200', '512');
const quick = (v) => settings(v, '4', '256');
const cancel = (v, words) => v.card(words).getByRole('button', { name: /^(Cancel|取消)/ }).click();

test('a prompt becomes a picture: place, time, phases, preview, picture, file', async () => {
  const v = await visit(server.url);
  assert.match(await v.text('#status-line'), /^Queue: 1 at a time$/);
  assert.ok(await v.page.locator('.paper').count() >= 3, 'examples are one click away');
  await v.page.locator('.paper').first().click();
  const prompt = await v.page.inputValue('#prompt');
  await v.ask('a green square on a white background');
  assert.equal(await v.page.locator('.card').count(), 2);
  await v.reads('.when', /about|moment|not known|longer/, 'green square');
  await v.card(prompt).locator('img.shot').first().waitFor(PATIENCE);
  await done(v, prompt);
  await done(v, 'green square');
  await v.card('green square').locator('img.final').waitFor(PATIENCE);
  const shots = await v.shots('green square');
  const previews = new Set(shots.filter((s) => s.kind === 'shot').map((s) => s.pixels));
  const finals = shots.filter((s) => s.kind === 'final').map((s) => s.pixels);
  assert.ok(previews.size >= 3, `${previews.size} different previews`);
  assert.equal(finals.length, 1);
  assert.ok(!previews.has(finals[0]), 'the picture is more than its last preview');
  const link = await v.card('green square').locator('a[download]').getAttribute('href');
  const file = await fetch(new URL(link, server.url));
  assert.equal(file.headers.get('content-type'), 'image/png');
  assert.match(file.headers.get('content-disposition'), /attachment/);
  assert.equal(Buffer.from(await file.arrayBuffer()).subarray(1, 4).toString(), 'PNG');
  await v.reads('#counts', /Done\s+2|2\s+Done/);
  assert.match(await v.text('.params'), /256 × 256\s+20 steps\s+guidance [\d.]+\s+seed \d+/);
  await v.axe('two pictures');
  await v.leave();
});

test('reload while it develops, then a kill -9 and a new start: the picture goes on', async () => {
  const v = await visit(server.url);
  await slow(v);
  await v.ask('a red circle on a blue background');
  await v.card('red circle').locator('img.shot').first().waitFor(PATIENCE);
  await v.page.reload();
  await v.card('red circle').locator('img.shot').first().waitFor(PATIENCE);
  await v.state('red circle', 'running');
  await server.kill('SIGKILL');
  await v.reads('#notice-text', /The connection is gone/);
  await server.start();
  await v.announced(/The server was restarted\. Your pictures go on\./);
  await v.page.locator('.card[data-state=running]', { hasText: 'red circle' }).waitFor(PATIENCE);
  await cancel(v, 'red circle');
  await v.state('red circle', 'cancelled');
  assert.equal(await v.page.locator('.card').count(), 1);
  await v.leave(BROKEN_CONNECTION);
});

test('an orderly stop is told, and what waits comes through it', async () => {
  const v = await visit(server.url);
  await slow(v);
  await v.ask('a long one');
  await quick(v);
  await v.ask('a short one');
  await v.state('a long one', 'running');
  await server.kill('SIGTERM');
  await v.announced(/shutting down|trying again/i);
  await server.start();
  await v.page.waitForSelector(':root[data-connection=open]', PATIENCE);
  await v.page.locator('.card[data-state=running]', { hasText: 'a long one' }).waitFor(PATIENCE);
  await cancel(v, 'a long one');
  await done(v, 'a short one');
  await v.leave(BROKEN_CONNECTION);
});

test('a full queue is refused in words; cancel frees it', async () => {
  const v = await visit(server.url);
  await slow(v);
  await v.ask('number one', 'number two', 'number three', 'number four', 'number five');
  await v.state('number five', 'refused');
  await v.reads('.errors', /queue is full\.\s+Try again in/i, 'number five');
  await v.reads('#traffic', /3rd/);
  for (const words of ['number one', 'number two', 'number three', 'number four']) {
    await cancel(v, words);
    await v.state(words, 'cancelled');
  }
  await v.leave();
});

test('the forecast in the form is that of an empty queue once it is empty', async () => {
  const v = await visit(server.url);
  await slow(v);
  await v.ask('number one', 'number two');
  await v.state('number one', 'running');
  await v.page.fill('#prompt', 'and what about this');
  await v.reads('#quote', /^2 pictures are ahead\./);
  for (const words of ['number two', 'number one']) {
    await cancel(v, words);
    await v.state(words, 'cancelled');
  }
  await v.reads('#quote', /^Starts right away/);
  await v.leave();
});

test('in Chinese, with a Chinese prompt', async () => {
  const v = await visit(server.url, { locale: 'zh-CN', colorScheme: 'dark', width: 360 });
  await quick(v);
  await v.ask('蓝色背景上的红色圆形');
  await done(v, '蓝色背景');
  await v.card('蓝色背景').locator('img.final').waitFor(PATIENCE);
  await v.announced(/^完成：蓝色背景上的红色圆形$/);
  assert.match(await v.text('.params'), /4 步\s+引导 [\d.]+\s+种子 \d+/);
  await v.axe('Chinese, dark, 360 px');
  await v.leave();
});

test('the server\'s own page of the queue looks like the page, and fits 360 px', async () => {
  const ask = (command, body) => fetch(`${server.url}v1/${command}`, { method: 'POST',
    headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  await ask('jobs', { spec: { prompt: 'a circle', width: 512, height: 512, steps: 200 } });
  await ask('jobs', { spec: { prompt: 'a square' } });
  const v = await visit(server.url, { width: 360, height: 740 });
  const wall = () => v.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await wall();
  // without what loads it anew, in the middle of a look
  const html = await fetch(`${server.url}queue`, { headers: { Accept: 'text/html' } })
    .then((answer) => answer.text());
  await v.page.goto(`${server.url}style.css`); // nothing runs there
  await v.page.setContent(html.replace(/<meta http-equiv="refresh"[^>]*>/, ''));
  await v.reads('table', /%[^]*waits, place 1/);
  assert.equal(await wall(), before);
  await v.axe('/queue at 360 px');
  assert.equal(await v.page.getByRole('link', { name: 'Open the page' }).getAttribute('href'),
    './#/queue');
  await ask('cancel', { all: true });
  await v.leave();
});

test('every file comes with the strict policy, and none from elsewhere', async () => {
  const answer = await fetch(server.url);
  const policy = answer.headers.get('content-security-policy');
  assert.equal(policy, CSP);
  const html = await answer.text();
  const [inside, ...more] = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map((m) => m[1]);
  const digest = createHash('sha256').update(inside).digest('base64');
  assert.ok(policy.includes(`script-src 'self' 'sha256-${digest}';`), digest);
  assert.deepEqual(more, []);
  assert.doesNotMatch(html, /https?:|\son\w+=|\sstyle=/);
  for (const [, path] of html.matchAll(/(?:src|href)="([^"#]+)"/g)) {
    assert.equal((await fetch(new URL(path, server.url))).status, 200, path);
  }
});
