// harness - a page under test in a browser: its console, its requests, and what tests read from it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before, beforeEach } from 'node:test';
import { launch } from '../browser.mjs';
import { Fake } from '../fake.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 120_000; // the machine may be busy

let browser;
/** Unused tabs by language, kept because opening one takes longer than a short test. */
const idle = new Map();
export async function openBrowser() {
  browser = await launch();
}
export async function closeBrowser() {
  await browser?.close();
  idle.clear();
}

/** Runs in the page before its scripts: records violations of the content security policy, what is
 * announced, blob URLs in use, and the pixels of every image that is put on a card. */
function watch() {
  if (location.protocol === 'about:') return;
  window.seen = { violations: [], announced: [], blobs: new Set(), shots: [] };
  const look = (image) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 24, height: 24 });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 24, 24);
    window.seen.shots.push({ of: image.closest('.card')?.querySelector('.prompt-line').textContent,
      kind: image.classList[0],
      pixels: context.getImageData(0, 0, 24, 24).data.join() });
  };
  new MutationObserver((records) => {
    for (const image of records.flatMap((r) => [...r.addedNodes])
        .filter((n) => n.tagName === 'IMG' && n.closest('.print'))) {
      if (image.complete) look(image);
      else image.addEventListener('load', () => look(image));
    }
  }).observe(document, { childList: true, subtree: true });
  document.addEventListener('securitypolicyviolation',
    (e) => window.seen.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  document.addEventListener('DOMContentLoaded', () => {
    const live = document.getElementById('live');
    if (!live) return; // not the page itself
    new MutationObserver(() => live.textContent && window.seen.announced.push(live.textContent))
      .observe(live, { childList: true });
  });
  const [make, drop] = [URL.createObjectURL, URL.revokeObjectURL];
  URL.createObjectURL = (x) => {
    const url = make.call(URL, x);
    window.seen.blobs.add(url);
    return url;
  };
  URL.revokeObjectURL = (url) => {
    window.seen.blobs.delete(url);
    drop.call(URL, url);
  };
}

const READS = ['count', 'evaluate', 'getAttribute', 'inputValue', 'isVisible'];

/** Reads do not wait, and the page draws what was done at its next animation frame: each read of a
 * page or a locator waits for that frame first. */
function readDrawn(page) {
  const look = page.evaluate.bind(page);
  const drawn = () => look(() => document.hidden
    || new Promise((done) => { requestAnimationFrame(done); })).catch(() => {}); // is leaving
  const wrap = (of) => {
    for (const read of READS.filter((name) => name in of)) {
      const now = of[read].bind(of);
      of[read] = async (...args) => {
        await drawn();
        return now(...args);
      };
    }
    for (const name of ['locator', 'getByRole', 'getByText', 'first', 'nth', 'last', 'filter']) {
      const make = of[name]?.bind(of);
      if (make) of[name] = (...args) => wrap(make(...args));
    }
    return of;
  };
  wrap(page);
}

/** For the tests of one file: a browser, and for each test a fake server whose time stands still
 * until run(); unless `each` is false: begin() and end() are then the file's, for several tests. */
export function stage(options = {}, each = true) {
  const play = {
    fake: /** @type {any} */ (null),
    begin: async () => {
      play.fake = await new Fake({ manual: true, pace: 1, ...options }).start();
    },
    end: async () => { await play.fake.stop().catch(() => {}); },
    url: () => `http://127.0.0.1:${play.fake.port}/`,
    /** Wait until something of the fake server is so. */
    until: async (so, ms = WAIT_MS, words = String(so)) => {
      const end = Date.now() + ms;
      while (!so() && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
      assert.ok(so(), words);
    },
    /** Run the newest job to its next preview, and wait until that is on its card. Previews that
     * come within one frame of the page are shown as one: run() alone does not show every one. */
    preview: async (v) => {
      const job = play.fake.jobs.at(-1);
      const seq = job.board.preview?.seq;
      const before = (await v.shots(job.spec.prompt)).length;
      while (job.board.preview?.seq === seq && job.state !== 'done') play.fake.run(50);
      assert.equal(job.state, 'running', 'there was another preview');
      await v.page.waitForFunction(([prompt, n]) => window.seen.shots
        .filter((shot) => shot.of?.includes(prompt)).length > n, [job.spec.prompt, before]);
    },
    /** Wait until n jobs were submitted. */
    arrived: async (n) => {
      await play.until(() => play.fake.jobs.length >= n, WAIT_MS, `${n} jobs`);
      assert.equal(play.fake.jobs.length, n);
    },
  };
  before(openBrowser);
  after(closeBrowser);
  if (each) {
    beforeEach(play.begin);
    afterEach(play.end);
  }
  return play;
}

/** A tab in this language. Console messages, errors and requests are collected in tab.log. */
async function tabOf(locale) {
  const free = idle.get(locale)?.pop();
  if (free) return free;
  const context = await browser.newContext({ locale });
  context.setDefaultTimeout(WAIT_MS);
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await context.addInitScript(watch);
  const page = await context.newPage();
  readDrawn(page);
  const tab = { context, page, locale, cdp: await context.newCDPSession(page),
    log: { complaints: [], asked: [] } };
  page.on('console', (m) => ['error', 'warning'].includes(m.type())
    && tab.log.complaints.push({ text: m.text(), at: m.location().url }));
  page.on('pageerror', (e) => tab.log.complaints.push({ text: String(e.stack), at: '' }));
  page.on('request', (r) => tab.log.asked.push(r.url()));
  return tab;
}

/** Open `url` with an empty storage. */
export async function visit(url,
    { width = 1280, height = 900, colorScheme = 'light', locale = 'en-US',
    reducedMotion = 'reduce', open = true } = {}) {
  const tab = await tabOf(locale);
  tab.log = { complaints: [], asked: [] };
  await tab.page.setViewportSize({ width, height });
  await tab.page.emulateMedia({ colorScheme, reducedMotion });
  await tab.page.goto(url);
  if (open) await tab.page.waitForSelector(':root[data-connection=open]');
  return new Visitor(tab, new URL(url).origin);
}

export class Visitor {
  constructor(tab, origin) {
    Object.assign(this, { tab, origin, page: tab.page, context: tab.context });
  }

  /** Type a prompt and generate. */
  async ask(...prompts) {
    for (const prompt of prompts) {
      await this.page.fill('#prompt', prompt);
      await this.page.press('#prompt', 'Control+Enter');
    }
  }

  /** The card whose prompt has these words. */
  card(words) {
    return this.page.locator('.card', { hasText: words }).first();
  }

  /** Wait until there are n cards. */
  async cards(n) {
    await this.page.waitForFunction((n) => document.querySelectorAll('.card').length === n, n);
  }

  async state(words, state) {
    await this.page.locator(`.card[data-state=${state}]`, { hasText: words }).first().waitFor();
  }

  async text(selector) {
    return (await this.page.locator(selector).first().innerText()).trim();
  }

  /** Wait until the text of `selector`, on the card with these words if there are any, matches. */
  async reads(selector, pattern, words = null) {
    const { source, flags } = pattern;
    const matches = ([selector, source, flags, words]) => {
      const place = words === null ? document : [...document.querySelectorAll('.card')]
        .find((card) => card.innerText.includes(words));
      const text = place?.querySelector(selector)?.innerText.trim();
      return text !== undefined && new RegExp(source, flags).test(text);
    };
    await this.page.waitForFunction(matches, [selector, source, flags, words], { polling: 50 })
        .catch(async () => {
      const text = await (words === null ? this.page : this.card(words)).locator(selector).first()
        .innerText();
      assert.fail(`${selector} reads "${text}", not ${pattern}`);
    });
  }

  async announced(pattern) {
    const { page } = this;
    await page.waitForFunction(({ source, flags }) =>
      window.seen.announced.some((s) => new RegExp(source, flags).test(s)),
      { source: pattern.source, flags: pattern.flags });
  }

  /** A screenshot of the print, to compare. */
  async pixels(words) {
    return (await this.card(words).locator('.print').screenshot({ animations: 'disabled' }))
      .toString('base64');
  }

  /** Every image that this card has shown: {kind: "shot" or "final", pixels}. */
  async shots(words) {
    return (await this.page.evaluate(() => window.seen.shots))
      .filter((shot) => shot.of?.includes(words));
  }

  /** Wait until the print differs from `before`; its new pixels. */
  async pixelsChange(words, before) {
    const from = Date.now();
    while (Date.now() - from < WAIT_MS) {
      const now = await this.pixels(words);
      if (now !== before) return now;
      await this.page.waitForTimeout(50);
    }
    return assert.fail(`the print of "${words}" does not change`);
  }

  /** Check the page with axe, and that it does not scroll sideways. */
  async axe(label) {
    if (!await this.page.evaluate(() => 'axe' in window)) await this.page.evaluate(AXE);
    // what is asked anew is dimmed until its answer, which some servers of the tests never give
    await this.page.waitForFunction(() => !document.querySelector('[data-stale="true"]')
      && !document.getAnimations().some((a) => a instanceof CSSTransition
        && a.playState === 'running'), null, { timeout: 5000 }).catch(() => {});
    const found =
      await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const lines = found.violations.flatMap((v) =>
      v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary?.split('\n')[1] ?? ''}`));
    assert.deepEqual(lines, [], `axe, ${label}`);
    const wide =
      await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${label} scrolls sideways by ${wide} px`);
  }

  /** End the visit: no console message but the expected ones, no violation of the policy, and no
   * request to another server. */
  async leave(...expected) {
    const { tab, page } = this;
    const violations = await page.evaluate(() => window.seen.violations);
    for (const other of tab.context.pages()) if (other !== page) await other.close();
    const { complaints, asked } = tab.log;
    tab.log = { complaints: [], asked: [] };
    await page.goto('about:blank');
    await tab.cdp.send('Storage.clearDataForOrigin', { origin: this.origin, storageTypes: 'all' });
    idle.set(tab.locale, [...(idle.get(tab.locale) ?? []), tab]);
    assert.deepEqual(violations, [], 'content security policy');
    // the icon of the previous page may be requested late, and fail; by about:blank even
    const mine = complaints.filter(({ at }) => !at.startsWith('http') || at.startsWith(this.origin))
      .map(({ text }) => text).filter((text) => !LATE_ICON.test(text));
    assert.deepEqual(mine.filter((c) => !expected.some((e) => e.test(c))), [], 'console');
    assert.deepEqual(asked.filter((a) => !a.startsWith(`${this.origin}/`)
      && !/^(blob|about):|^http:..127\.0\.0\.1:\d+\/icon/.test(a)), [], 'asked elsewhere');
  }
}

const LATE_ICON = /\/icon(-\d)?\.svg' from origin 'null' has been blocked by CORS policy/;

/** What the browser itself logs when a connection breaks; a page cannot prevent it. */
// 503: a server that still loads answers so when the page asks /readyz why it is not connected
export const BROKEN_CONNECTION =
  /WebSocket connection to .* failed|net::ERR_(CONNECTION_|EMPTY|SOCKET|INTERNET)|status of 503/;
