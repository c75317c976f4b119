// harness - a page under test: a browser, what it complained about, and questions that tests ask it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { launch } from '../browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 15_000;

let browser;
export async function openBrowser() {
  browser = await launch();
}
export async function closeBrowser() {
  await browser?.close();
}

/** Runs in the page before its own scripts: notes violations of the policy, what is announced, living blob URLs,
 * and what each picture that comes onto a card looks like. */
function watch() {
  window.seen = { violations: [], said: [], blobs: 0, shots: [] };
  const look = (image) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 24, height: 24 });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 24, 24);
    window.seen.shots.push({ of: image.closest('.card')?.querySelector('.prompt-line').textContent, kind: image.className,
      pixels: context.getImageData(0, 0, 24, 24).data.join() });
  };
  new MutationObserver((records) => {
    for (const image of records.flatMap((r) => [...r.addedNodes]).filter((n) => n.tagName === 'IMG' && n.closest('.print'))) {
      if (image.complete) look(image);
      else image.addEventListener('load', () => look(image));
    }
  }).observe(document, { childList: true, subtree: true });
  document.addEventListener('securitypolicyviolation', (e) => window.seen.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  document.addEventListener('DOMContentLoaded', () => {
    const live = document.getElementById('live');
    new MutationObserver(() => live.textContent && window.seen.said.push(live.textContent)).observe(live, { childList: true });
  });
  const [make, drop] = [URL.createObjectURL, URL.revokeObjectURL];
  URL.createObjectURL = (x) => (window.seen.blobs++, make.call(URL, x));
  URL.revokeObjectURL = (x) => (window.seen.blobs--, drop.call(URL, x));
}

/** Open `url` as a new person would: nothing remembered. */
export async function visit(url, { width = 1280, height = 900, colorScheme = 'light', locale = 'en-US', reducedMotion = 'reduce' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale, reducedMotion });
  context.setDefaultTimeout(WAIT_MS);
  await context.addInitScript(watch);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(m.text()));
  page.on('pageerror', (e) => complaints.push(String(e.stack)));
  await page.goto(url);
  await page.waitForSelector(':root[data-link=open]');
  return new Visitor(context, page, complaints);
}

export class Visitor {
  constructor(context, page, complaints) {
    Object.assign(this, { context, page, complaints, expected: [] });
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

  /** There are n cards, at once or soon. */
  async cards(n) {
    await this.page.waitForFunction((n) => document.querySelectorAll('.card').length === n, n);
  }

  async state(words, state) {
    await this.page.locator(`.card[data-state=${state}]`, { hasText: words }).first().waitFor();
  }

  async text(selector) {
    return (await this.page.locator(selector).first().innerText()).trim();
  }

  /** Wait until the text of `selector` matches. */
  async reads(selector, pattern) {
    const from = Date.now();
    let text = '';
    while (Date.now() - from < WAIT_MS) {
      text = await this.text(selector);
      if (pattern.test(text)) return text;
      await this.page.waitForTimeout(30);
    }
    return assert.fail(`${selector} reads "${text}", not ${pattern}`);
  }

  async said(pattern) {
    const { page } = this;
    await page.waitForFunction(({ source, flags }) => window.seen.said.some((s) => new RegExp(source, flags).test(s)),
      { source: pattern.source, flags: pattern.flags });
  }

  /** The print's pixels, for "something else is to be seen now". */
  async pixels(words) {
    return (await this.card(words).locator('.print').screenshot({ animations: 'disabled' })).toString('base64');
  }

  /** Every picture that this card has shown: {kind: "shot" or "final", pixels}. */
  async shots(words) {
    return (await this.page.evaluate(() => window.seen.shots)).filter((shot) => shot.of?.includes(words));
  }

  /** Pixels that are no longer `before`. */
  async pixelsChange(words, before) {
    const from = Date.now();
    while (Date.now() - from < WAIT_MS) {
      const now = await this.pixels(words);
      if (now !== before) return now;
      await this.page.waitForTimeout(50);
    }
    return assert.fail(`the print of "${words}" does not change`);
  }

  /** What axe finds wrong, as lines. */
  async axe(label) {
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const lines = found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary?.split('\n')[1] ?? ''}`));
    assert.deepEqual(lines, [], `axe, ${label}`);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${label} scrolls sideways by ${wide} px`);
  }

  /** The end of a visit: nothing was complained about, but for what the test brought about itself. */
  async leave(...expected) {
    const violations = await this.page.evaluate(() => window.seen.violations);
    await this.context.close();
    assert.deepEqual(violations, [], 'content security policy');
    assert.deepEqual(this.complaints.filter((c) => !expected.some((e) => e.test(c))), [], 'console');
  }
}

/** A line that breaks is told by the browser itself; no page can prevent it. */
export const BROKEN_LINE = /WebSocket connection to .* failed|net::ERR_(CONNECTION_|EMPTY|SOCKET|INTERNET)/;
