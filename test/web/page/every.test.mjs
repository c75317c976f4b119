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
  let [rows, end] = [0, -Infinity];
  for (const { top, bottom } of [...document.querySelectorAll('.top > *, .prefs > *')].filter(seen)
    .map((e) => e.getBoundingClientRect()).sort((a, b) => a.top - b.top)) {
    if (top > end - 4) rows += 1;
    end = Math.max(end, bottom);
  }
  if (rows > 2) found.push(`the header has ${rows} rows`);
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

test('the header has two rows at most, whoever one is, and each target its room', async () => {
  for (const [locale, name, role] of [['en-US', 'ada', 'user'], ['zh-CN', 'administrator', 'admin'],
      ['en-US', 'a-name.with_48-characters@a-very-long-domain.exam', 'admin'],
      ['zh-CN', '永远的管理员', 'admin']]) {
    play.fake.user = { ...USER, name, role };
    const v = await visit(url(), { locale });
    for (const width of [1300, 900, 768, 641, 640, 421, 420, 390, 360]) {
      await v.page.setViewportSize({ width, height: 740 });
      assert.deepEqual(await v.page.evaluate(faults), [], `${name} at ${width}`);
      const small = await v.page.evaluate(() => [...document
        .querySelectorAll('.top :is(a, button, summary)')].filter((e) => e.checkVisibility())
        .map((e) => [e.textContent.trim(), e.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 36 || height < 36).map(([words]) => words));
      assert.deepEqual(small, [], `${name} at ${width}`);
    }
    await v.reads('#status-model', locale === 'zh-CN' ? /^tiny（CPU）$/ : /^tiny on CPU$/);
    await v.leave();
  }
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
    const out = await v.page.locator('#signout').boundingBox();
    assert.ok(out.y >= facts.y + facts.height, `${out.y} at ${width}`);
    assert.ok(facts.x >= 0 && facts.x + facts.width <= width, `${facts.x} at ${width}`);
    assert.deepEqual(await v.page.evaluate(faults), [], `${width}`);
    await v.page.keyboard.press('Escape');
  }
  await v.leave();
});

/** Every sentence of the server's own in a message; its error codes, names and ids stay. */
const marked = (value, key = '', of = '') => {
  if (Array.isArray(value)) return value.map((one) => marked(one, key, of));
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, one]) =>
      [name, marked(one, name, key)]));
  }
  const sentence = ['message', 'hint', 'why_cap', 'disk', 'text', 'doc'].includes(key)
    || (key === 'why' && of === 'concurrency');
  return sentence && typeof value === 'string' ? 'SERVER SAYS' : value;
};

/** Where such a sentence stands as if it were Chinese. Runs in the page. */
const foreign = () => {
  const names = ['title', 'aria-label', 'aria-valuetext', 'alt', 'placeholder'];
  return [...document.querySelectorAll('body *')].filter((e) => !e.closest('[lang=en]'))
    .flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data)
      .concat(names.map((name) => e.getAttribute(name) ?? ''))
      .filter((words) => words.includes('SERVER SAYS')).map((words) => `${e.outerHTML} ${words}`));
};

test('no sentence of the server stands on a Chinese page as if it were Chinese', async () => {
  const { fake } = play;
  const send = fake.send.bind(fake);
  fake.send = (c, m) => send(c, m instanceof Buffer ? m : marked(m));
  fake.user = { ...USER, role: 'admin' };
  fake.reads = true;
  fake.disk = 'full';
  fake.devices = () => [{ why: 'lost', tries: 3, message: 'gone' },
    { why: 'option', cap: 1, fits: 2, width: 256, height: 256, picture_bytes: 5e7, bytes: 1e8 }];
  fake.notices = [{ kind: 'drain', text: 'x', own: true, at_ms: Date.now() + 600_000 },
    { kind: 'quota', text: 'x', own: true, count: 1, bytes: 5, at_ms: Date.now() + 600_000 },
    { kind: 'removed', text: 'x', own: true, count: 2, bytes: 5, at_ms: Date.now() }];
  const v = await visit(url(), { locale: 'zh-CN' });
  await v.ask('fail it', 'timeout', 'a circle');
  await arrived(3);
  fake.run(3000);
  await v.ask('refuse', 'full', 'hold it');
  await v.page.locator('.card[data-state=refused] .errors').first().waitFor();
  await v.page.locator('.card[data-state=failed] .errors').first().waitFor();
  await v.page.route('**/v1/images*', (route) => route.fulfill({ status: 422, json:
    marked({ code: 'bad_image', message: 'x', hint: 'x' }) }));
  await v.page.setInputFiles('#sources input[type=file]', { name: 'a.png', mimeType: 'image/png',
    buffer: Buffer.from('x') });
  await v.reads('#sources-error', /^无法使用 a\.png。请换一张图片，或另存为 PNG 或 JPEG 格式。 SERVER SAYS$/);
  assert.match(await v.page.getAttribute('#status-line', 'title'),
    /^服务器的磁盘.*设备 0：设备没有恢复：已尝试 3 次。设备 1：.*限制为 1 张。.*50 MB，共 100 MB。$/);
  for (const page of PAGES) {
    await v.page.evaluate((page) => { location.hash = `#/${page}`; }, page);
    await v.page.waitForSelector(page ? `.page-${page} .page-title:not(:empty)` : '#room');
    if (page === 'admin') {
      await v.reads('.admin-lines', /SERVER SAYS/);
      await v.reads('.admin-health [data-row=cap] dd', /^2 张。服务器的磁盘/);
      await v.reads('.admin-health .help', /^SERVER SAYS · SERVER SAYS$/);
      await v.reads('.admin-controls .warning', /^服务器最迟在约 10 分钟后停止。$/);
      await v.reads('.admin-limits .help, .admin-controls .help', /限制为 1 张/);
      await v.page.fill('#admin-queue-field', '0');
      await v.page.locator('.admin-controls').getByRole('button', { name: '应用' }).click();
      await v.reads('.admin-controls .field-error', /^可等待的数量：1 到 4,?096 的整数。$/);
    }
    assert.deepEqual(await v.page.evaluate(foreign), [], page);
  }
  await v.leave(/status of 422/);
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
