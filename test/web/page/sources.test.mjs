// sources - pictures that a request begins with, against the real program and a model that reads
// pictures (test/golden/edit): files, a drop, a paste, a result, and what is refused.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';

const MODEL = fileURLToPath(new URL('../../golden/edit/model', import.meta.url));
const server = new Server('--model', MODEL, '--concurrency', '1');
let plain; // of a model that says that it reads none
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-model-'));
  for (const part of await readdir(MODEL)) await symlink(join(MODEL, part), join(folder, part));
  await writeFile(join(folder, 'no_images.json'), '["It draws from words alone."]');
  plain = new Server('--model', folder);
  await Promise.all([openBrowser(), server.start(), plain.start()]);
});
after(async () => {
  await closeBrowser();
  await Promise.all([server.remove(), plain.remove(), rm(folder, { recursive: true })]);
});

/** PNG files of one colour, drawn by the browser. */
const files = (v, ...colors) => v.page.evaluate((all) => Promise.all(all.map(async (color) => {
  const canvas = new OffscreenCanvas(96, 64);
  const pen = canvas.getContext('2d');
  pen.fillStyle = color;
  pen.fillRect(0, 0, 96, 64);
  return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
})), colors).then((made) => made.map((bytes, i) => ({ name: `${colors[i]}.png`,
  mimeType: 'image/png', buffer: Buffer.from(bytes) })));
const kept = (v, n) => v.page.waitForFunction((wanted) => {
  const all = [...document.querySelectorAll('.sources-list li')];
  return all.length === wanted && all.every((one) => !one.dataset.waits);
}, n);
const newest = async () => {
  const answer = await fetch(`${server.url}v1/jobs?limit=1`);
  return (await answer.json()).jobs[0].spec;
};
const color = (v, digest) => v.page.evaluate(async (path) => {
  const image = await createImageBitmap(await (await fetch(path)).blob());
  const pen = new OffscreenCanvas(1, 1).getContext('2d');
  pen.drawImage(image, 0, 0);
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).join();
}, `v1/images/${digest}`);
const small = async (v) => {
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  await v.page.fill('#steps', '2');
  await v.page.fill('#width', '64');
  await v.page.fill('#height', '64');
};
/** The same event as a browser makes of files that are dropped or pasted. */
const bring = (v, type, [file]) => v.page.evaluate(([kind, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
  const how = { bubbles: true, cancelable: true };
  document.getElementById('prompt').dispatchEvent(kind === 'paste'
    ? new ClipboardEvent('paste', { ...how, clipboardData: data })
    : new DragEvent('drop', { ...how, dataTransfer: data }));
}, [type, file.name, [...file.buffer]]);

test('files, a drop and a paste, in an order that can be changed', async () => {
  const v = await visit(server.url);
  await small(v);
  await v.page.setInputFiles('#sources input[type=file]', await files(v, 'red', 'lime'));
  await kept(v, 2);
  await bring(v, 'drop', await files(v, 'blue'));
  await kept(v, 3);
  await bring(v, 'paste', await files(v, 'black'));
  await kept(v, 4);
  assert.equal(await v.page.locator('#sources-add').isVisible(), false, 'four are enough');
  await bring(v, 'paste', await files(v, 'white'));
  await v.reads('#sources-error', /can begin with 4 pictures/);
  await v.axe('four pictures');
  await v.page.getByRole('button', { name: 'Move picture 2 forward' }).click();
  await v.page.getByRole('button', { name: 'Remove picture 4' }).click();
  await v.ask('the same at night');
  await v.page.locator('.card[data-state=done]').first().waitFor({ timeout: 60_000 });
  const { images } = await newest();
  assert.deepEqual(await Promise.all(images.map((digest) => color(v, digest))),
    ['0,255,0', '255,0,0', '0,0,255']);
  await v.leave();
});

test('a result is begun with, and the settings bring its pictures back', async () => {
  const v = await visit(server.url);
  await small(v);
  await v.ask('first words');
  const card = v.card('first words');
  await card.locator('img.final').waitFor({ timeout: 60_000 });
  await card.getByRole('button', { name: /^Begin with it/ }).click();
  await kept(v, 1);
  await v.ask('second words');
  await v.card('second words').locator('img.final').waitFor({ timeout: 60_000 });
  const { images } = await newest();
  assert.equal(images.length, 1);
  await v.page.getByRole('button', { name: 'Remove picture 1' }).click();
  await kept(v, 0);
  await v.card('second words').getByRole('button', { name: /^Use settings/ }).click();
  await kept(v, 1);
  await v.page.reload();
  await v.page.waitForSelector(':root[data-connection=open]');
  await v.page.locator('.sources-list img').waitFor();
  await v.card('second words').locator('.open').click();
  await v.page.locator('#viewer').getByRole('button', { name: 'Begin with it' }).click();
  await kept(v, 2);
  assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
  await v.announced(/^The next picture begins with this one\./);
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await v.page.locator('.page-gallery .cell').first().click();
  await v.reads('.details dl', /Begins with\s+[0-9a-f]{8}/);
  await v.axe('a picture that began with another');
  await v.page.locator('.details').getByRole('button', { name: 'Begin with it' }).click();
  await kept(v, 3);
  const [first, second, third] = await v.page.$$eval('.sources-list img',
    (all) => all.map((image) => image.getAttribute('src')));
  assert.equal(second, third, 'the newest picture, from the large view and from the gallery');
  assert.notEqual(first, second);
  await v.leave();
});

test('what is no picture is told beside the form, and nothing is sent of it', async () => {
  const v = await visit(server.url);
  await v.page.setInputFiles('#sources input[type=file]',
    { name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') });
  await v.reads('#sources-error', /notes\.png cannot be used/);
  await kept(v, 0);
  await v.page.setInputFiles('#sources input[type=file]', await files(v, 'red'));
  await kept(v, 1);
  assert.equal(await v.page.locator('#sources-error').isVisible(), false);
  await v.leave(/422/);
});

test('a model that reads no pictures: there is no trace of them', async () => {
  const v = await visit(plain.url);
  assert.equal(await v.page.locator('#sources').isVisible(), false);
  await bring(v, 'paste', await files(v, 'red'));
  assert.equal(await v.page.locator('.sources-list li').count(), 0);
  await v.leave();
});
