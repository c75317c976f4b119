// access - every page by keyboard alone and checked by axe: both themes, 360 px, 200 % zoom.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PAGES } from '../../../frontend/pages.js';
import { stage, visit } from './harness.mjs';

const play = stage({}, false);
const NAMES = ['room', ...Object.keys(PAGES).filter((name) => PAGES[name].listed !== false)];

/** Open a page of the program, and wait until it is there. */
async function open(v, name) {
  await v.page.evaluate((name) => {
    location.hash = name === 'room' ? '#/' : `#/${name}`;
  }, name);
  await v.page.waitForFunction((name) => document.documentElement.dataset.page === name, name);
  if (name !== 'room') {
    await v.page.waitForFunction((name) =>
      document.querySelector(`.page-${name}`)?.childElementCount > 0
      && !document.querySelector('.page-failed'), name);
  }
}

/** In a suite: one visit for its tests, to a server with jobs that wait, run and are done. */
function visitFor(options) {
  const it = { v: /** @type {any} */ (null) };
  before(async () => {
    await play.begin();
    it.v = await visit(play.url(), options);
    await it.v.ask('a lighthouse', 'hold a boat', 'hold a house', 'hold a tree');
    await play.arrived(4);
    play.fake.run(3000);
    await it.v.state('a lighthouse', 'done');
  });
  after(async () => {
    await it.v?.leave();
    await play.end();
  });
  return it;
}

/** What the focus is on, and whether that can be seen. Runs in the page. */
function focused() {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const name = e.id || e.className || e.tagName;
  // in a grid the active cell shows it
  const active = document.getElementById(e.getAttribute('aria-activedescendant') ?? '');
  const face = e.matches('.size input') ? e.nextElementSibling : active ?? e;
  const box = e.getBoundingClientRect();
  const label = e.getAttribute('aria-label') || e.textContent.trim() || e.title
    || e.labels?.[0]?.textContent || e.placeholder || document
    .getElementById(e.getAttribute('aria-labelledby') ?? '')?.textContent;
  return { name, ring: getComputedStyle(face).outlineStyle, label: Boolean(label),
    inside: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight };
}

describe('Tab reaches things that are named, seen and in the window, and comes round', () => {
  const it = visitFor({ width: 1280, height: 800 });
  for (const name of NAMES) {
    test(name, async () => {
      const { v } = it;
      await open(v, name);
      await v.page.evaluate(() => document.getElementById('skip').focus());
      const reached = [];
      for (let i = 0; i < 150; i++) {
        await v.page.keyboard.press('Tab');
        const here = await v.page.evaluate(focused);
        if (!here) break;
        reached.push(here.name);
        assert.ok(here.ring !== 'none', `${name}: ${here.name} shows no focus`);
        assert.ok(here.label, `${name}: ${here.name} has no name`);
        assert.ok(here.inside, `${name}: ${here.name} is out of the window`);
      }
      assert.ok(reached.length > 4 && reached.length < 150, `${reached.length}: ${reached}`);
      assert.equal(reached.filter((r) => r === 'page-link').length, NAMES.length);
    });
  }
});

for (const [colorScheme, width, height, locale] of [['light', 1280, 900, 'en-US'],
  ['dark', 360, 780, 'zh-CN'], ['dark', 640, 400, 'en-US']]) {
  describe(`axe finds nothing: ${colorScheme}, ${width} px, ${locale}`, () => {
    const it = visitFor({ colorScheme, width, height, locale });
    for (const name of NAMES) {
      test(name, async () => {
        const { v } = it;
        await open(v, name);
        await v.page.evaluate(() => document.querySelectorAll('#inside details')
          .forEach((d) => { d.open = true; }));
        await v.axe(`${name}, ${colorScheme}, ${width} px`);
      });
    }
  });
}

test('the pages are reached by keyboard alone, and the focus goes with them', async () => {
  await play.begin();
  const v = await visit(play.url());
  for (const name of NAMES.slice(1)) {
    await v.page.focus(`.page-link[href="#/${name}"]`);
    await v.page.keyboard.press('Enter');
    await v.page.waitForFunction((name) => document.documentElement.dataset.page === name, name);
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'page', name);
    // what the page has is fetched when it is first opened
    const inside = v.page.locator('#page').locator('a, button, input').locator('visible=true');
    await inside.first().waitFor();
    await v.page.keyboard.press('Tab');
    const at = await v.page.evaluate(() =>
      document.activeElement.closest('#page, #notice')?.id ?? document.activeElement.tagName);
    assert.ok(['page', 'BODY', 'notice'].includes(at), `${name}: the next Tab is in ${at}`);
  }
  await v.leave();
  await play.end();
});
