// stored - the page starts whatever the browser stored: nothing, too much, or another shape.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;

/** Every odd value of each of these names is tried in one storage after another. */
const ODD = ['', '{', 'null', '5', '"x"', '[]', '{}', '[null]', '{"a":{"b":[]}}'];
const SHAPES = [null, true, 0, -1, '', 'x', [], {}, [null], { width: 'x' }];
const HELLO = { type: 'hello', boot_id: 'old', model: { name: 'm', device: 'cpu' }, fields: [],
  sizes: [{ width: 256, height: 256 }], examples: ['an old example'], defaults: { steps: 5 },
  limits: {}, concurrency: { cap: 1 } };
const DRAFT = { prompt: 'typed before', width: 256, height: 256, steps: 9, guidance: 2, seed: 5 };

/** Reload with this storage; the page must be whole. */
async function reload(v, entries) {
  await v.page.evaluate((entries) => {
    localStorage.clear();
    for (const [name, value] of entries) localStorage.setItem(name, value);
  }, entries);
  await v.page.reload();
  await v.page.waitForSelector(':root[data-connection=open]');
  assert.equal(await v.page.locator('.size').count(), 4, JSON.stringify(entries));
  assert.equal(await v.page.isVisible('#generate'), true);
}

describe('what the browser stored', () => {
  test('under every name in every odd shape: the page starts and works', async () => {
    const v = await visit(url());
    const names = ['darkroom.draft', 'darkroom.hello', 'darkroom.lang', 'darkroom.theme',
      'darkroom.job.', 'darkroom.job.x', `darkroom.job.${'k'.repeat(24)}`];
    for (const odd of ODD) await reload(v, names.map((name) => [name, odd]));
    // every second member; the unit tests try each alone
    const half = (whole, odd, rest) => JSON.stringify(Object.fromEntries(Object.entries(whole)
      .map(([name, value], i) => [name, i % 2 === rest ? odd : value])));
    for (const odd of SHAPES.filter((_, i) => i % 2 === 0)) {
      for (const rest of [0, 1]) {
        await reload(v, [['darkroom.hello', half(HELLO, odd, rest)],
          ['darkroom.draft', half(DRAFT, odd, rest)]]);
      }
    }
    await v.ask('a lighthouse');
    await arrived(1);
    await v.leave();
  });

  test('cards of another shape: what can be shown is shown, the rest is told', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse', 'hold on');
    await arrived(2);
    play.fake.run(2000);
    await v.state('a lighthouse', 'done');
    const kept = await v.page.evaluate(() => Object.entries(localStorage)
      .filter(([name]) => name.startsWith('darkroom.job.')));
    const entries = [...kept, ['darkroom.job.damaged', '{"key":'],
      ['darkroom.job.newer', '{"version":2,"picture":{}}']];
    const [name, text] = kept.find(([, one]) => JSON.parse(one).state === 'done');
    const record = JSON.parse(text);
    for (const [i, member] of Object.keys(record).entries()) {
      for (const [j, odd] of SHAPES.entries()) {
        const key = `odd-${i}-${j}`;
        entries.push([`darkroom.job.${key}`,
          JSON.stringify({ ...record, key, created: 1, [member]: odd })]);
      }
    }
    assert.ok(name && entries.length > 100);
    await reload(v, entries);
    await v.reads('#notice-text', /^\d+ stored pictures cannot be shown: their entries/);
    await v.state('a lighthouse', 'done');
    await v.state('hold on', 'running');
    const cards = await v.page.locator('.card').count();
    assert.ok(cards > 80, `${cards} cards`);
    assert.equal(await v.page.evaluate(() => localStorage.getItem('darkroom.job.damaged')), null);
    assert.notEqual(await v.page.evaluate(() => localStorage.getItem('darkroom.job.newer')), null);
    await reload(v, [['darkroom.job.damaged', '{"key":']]);
    await v.announced(/^1 stored picture cannot be shown/);
    await reload(v, [['darkroom.draft', '{"prompt":5,"steps":9}']]);
    await v.announced(/^The words that were in the form cannot be shown/);
    assert.equal(await v.page.inputValue('#steps'), '9', 'the rest is kept');
    await v.leave();
  });

  test('a full storage: the page says what a reload would lose, and makes room', async () => {
    const v = await visit(url());
    await v.page.evaluate(() => {
      for (let size = 2 ** 22; size >= 1; size = Math.floor(size / 2)) {
        for (;;) {
          try {
            localStorage.setItem(`other.${Math.random()}`, 'x'.repeat(size));
          } catch {
            break;
          }
        }
      }
    });
    await v.ask('hold one', 'hold two');
    await arrived(2);
    await v.reads('#unsaved', /^This browser has no room to store 2 pictures: after a reload/);
    await v.announced(/no room to store/);
    await v.axe('full');
    await v.page.evaluate(() => localStorage.clear());
    await v.ask('hold three');
    await arrived(3);
    play.fake.run(100);
    await v.page.waitForSelector('#unsaved', { state: 'hidden' });
    await v.page.reload();
    await v.cards(3);
    await v.leave();
  });
});
