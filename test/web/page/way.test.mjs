// fake - the page in Chromium against a server that is told what to do: what only a scripted server can bring about.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Fake } from '../fake.mjs';
import { BROKEN_LINE, closeBrowser, openBrowser, visit } from './harness.mjs';

let fake;
const url = () => `http://127.0.0.1:${fake.port}/`;
before(openBrowser);
after(closeBrowser);
beforeEach(async () => { fake = await new Fake({ manual: true, pace: 1 }).start(); });
afterEach(async () => { await fake.stop().catch(() => {}); });

const arrived = async (n) => {
  for (let i = 0; i < 200 && fake.jobs.length < n; i++) await new Promise((done) => setTimeout(done, 20));
  assert.equal(fake.jobs.length, n);
};

describe('the way of a picture', () => {
  test('place, phases, preview that sharpens, picture; said aloud, but not chattered', async () => {
    const v = await visit(url());
    await v.ask('hold one', 'hold two', 'a lighthouse');
    await arrived(3);
    fake.run(100);
    await v.reads('.card[data-state=queued] .big', /^Next$/);
    await v.reads('.card[data-state=queued] .when', /^ready in about \d+ s$/);
    await v.reads('.card[data-state=queued] .why', /It starts when one of the pictures .* the server draws 2 at a time\./);
    assert.match(await v.page.title(), /% · darkroom|1st in line/);
    const blank = await v.pixels('a lighthouse');
    for (const job of fake.jobs.slice(0, 2)) job.cancel = true;
    fake.run(250);
    await v.state('a lighthouse', 'running');
    await v.card('a lighthouse').locator('img.shot').first().waitFor();
    const early = await v.pixelsChange('a lighthouse', blank);
    fake.run(500);
    await v.page.waitForFunction(() => document.querySelector('.phases [data-at=now]')?.textContent === 'Develop');
    const late = await v.pixelsChange('a lighthouse', early);
    fake.run(600);
    await v.state('a lighthouse', 'done');
    await v.card('a lighthouse').locator('img.final').waitFor();
    await v.pixelsChange('a lighthouse', late);
    await v.said(/^Ready: a lighthouse$/);
    const said = await v.page.evaluate(() => window.seen.said);
    assert.ok(said.length <= 8, `too much is said: ${said.join(' | ')}`);
    assert.equal(await v.page.evaluate(() => window.seen.blobs), 0, 'every blob URL is given back');
    assert.match(await v.card('a lighthouse').locator('a[download]').getAttribute('href'), /^\/i\/[0-9a-f]+\.png\?download=1$/);
    await v.leave();
  });

  test('many at once: a card for each, newest first, the panel counts them', async () => {
    const v = await visit(url());
    await v.ask('one', 'two', 'three', 'four', 'five');
    assert.equal(await v.page.locator('.card').count(), 5, 'cards are there before the server answers');
    assert.deepEqual(await v.page.locator('.prompt-line').allInnerTexts(), ['five', 'four', 'three', 'two', 'one']);
    await arrived(5);
    fake.run(100);
    await v.reads('#counts', /2\s+Running\s+3\s+Waiting|Running\s+2\s+Waiting\s+3/);
    assert.equal(await v.text('#status-line'), 'Queue: 2 at a time');
    await v.reads('#traffic', /1st[\s\S]*three[\s\S]*about \d+ s[\s\S]*3rd[\s\S]*five/);
    assert.deepEqual(await v.page.locator('.card[data-state=queued] .big').allInnerTexts(), ['3rd', '2nd', 'Next']);
    fake.run(9000);
    await v.reads('#counts', /Done\s+5|5\s+Done/);
    await v.leave();
  });

  test('somebody else is counted, not named', async () => {
    const [v, other] = [await visit(url()), await visit(url())];
    await other.ask('hold a secret');
    await arrived(1);
    fake.run(100);
    await v.reads('#traffic', /Somebody else’s, 256 × 256/);
    await v.cards(0);
    await other.leave();
    await v.leave();
  });

  test('the bar never goes back', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    const seen = [];
    for (let i = 0; i < 20; i++) {
      fake.run(50);
      seen.push(Number(await v.page.locator('.meter').first().getAttribute('aria-valuenow')));
    }
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
    assert.ok(seen.at(-1) > 50, seen.join());
    await v.leave();
  });
});

describe('broken lines', () => {
  test('reload while it develops: the card comes back with its preview and goes on', async () => {
    const v = await visit(url());
    await v.ask('hold it');
    await arrived(1);
    fake.run(900);
    await v.state('hold it', 'running');
    await v.page.reload();
    await v.state('hold it', 'running');
    await v.card('hold it').locator('img.shot').waitFor();
    assert.equal(fake.submits.length, 1);
    assert.equal(await v.page.inputValue('#prompt'), 'hold it', 'what was typed is still there');
    await v.leave();
  });

  test('the server restarts: it is said, and the picture goes on', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    fake.run(700);
    await v.state('a lighthouse', 'running');
    const { port } = fake;
    await fake.stop();
    await v.reads('#notice-text', /The connection is gone\. Trying again/);
    assert.equal(await v.text('.link'), 'Not connected');
    assert.equal(await v.card('a lighthouse').locator('.when').innerText(), 'no news right now');
    await fake.start(port);
    await v.page.locator('#notice-action').click({ timeout: 1000 }).catch(() => {});
    await v.reads('#notice-text', /The server was restarted\. Your pictures go on\./);
    fake.run(2000);
    await v.state('a lighthouse', 'done');
    assert.equal(fake.submits.length, 1);
    await v.leave(BROKEN_LINE);
  });

  test('asked for while nobody listens: sent once, when the line is back', async () => {
    const v = await visit(url());
    const { port } = fake;
    await fake.stop();
    await v.page.waitForSelector(':root[data-link=lost]');
    await v.ask('a patient picture', 'another one');
    await v.reads('.card .what', /Waits for the connection/);
    await fake.start(port);
    await arrived(2);
    assert.deepEqual(fake.jobs.map((j) => j.spec.prompt), ['a patient picture', 'another one']);
    await v.leave(BROKEN_LINE);
  });

  test('the answer gets lost: the same key again, one job', async () => {
    const v = await visit(url());
    fake.swallow = (c) => { fake.swallow = null; c.socket.terminate(); };
    await v.ask('only once');
    await arrived(1);
    await v.reads('#notice-text', /Connected again\. Nothing was lost\./);
    assert.equal(fake.submits.length, 2);
    assert.equal(fake.submits[0].key, fake.submits[1].key);
    await v.state('only once', 'running').catch(() => v.state('only once', 'queued'));
    await v.leave(BROKEN_LINE);
  });

  test('a server that forgot the job: the card says so and offers another try', async () => {
    const v = await visit(url());
    await v.ask('hold it');
    await arrived(1);
    fake.run(200);
    await v.state('hold it', 'running');
    fake.jobs = [];
    fake.drop();
    await v.state('hold it', 'lost');
    await v.reads('.trouble', /does not know this picture any more[\s\S]*Generate it again/);
    await v.leave(BROKEN_LINE);
  });

  test('a second tab shows the same pictures', async () => {
    const v = await visit(url());
    const tab = await v.context.newPage();
    await tab.goto(url());
    await tab.waitForSelector(':root[data-link=open]');
    await v.ask('a lighthouse');
    await arrived(1);
    await tab.locator('.card', { hasText: 'a lighthouse' }).waitFor();
    fake.run(2000);
    await tab.locator('.card[data-state=done] img.final').waitFor();
    assert.equal(fake.jobs.length, 1);
    await v.leave();
  });
});

describe('what can go wrong', () => {
  test('each is a sentence, and says what to do', async () => {
    const cases = [
      ['please refuse', 'refused', /which the model reads as part of a picture\.\s+Remove that word/],
      ['it is full', 'refused', /The queue is full\.\s+Try again in about 12 s\./],
      ['this will fail', 'failed', /The device reported an error while denoising\.\s+Submit it again/],
      ['a timeout', 'failed', /It ran for more than 300 s\.\s+Ask for fewer steps/],
    ];
    const v = await visit(url());
    await v.ask(...cases.map(([prompt]) => prompt));
    await arrived(2);
    fake.run(1500);
    for (const [prompt, state, sentence] of cases) {
      await v.state(prompt, state);
      assert.match(await v.card(prompt).locator('.trouble').innerText(), sentence);
      assert.ok(await v.card(prompt).getByRole('button', { name: /^Try again/ }).isVisible());
    }
    await v.said(/^Failed: /);
    await v.leave();
  });

  test('try again makes a new job and takes the old card away', async () => {
    const v = await visit(url());
    await v.ask('this will fail');
    await arrived(1);
    fake.run(1500);
    await v.state('this will fail', 'failed');
    await v.page.getByRole('button', { name: /^Try again/ }).click();
    await arrived(2);
    await v.cards(1);
    assert.notEqual(fake.jobs[0].key, fake.jobs[1].key);
    assert.ok(await v.page.evaluate(() => document.activeElement?.closest('.card') !== null), 'the focus stays with the picture');
    await v.leave();
  });

  test('cancel, running and waiting', async () => {
    const v = await visit(url());
    await v.ask('hold one', 'hold two', 'hold three');
    await arrived(3);
    fake.run(100);
    for (const words of ['hold three', 'hold one']) {
      await v.card(words).getByRole('button', { name: /^Cancel/ }).click();
      await v.reads(`.card:has-text("${words}") .what`, /Cancelling/);
      fake.run(50);
      await v.state(words, 'cancelled');
    }
    await v.reads('.card:has-text("hold one") .trouble', /You stopped this picture/);
    assert.deepEqual(fake.jobs.map((j) => j.state), ['cancelled', 'running', 'cancelled']);
    await v.leave();
  });

  test('an empty prompt and impossible numbers are told where they are, and nothing is sent', async () => {
    const v = await visit(url());
    await v.page.click('#generate');
    assert.equal(await v.text('#prompt-error'), 'Write what you want to see first.');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    await v.page.fill('#prompt', 'x');
    assert.equal(await v.page.locator('#prompt-error').isVisible(), false);
    for (const [field, value, words] of [['steps', '0', 'Steps must be a whole number from 1 to 200.'], ['guidance', '21', 'Guidance goes from 0 to 20.'],
      ['seed', '-5', /^The seed must be a whole number from 0 to/]]) {
      await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
      const kept = await v.page.inputValue(`#${field}`);
      await v.page.fill(`#${field}`, value);
      await v.page.click('#generate');
      await v.reads(`#${field}-error`, typeof words === 'string' ? new RegExp(`^${words.replaceAll('.', '\\.')}$`) : words);
      assert.equal(await v.page.getAttribute(`#${field}`, 'aria-invalid'), 'true');
      assert.equal(await v.page.evaluate(() => document.activeElement.id), field);
      await v.page.fill(`#${field}`, kept);
    }
    assert.equal(fake.submits.length, 0);
    await v.page.fill('#prompt', '界'.repeat(5462));
    await v.page.click('#generate');
    await v.reads('#prompt-error', /16,386 bytes, and 16,384 are allowed/);
    await v.leave();
  });

  test('a picture that is gone from the server', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    fake.run(2000);
    await v.card('a lighthouse').locator('img.final').waitFor();
    fake.jobs = [];
    await v.page.reload();
    await v.reads('.trouble', /The picture file is not on the server any more/);
    await v.leave(/404/);
  });

  test('markup in a prompt is text', async () => {
    const v = await visit(url());
    const nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>{n}';
    await v.ask(nasty);
    await arrived(1);
    fake.run(2000);
    await v.state('<script>', 'done');
    assert.equal(await v.text('.prompt-line'), nasty);
    await v.page.locator('.open').click();
    assert.equal(await v.text('#viewer-title'), nasty);
    assert.equal(await v.page.locator('.card script, .card [onerror], #viewer script').count(), 0);
    assert.ok(!['1', '2'].includes(await v.page.title()));
    await v.leave();
  });
});

describe('working with pictures', () => {
  test('use these settings, another one, large view, remove, undo', async () => {
    const v = await visit(url());
    await v.page.locator('.size', { hasText: '384 × 256' }).click();
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.fill('#steps', '7');
    await v.page.fill('#guidance', '2.5');
    await v.ask('a lighthouse');
    await arrived(1);
    assert.deepEqual(fake.submits[0].spec, { prompt: 'a lighthouse', width: 384, height: 256, steps: 7, guidance: 2.5, seed: -1 });
    fake.run(3000);
    await v.state('a lighthouse', 'done');
    await v.page.reload();
    await v.page.waitForSelector(':root[data-link=open]');
    await v.page.fill('#prompt', 'something else');
    await v.page.locator('.size', { hasText: '256 × 256' }).click();
    await v.page.getByRole('button', { name: /^Use settings/ }).click();
    assert.equal(await v.page.inputValue('#prompt'), 'a lighthouse');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    await v.page.press('#prompt', 'Control+Enter');
    await arrived(2);
    assert.deepEqual(fake.jobs[1].spec, fake.jobs[0].spec, 'seed and all: it will be the same picture');
    fake.run(3000);
    await v.page.getByRole('button', { name: /^Another one/ }).first().click();
    await arrived(3);
    assert.equal(fake.submits[2].spec.seed, -1);
    fake.run(3000);
    await v.page.waitForFunction(() => document.querySelectorAll('.card[data-state=done]').length === 3);
    await v.page.locator('.open').nth(1).click();
    await v.page.waitForSelector('#viewer[open]');
    await v.page.keyboard.press('ArrowRight');
    assert.ok(await v.page.getByRole('button', { name: 'Next picture' }).isDisabled());
    await v.page.keyboard.press('Escape');
    assert.ok(await v.page.evaluate(() => document.activeElement?.classList.contains('open')), 'the focus goes back to where it was');
    await v.page.getByRole('button', { name: /^Remove from this page/ }).first().click({ force: true });
    await v.cards(2);
    await v.page.click('#clear');
    await v.cards(0);
    await v.reads('#notice-text', /^Removed 2 pictures from this page\.$/);
    await v.page.getByRole('button', { name: 'Undo' }).click();
    await v.cards(2);
    await v.leave();
  });

  test('an example is one click away; the dice rolls; the seed can be given back', async () => {
    const v = await visit(url());
    await v.page.locator('.example').first().click();
    assert.equal(await v.page.inputValue('#prompt'), 'a red circle on a blue background');
    await v.reads('#quote', /^Starts right away, ready in about 1 s\.$/);
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.click('#dice');
    const first = await v.page.inputValue('#seed');
    await v.page.click('#dice');
    assert.match(first, /^\d+$/);
    assert.notEqual(await v.page.inputValue('#seed'), first);
    await v.page.click('#generate');
    await arrived(1);
    assert.equal(String(fake.submits[0].spec.seed), await v.page.inputValue('#seed'));
    await v.leave();
  });

  test('everything by keyboard: skip link, form, card', async () => {
    const v = await visit(url());
    await v.page.keyboard.press('Tab');
    assert.equal(await v.page.evaluate(() => document.activeElement.className), 'skip');
    await v.page.keyboard.press('Enter');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'pictures');
    await v.page.focus('#prompt');
    await v.page.keyboard.type('hold the line');
    await v.page.keyboard.press('Control+Enter');
    await arrived(1);
    fake.run(100);
    await v.state('hold the line', 'running');
    for (let i = 0; i < 30 && !(await v.page.evaluate(() => document.activeElement.textContent === 'Cancel')); i++) await v.page.keyboard.press('Tab');
    await v.page.keyboard.press('Enter');
    await v.reads('.card .what', /Cancelling/);
    fake.run(50);
    await v.state('hold the line', 'cancelled');
    assert.ok(await v.page.evaluate(() => document.activeElement?.closest('.card') !== null), 'the focus is not lost with its button');
    await v.leave();
  });
});

describe('two languages, two themes, three widths', () => {
  test('Chinese, by choice and by the browser; the choice stays', async () => {
    const v = await visit(url());
    await v.page.click('#language');
    assert.equal(await v.page.getAttribute('html', 'lang'), 'zh-Hans');
    await v.ask('夜晚的雪地', 'hold 二', 'hold 三', '这个会 fail');
    await arrived(4);
    fake.run(100);
    await v.reads('#status-line', /^队列：同时 2 张$/);
    await v.reads('.card[data-state=queued] .what', /排在第 2 位/);
    const words = await v.page.evaluate(() => [...document.querySelectorAll('button, .what, .when, .why, h2, h3, legend, dt, .help, summary > span, label')]
      .filter((e) => e.checkVisibility() && !e.closest('[lang=en], .example, .prompt-line')).map((e) => e.textContent.trim()));
    const english = words.filter((w) => /[A-Za-z]{3}/.test(w.replace(/darkroom|English|Ctrl|hold|fail/g, '')));
    assert.deepEqual(english, []);
    await v.page.reload();
    assert.equal(await v.text('#generate span'), '生成');
    await v.page.click('#language');
    assert.equal(await v.text('#generate span'), 'Generate');
    await v.leave();
    const w = await visit(url(), { locale: 'zh-CN' });
    assert.equal(await w.text('#generate span'), '生成');
    await w.leave();
  });

  test('a failure in Chinese is Chinese', async () => {
    const v = await visit(url(), { locale: 'zh-CN' });
    await v.ask('会 fail');
    await arrived(1);
    fake.run(1500);
    await v.reads('.trouble', /绘图设备出错。[\s\S]*请再试一次/);
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

  for (const [width, colorScheme, other, locale] of [[360, 'dark', 'light', 'zh-CN'], [1440, 'light', 'dark', 'en-US']]) {
    test(`axe finds nothing: ${width} px, ${locale}`, async () => {
      const v = await visit(url(), { width, colorScheme, locale });
      await v.axe('empty');
      await v.page.evaluate(() => { document.querySelectorAll('details').forEach((d) => { d.open = true; }); });
      await v.page.click('#generate');
      await v.axe('form with an error');
      await v.ask('a lighthouse', 'this will fail', 'please refuse', 'hold a'.repeat(60), 'hold b', 'hold c', 'hold d');
      await arrived(6);
      fake.run(2600);
      await v.state('a lighthouse', 'done');
      await v.card('a lighthouse').locator('img.final').waitFor();
      await v.axe('many');
      await v.page.emulateMedia({ colorScheme: other });
      await v.axe(`many, ${other}`);
      await v.card('a lighthouse').locator('.open').click();
      await v.axe('large view');
      await v.page.keyboard.press('Escape');
      await fake.stop();
      await v.page.waitForSelector('#notice:not([hidden])');
      await v.axe('line broken');
      await v.leave(BROKEN_LINE);
    });
  }

  test('without the wish for less motion nothing complains either', async () => {
    const v = await visit(url(), { reducedMotion: 'no-preference', width: 768 });
    await v.ask('a lighthouse');
    await arrived(1);
    fake.run(600);
    await v.card('a lighthouse').locator('img.shot').first().waitFor();
    fake.run(2000);
    await v.page.waitForFunction(() => document.querySelectorAll('.print img').length === 1 && document.querySelector('.print img.final'));
    await v.leave();
  });
});
