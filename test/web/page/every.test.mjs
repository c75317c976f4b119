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
  const cut = '.mark, .queue-place, .page-title, .admin-table td, .account-facts dt, .line-ticks b';
  for (const e of document.querySelectorAll(cut)) {
    if (!seen(e)) continue;
    const box = e.getBoundingClientRect();
    const lines = Math.round((box.height - parseFloat(getComputedStyle(e).paddingTop)
      - parseFloat(getComputedStyle(e).paddingBottom)) / parseFloat(getComputedStyle(e).lineHeight));
    if (e.matches('.mark, .account-facts dt') && lines > 1) found.push(`wraps: ${e.innerText}`);
    const around = e.closest('.line-ticks, .admin-table')?.getBoundingClientRect();
    if (around && box.top < around.bottom && (box.right > around.right + 1)) {
      found.push(`cut: ${e.innerText}`);
    }
  }
  return found;
};

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
