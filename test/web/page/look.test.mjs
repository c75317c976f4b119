// look - two languages, two themes, three widths: nothing is missing, illegible or out of reach.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;

describe('two languages, two themes, three widths', () => {
  test('Chinese, by choice and by the browser; the choice stays', async () => {
    const v = await visit(url());
    await v.page.click('#language');
    await v.page.waitForSelector('html[lang=zh-Hans]');
    await v.ask('夜晚的雪地', 'hold 二', 'hold 三', '这个会 fail');
    await arrived(4);
    play.fake.run(100);
    await v.reads('#status-line', /^队列：同时 2 张$/);
    await v.reads('.card[data-state=queued] .what', /排在第 2 位/);
    await v.page.waitForFunction(() => /[\u4e00-\u9fff]/.test(
      document.getElementById('live').textContent));
    const labels = '#live, button, .what, .when, .why, h2, h3, legend, dt, .help, '
        + 'summary > span, label';
    const words = await v.page.evaluate((selector) => [...document.querySelectorAll(selector)]
      .filter((e) => e.checkVisibility() && !e.closest('[lang=en], .example, .prompt-line'))
      .map((e) => e.textContent.trim()), labels);
    const english =
      words.filter((w) => /[A-Za-z]{3}/.test(w.replace(/darkroom|English|Ctrl|hold|fail/g, '')));
    assert.deepEqual(english, []);
    await v.page.reload();
    await v.reads('#generate span', /^生成$/);
    await v.page.click('#language');
    await v.reads('#generate span', /^Generate$/);
    await v.page.getByRole('button', { name: 'Use settings' }).first().click();
    await v.announced(/^The settings are in the form\.$/);
    await v.page.click('#language');
    await v.reads('#live', /^设置已填入表单。$/);
    await v.page.click('#language');
    await v.leave();
    const w = await visit(url(), { locale: 'zh-CN' });
    assert.equal(await w.text('#generate span'), '生成');
    await w.leave();
  });

  test('a failure in Chinese is Chinese', async () => {
    const v = await visit(url(), { locale: 'zh-CN' });
    await v.ask('会 fail');
    await arrived(1);
    play.fake.run(1500);
    await v.reads('.errors', /绘图设备出错。[\s\S]*请再试一次/);
    await v.leave();
  });

  test('the theme follows the system until it is chosen, and the choice stays', async () => {
    const v = await visit(url(), { colorScheme: 'dark' });
    const back = () => v.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await back();
    await v.page.emulateMedia({ colorScheme: 'light' });
    const light = await back();
    assert.notEqual(dark, light);
    await v.page.click('#theme');
    assert.equal(await back(), dark);
    await v.page.reload();
    assert.equal(await back(), dark);
    await v.leave();
  });

  test('on a small screen: strange prompts stay inside, everything can be touched', async () => {
    const v = await visit(url(), { width: 360, height: 740 });
    await v.ask('منارة بجانب البحر في الليل', 'Sesquipedaliophobia'.repeat(20), 'and '.repeat(3000),
      '日の出', 'a lighthouse', 'this will fail');
    await arrived(6);
    play.fake.run(9000);
    await v.state('this will fail', 'failed');
    await v.page.evaluate(() => { document.querySelectorAll('details')
      .forEach((d) => { d.open = true; }); });
    assert.deepEqual(await v.page.evaluate(() => [...document.querySelectorAll('.prompt-line')]
      .map((e) => [getComputedStyle(e).direction, e.lang]).filter(String).slice(-3)),
      [['ltr', ''], ['ltr', ''], ['rtl', '']]);
    assert.equal(await v.page.locator('.prompt-line[lang=ja]').count(), 1);
    const found = await v.page.evaluate(() => {
      const targets = [...document.querySelectorAll('button, a, input, textarea, summary')]
        .filter((e) => e.checkVisibility() && !e.matches('.skip, .open, [aria-hidden]'));
      const small = targets.filter((e) => {
        const { width, height } = e.getBoundingClientRect();
        return Math.min(width, height) < (e.matches('.card button, .card a, #generate') ? 40 : 24);
      });
      const out = [...document.querySelectorAll('body *')]
        .filter((e) => e.checkVisibility() && !e.closest('.skip, .sr, .viewer')
        && e.getBoundingClientRect().right > innerWidth + 1);
      return { small: small.map((e) => e.outerHTML.slice(0, 120)),
        out: out.map((e) => e.outerHTML.slice(0, 120)),
        wide: document.documentElement.scrollWidth };
    });
    assert.deepEqual(found, { small: [], out: [], wide: 360 });
    await v.leave();
  });

  test('whatever Tab reaches shows that it has the focus', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    play.fake.run(3000);
    await v.state('a lighthouse', 'done');
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.focus('.skip');
    const reached = [];
    for (let i = 0; i < 40; i++) {
      await v.page.keyboard.press('Tab');
      const here = await v.page.evaluate(() => {
        const e = document.activeElement;
        const ring = getComputedStyle(e.matches('.size input') ? e.nextElementSibling : e);
        const { top, bottom, left } = e.getBoundingClientRect();
        const inside = document.elementFromPoint(left + 2,
          (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2);
        return { name: e.id || e.className || e.tagName, ring: ring.outlineStyle,
          seen: e.contains(inside) || !!inside?.closest('label, .print')?.contains(e) };
      });
      if (here.name === 'BODY') break;
      reached.push(here.name);
      assert.equal(here.ring, 'solid', here.name);
      assert.ok(here.seen, `${here.name} is covered`);
    }
    for (const name of ['language', 'theme', 'prompt', 'width', 'height', 'steps', 'guidance',
        'seed', 'dice', 'generate', 'open']) {
      assert.ok(reached.includes(name), `${name} is not among ${reached}`);
    }
    assert.deepEqual(reached.filter((name) => ['prompt', 'steps', 'generate', 'open']
      .includes(name)), ['prompt', 'steps', 'generate', 'open'], 'in reading order');
    await v.leave();
  });

  // 640 x 400: a window of 1280 x 800 at 200 % zoom
  for (const [width, height] of [[360, 640], [360, 800], [320, 568], [640, 400], [1300, 850]]) {
    test(`the notice lies over nothing that is used: ${width}x${height}`, async () => {
      const v = await visit(url(), { width, height });
      await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
      await play.fake.stop();
      await v.page.waitForSelector('#notice:not([hidden])');
      const found = await v.page.evaluate(async () => {
        const frame = () => new Promise((then) =>
          requestAnimationFrame(() => requestAnimationFrame(then)));
        const [notice, go] = ['#notice', '.go'].map((s) => document.querySelector(s));
        const covered = [];
        const used = document.querySelectorAll(
          '#composer :is(button, input, textarea, summary):not([aria-hidden])');
        const coverOf = async (e) => {
          e.blur();
          e.focus();
          await frame();
          const { top, bottom, left, width } = e.getBoundingClientRect();
          const at = document.elementFromPoint(left + width / 2, Math.max(top + 2, bottom - 4));
          return e.contains(at) || at?.closest('label')?.contains(e) ? null
            : `${e.id || e.textContent} at ${top}: ${at?.outerHTML.slice(0, 80)}`;
        };
        // asked again: the notice may have grown by a line between the focus and the look
        for (const e of used) {
          const cover = e.checkVisibility() && await coverOf(e) && await coverOf(e);
          if (cover) covered.push(cover);
        }
        for (let y = 0; y < document.documentElement.scrollHeight; y += 60) {
          scrollTo(0, y);
          await frame();
          const [n, g] = [notice, go].map((e) => e.getBoundingClientRect());
          const over = Math.min(n.bottom, g.bottom) - Math.max(n.top, g.top) > 0.5
            && n.left < g.right && g.left < n.right;
          if (over && getComputedStyle(go).position === 'sticky' && g.top < n.top) {
            covered.push(`Generate at ${y}`);
          }
        }
        return covered;
      });
      assert.deepEqual(found, []);
      await v.leave(BROKEN_CONNECTION);
    });
  }

  test('prefers-reduced-motion: nothing moves', async () => {
    const v = await visit(url());
    await v.ask('hold it', 'hold that', 'and wait');
    await arrived(3);
    play.fake.run(900);
    await v.card('hold it').locator('img.shot').first().waitFor();
    assert.deepEqual(await v.page.evaluate(() => document.getAnimations()
      .map((a) => a.animationName ?? a.transitionProperty)), []);
    await v.leave();
  });

  for (const [width, colorScheme, other, locale] of [[360, 'dark', 'light', 'zh-CN'],
      [1440, 'light', 'dark', 'en-US']]) {
    test(`axe finds nothing: ${width} px, ${locale}`, async () => {
      const v = await visit(url(), { width, colorScheme, locale });
      await v.axe('empty');
      await v.page.evaluate(() => { document.querySelectorAll('details')
        .forEach((d) => { d.open = true; }); });
      await v.page.click('#generate');
      await v.axe('form with an error');
      await v.ask('a lighthouse', 'this will fail', 'please refuse', 'hold a'.repeat(60), 'hold b',
        'hold c', 'hold d');
      await arrived(6);
      play.fake.run(2600);
      await v.state('a lighthouse', 'done');
      await v.card('a lighthouse').locator('img.final').waitFor();
      await v.axe('many');
      await v.page.emulateMedia({ colorScheme: other });
      await v.axe(`many, ${other}`);
      await v.card('a lighthouse').locator('.open').click();
      await v.axe('large view');
      await v.page.keyboard.press('Escape');
      await play.fake.stop();
      await v.page.waitForSelector('#notice:not([hidden])');
      await v.axe('line broken');
      await v.leave(BROKEN_CONNECTION);
    });
  }

  test('what moves without end is moved, not painted anew in every frame', async () => {
    const v = await visit(url(), { reducedMotion: 'no-preference' });
    await v.ask('hold it', 'hold that', 'and wait');
    await arrived(3);
    play.fake.run(100);
    await v.page.waitForFunction(() => document.querySelectorAll('.card[data-state=running]').length
      === 2);
    const moved = await v.page.evaluate(() => document.getAnimations()
      .filter(({ effect }) => effect.getTiming().iterations === Infinity)
      .map(({ animationName, effect }) => [animationName, effect.getKeyframes().flatMap((frame) =>
        Object.keys(frame).filter((name) => !/offset|easing|composite/i.test(name)))]));
    assert.deepEqual([...new Set(moved.map(([name]) => name))].sort(), ['breathe', 'rinse']);
    assert.deepEqual([...new Set(moved.flatMap(([, names]) => names))].sort(),
      ['opacity', 'transform']);
    await v.leave();
  });

  test('without prefers-reduced-motion there are no console messages either', async () => {
    const v = await visit(url(), { reducedMotion: 'no-preference', width: 768 });
    await v.ask('a lighthouse');
    await arrived(1);
    await play.preview(v);
    // the next one fades in over one that stands; a sooner one would take its place
    await v.page.waitForFunction(() => document.querySelector('img.shot').getAnimations()
      .every(({ playState }) => playState === 'finished'));
    await play.preview(v);
    assert.equal(await v.page.locator('img.shot').count(), 2);
    assert.equal(await v.page.evaluate(() =>
      getComputedStyle(document.querySelector('.print img')).opacity), '1',
      'the paper does not shine through');
    play.fake.run(2000);
    await v.page.waitForFunction(() => document.querySelectorAll('.print img').length === 1
      && document.querySelector('.print img.final'));
    await v.leave();
  });
});
