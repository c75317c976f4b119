// every - what holds on every page, in both languages and themes and at three widths: no link in
// the browser's own blue, as wide as the header, nothing cut or beside the window.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage, visit } from './harness.mjs';

const play = stage({ cap: 2 });
const { url, arrived } = play;
const PAGES = ['', 'gallery', 'queue', 'admin'];
const WINDOWS = [[1300, 850], [768, 1024], [360, 740]];

/** What is wrong on the page on view. Runs in the page. */
const faults = () => {
  const found = [];
  const seen = (e) => e.checkVisibility({ opacityProperty: true }) && e.getClientRects().length;
  const probe = document.createElement('a');
  probe.href = '#x';
  probe.style.all = 'revert';
  document.body.append(probe);
  const { color: blue } = getComputedStyle(probe);
  probe.remove();
  for (const link of document.querySelectorAll('a')) {
    if (seen(link) && getComputedStyle(link).color === blue) found.push(`blue: ${link.outerHTML}`);
  }
  const sides = (e) => {
    const { left, right } = e.getBoundingClientRect();
    const { paddingLeft, paddingRight } = getComputedStyle(e);
    return [left + parseFloat(paddingLeft), right - parseFloat(paddingRight)].map(Math.round);
  };
  const inner = document.querySelector('#page:not([hidden]) > section:not([hidden])');
  const [header, page] = [document.querySelector('.top'), inner].map((e) => e && sides(e));
  if (page && String(page) !== String(header)) found.push(`${page} is not ${header} as the header`);
  if (document.documentElement.scrollWidth > innerWidth) found.push('scrolls sideways');
  const [dot, prefs] = ['.connection', '.prefs'].map((place) =>
    document.querySelector(place).getBoundingClientRect());
  if (innerWidth - prefs.right > 36) found.push('what is at the right is elsewhere');
  const ends = dot.bottom > prefs.top ? prefs.left : innerWidth;
  if (ends - dot.right > 36) found.push('the connection is far from what is at the right');
  const cut = '.mark, .queue-place, .page-title, .admin-table td, .account-facts dt, .line-ticks b';
  for (const e of document.querySelectorAll(cut)) {
    if (!seen(e)) continue;
    const box = e.getBoundingClientRect();
    const words = document.createRange();
    words.selectNodeContents(e);
    const lines = new Set([...words.getClientRects()].map(({ top }) => Math.round(top))).size;
    if (e.matches('.mark, .account-facts dt') && lines > 1) found.push(`wraps: ${e.innerText}`);
    const around = e.closest('.line-ticks, .admin-table')?.getBoundingClientRect();
    if (around && box.top < around.bottom && (box.right > around.right + 1)) {
      found.push(`cut: ${e.innerText}`);
    }
  }
  return found;
};

const USER = { name: 'ada', role: 'user', lanes: ['urgent', 'normal', 'batch'], weight: 1,
  limits: {} };

for (const [locale, colorScheme] of [['en-US', 'light'], ['zh-CN', 'dark']]) {
  for (const busy of [false, true]) {
    test(`${busy ? 'jobs' : 'nothing'} to show, ${locale}, ${colorScheme}`, async () => {
      const v = await visit(url(), { locale, colorScheme });
      if (busy) {
        await v.ask('hold a red circle', 'hold a lighthouse', 'a boat with a red sail '.repeat(6),
          'منارة بجانب البحر في الليل', 'the last one');
        await arrived(5);
        play.fake.run(900);
        await v.page.waitForFunction(() => document.querySelectorAll('#traffic li').length === 5);
      }
      for (const page of PAGES) {
        await v.page.evaluate((page) => { location.hash = `#/${page}`; }, page);
        await v.page.waitForSelector(page ? `.page-${page} .page-title:not(:empty)` : '#room');
        if (busy && page === 'queue') await v.page.waitForSelector('.queue-own');
        for (const [width, height] of WINDOWS) {
          await v.page.setViewportSize({ width, height });
          assert.deepEqual(await v.page.evaluate(faults), [], `${page} at ${width}`);
        }
      }
      await v.leave();
    });
  }
}

test('a page with nothing on it leads to a picture, and has nothing to search in', async () => {
  const v = await visit(`${url()}#/gallery`);
  for (const [page, words] of [['gallery', 'Make one'], ['queue', 'Make one']]) {
    await v.page.evaluate((page) => { location.hash = `#/${page}`; }, page);
    const link = v.page.locator(`.page-${page}`).getByRole('link', { name: words });
    await link.click();
    await v.page.locator('#room').waitFor();
  }
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await v.page.getByRole('link', { name: 'Make one' }).waitFor();
  await v.page.getByRole('searchbox').waitFor({ state: 'hidden' });
  await v.page.locator('.gallery-bar').waitFor({ state: 'hidden' });
  await v.leave();
});

test('who one is opens below one\'s name, each fact in one line', async () => {
  play.fake.user = USER;
  const v = await visit(url());
  for (const [width, height] of WINDOWS) {
    await v.page.setViewportSize({ width, height });
    await v.page.click('#who');
    const [who, facts] = await Promise.all(['#who', '#account-facts'].map((id) =>
      v.page.locator(id).boundingBox()));
    assert.ok(facts.y >= who.y + who.height, `${facts.y} at ${width}`);
    assert.ok(facts.x >= 0 && facts.x + facts.width <= width, `${facts.x} at ${width}`);
    assert.deepEqual(await v.page.evaluate(faults), [], `${width}`);
    await v.page.keyboard.press('Escape');
  }
  await v.leave();
});

test('who may only look on is told so, before and after it is tried', async () => {
  play.fake.user = { ...USER, role: 'viewer' };
  const v = await visit(url());
  await v.reads('#quote', /^You may look on here, but not ask for pictures\.$/);
  await v.page.click('#language');
  await v.reads('#quote', /^你的账户只能观看/);
  await v.leave();
});

test('in a large view the first buttons are in the window, at every width', async () => {
  const v = await visit(url());
  await v.page.locator('.size', { hasText: '256 × 384' }).click();
  await v.ask('a lighthouse');
  await arrived(1);
  play.fake.run(3000);
  await v.state('a lighthouse', 'done');
  await v.card('a lighthouse').locator('.open').click();
  const box = v.page.locator('#viewer a[download]');
  await box.waitFor();
  for (const [width, height] of WINDOWS) {
    await v.page.setViewportSize({ width, height });
    const { y, height: tall } = await box.boundingBox();
    assert.ok(y + tall <= height, `${y + tall} of ${height} at ${width}`);
  }
  await v.leave();
});

/** What has the focus: its name, whether that can be seen, and whether something covers it. Runs in
 * the page. */
const focused = () => {
  const e = document.activeElement;
  const shown = e.matches('.size input') ? e.nextElementSibling
    : document.getElementById(e.getAttribute('aria-activedescendant')) ?? e;
  const { outlineStyle } = getComputedStyle(shown);
  const { left, top, bottom } = e.getBoundingClientRect();
  const at = document.elementFromPoint(Math.max(left, 0) + 3,
    (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2);
  return { name: `${e.tagName} ${e.id || e.className || e.innerText}`, ring: outlineStyle,
    seen: e === document.body || e.contains(at) || !!at?.closest('label')?.contains(e) };
};

test('by keyboard alone: on every page Tab goes through all and out again', async () => {
  const v = await visit(url());
  await v.ask('a red circle', 'hold a lighthouse', 'hold a boat', 'three stars', 'the last one');
  await arrived(5);
  play.fake.run(3000);
  await v.state('a red circle', 'done');
  for (const page of PAGES.slice(1)) {
    await v.page.evaluate((page) => { location.hash = `#/${page}`; }, page);
    await v.page.waitForSelector(`.page-${page} .page-title:not(:empty)`);
    if (page === 'queue') await v.page.waitForSelector('.queue-own');
    if (page === 'gallery') await v.page.waitForSelector('.cell img');
    await v.page.focus('#skip');
    const reached = [];
    for (;;) {
      await v.page.keyboard.press('Tab');
      const { name, ring, seen } = await v.page.evaluate(focused);
      if (name.startsWith('BODY')) break;
      assert.ok(ring !== 'none', `${page}: ${name} shows no focus`);
      assert.ok(seen, `${page}: ${name} is covered`);
      reached.push(name);
      assert.ok(reached.length < 120, `${page}: no way out of ${reached.slice(-3)}`);
    }
    const due = await v.page.evaluate((page) => [...document.querySelectorAll(
      `.page-${page} :is(button, a, input, select, textarea, summary)`)].filter((e) =>
      e.checkVisibility() && e.tabIndex >= 0 && !e.closest('.cell')).length, page);
    const own = reached.length - await v.page.evaluate(() => [...document.querySelectorAll(
      '.top :is(button, a, summary)')].filter((e) => e.checkVisibility()).length);
    assert.ok(own >= due && due > 0, `${page}: ${own} of ${due}: ${reached}`);
    await v.axe(page);
  }
  await v.leave();
});
