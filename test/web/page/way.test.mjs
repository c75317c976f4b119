// way - a job from submit to picture, and broken connections, against the fake server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;

describe('the way of a picture', () => {
  test('place, phases, preview that sharpens, picture; announced, but not too often', async () => {
    const v = await visit(url());
    const { pace } = play.fake;
    // half a minute to be read in: the page's clock is the real one, and this machine may be busy
    play.fake.pace = 0.05;
    await v.ask('hold one', 'hold two', 'a lighthouse');
    await arrived(3);
    play.fake.run(100);
    await v.reads('.card[data-state=queued] .big', /^Next$/);
    await v.reads('.card[data-state=queued] .when', /^ready in about \d+ s$/);
    play.fake.pace = pace;
    await v.reads('.card[data-state=queued] .why',
      /^Starts when one of the 2 being drawn is ready\.$/);
    assert.match(await v.page.title(), /% · darkroom$/);
    await v.page.waitForFunction(() =>
      /\/icon-\d\.svg$/.test(document.getElementById('icon').href));
    const box = () => v.card('a lighthouse').locator('.print').boundingBox();
    const place = await box();
    const blank = await v.pixels('a lighthouse');
    for (const job of play.fake.jobs.slice(0, 2)) job.cancel = true;
    play.fake.run(250);
    await v.state('a lighthouse', 'running');
    await v.card('a lighthouse').locator('img.shot').first().waitFor();
    const early = await v.pixelsChange('a lighthouse', blank);
    play.fake.run(500);
    await v.page.waitForFunction(() =>
      document.querySelector('.phases [data-at=now]')?.textContent === 'Develop');
    await v.reads('.step-count', /^\d+ of 20$/, 'a lighthouse');
    assert.deepEqual(await box(), place, 'nothing moves when previews come');
    const late = await v.pixelsChange('a lighthouse', early);
    play.fake.run(600);
    await v.state('a lighthouse', 'done');
    await v.card('a lighthouse').locator('img.final').waitFor();
    await v.pixelsChange('a lighthouse', late);
    assert.deepEqual(await box(), place, 'nor when the picture is there');
    assert.ok(await v.page.evaluate(() => document.getElementById('icon').href.endsWith('/icon.svg')
      && document.title === 'darkroom'));
    await v.announced(/^Ready: a lighthouse$/);
    const announced = await v.page.evaluate(() => window.seen.announced);
    assert.ok(announced.length <= 3 * 4, `too much is announced: ${announced.join(' | ')}`);
    // every blob URL is given back, those of previews that are still being decoded too
    await v.page.waitForFunction(() => window.seen.blobs.size === 0);
    assert.match(await v.card('a lighthouse').locator('a[download]').getAttribute('href'),
      /^i\/[0-9a-f]+\.png\?download=1$/);
    await v.leave();
  });

  test('many at once: a card for each, newest first, the panel counts them', async () => {
    const v = await visit(url());
    await v.ask('one', 'two', 'three', 'four', 'five');
    assert.equal(await v.page.locator('.card').count(), 5,
      'cards are there before the server answers');
    assert.deepEqual(await v.page.locator('.prompt-line').allInnerTexts(),
      ['five', 'four', 'three', 'two', 'one']);
    await arrived(5);
    play.fake.run(100);
    await v.reads('#counts', /2\s+Running\s+3\s+Waiting|Running\s+2\s+Waiting\s+3/);
    assert.equal(await v.text('#status-line'), 'Queue: 2 at a time');
    assert.equal(await v.text('#model'), 'tiny on CPU');
    await v.reads('#traffic', /1st[\s\S]*three[\s\S]*about \d+ s[\s\S]*3rd[\s\S]*five/);
    assert.deepEqual(await v.page.locator('.card[data-state=queued] .big').allInnerTexts(),
      ['3rd', '2nd', 'Next']);
    play.fake.run(9000);
    await v.reads('#counts', /Done\s+5|5\s+Done/);
    await v.leave();
  });

  test('somebody else is counted, not named', async () => {
    const [v, other] = [await visit(url()), await visit(url())];
    await other.ask('hold a secret');
    await arrived(1);
    play.fake.run(100);
    await v.reads('#traffic', /Somebody else’s, 256 × 256/);
    await v.cards(0);
    await other.leave();
    await v.leave();
  });

  test('pictures that became ready while the page was hidden are counted in its title',
      async () => {
    const v = await visit(url());
    const hide = (hidden) => v.page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await v.ask('a lighthouse', 'a boat');
    await arrived(2);
    play.fake.run(100);
    await v.state('a boat', 'running');
    await hide(true);
    play.fake.run(3000);
    await v.page.waitForFunction(() => document.title === '2 ready · darkroom');
    await hide(false);
    await v.page.waitForFunction(() => document.title === 'darkroom');
    await v.leave();
  });

  test('the bar never goes back', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    await v.page.evaluate(() => {
      const meter = document.querySelector('.meter');
      window.bar = [];
      new MutationObserver(() => window.bar.push(Number(meter.getAttribute('aria-valuenow'))))
        .observe(meter, { attributes: true, attributeFilter: ['aria-valuenow'] });
    });
    for (let i = 0; i < 8; i++) await play.preview(v);
    for (let i = 0; i < 15; i++) play.fake.run(50);
    await v.page.waitForFunction(() => window.bar.at(-1) > 50);
    const seen = await v.page.evaluate(() => window.bar);
    assert.ok(seen.length > 3, seen.join());
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
    await v.leave();
  });
});

test('finished pictures that were cleared leave no nodes, listeners or addresses', async () => {
  const v = await visit(url());
  const { cdp } = v.tab;
  const left = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    return cdp.send('Memory.getDOMCounters');
  };
  const round = async (n) => {
    await v.page.evaluate((n) => {
      const field = document.getElementById('prompt');
      for (let i = 0; i < 8; i++) {
        field.value = `picture ${n} ${i}`;
        field.dispatchEvent(new Event('input', { bubbles: true }));
        document.getElementById('generate').click();
      }
    }, n);
    await play.until(() => play.fake.jobs.length === 8 * (n + 1), 120_000, `round ${n}`);
    play.fake.run(9000);
    await v.page.waitForFunction(() => document.querySelectorAll('.card[data-state=done]')
      .length === 8);
    await v.page.click('#clear');
    await v.cards(0);
    await v.page.waitForFunction(() => window.seen.blobs.size === 0);
  };
  await cdp.send('HeapProfiler.enable');
  await round(0); // what is made once is made
  await round(1);
  const before = await left();
  await round(2);
  await round(3);
  const after = await left();
  await cdp.send('HeapProfiler.disable');
  // a card has about fifty nodes; the last ones that were cleared may be held for "undo"
  for (const what of ['nodes', 'jsEventListeners']) {
    assert.ok(after[what] <= before[what] + 60, `${what}: ${before[what]}, then ${after[what]}`);
  }
  await v.leave();
});

describe('broken connections', () => {
  test('reload while it develops: the card comes back with its preview and goes on', async () => {
    const v = await visit(url());
    await v.ask('hold it');
    await arrived(1);
    play.fake.run(900);
    await v.state('hold it', 'running');
    await v.page.reload();
    await v.state('hold it', 'running');
    await v.card('hold it').locator('img.shot').waitFor();
    assert.equal(play.fake.submits.length, 1);
    assert.equal(await v.page.inputValue('#prompt'), 'hold it', 'what was typed is still there');
    await v.leave();
  });

  test('the server restarts: it is announced, and the picture goes on', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    play.fake.run(700);
    await v.state('a lighthouse', 'running');
    const { port } = play.fake;
    await play.fake.stop();
    await v.reads('#notice-text', /The connection is gone\. Trying again/);
    assert.equal(await v.text('.connection'), 'Not connected');
    assert.equal(await v.card('a lighthouse').locator('.when').innerText(), 'no news right now');
    await play.fake.start(port);
    await v.page.locator('#notice-action').click({ timeout: 1000 }).catch(() => {});
    await v.reads('#notice-text', /The server was restarted\. Your pictures go on\./);
    play.fake.run(2000);
    await v.state('a lighthouse', 'done');
    assert.equal(play.fake.submits.length, 1);
    await v.leave(BROKEN_CONNECTION);
  });

  test('submitted without a connection: sent once, when it is back', async () => {
    const v = await visit(url());
    const { port } = play.fake;
    await play.fake.stop();
    await v.page.waitForSelector(':root[data-connection=lost]');
    await v.ask('a patient picture', 'another one');
    await v.reads('.card .what', /Waits for the connection/);
    await play.fake.start(port);
    await arrived(2);
    assert.deepEqual(play.fake.jobs.map((j) => j.spec.prompt),
      ['a patient picture', 'another one']);
    await v.leave(BROKEN_CONNECTION);
  });

  test('the answer gets lost: the same key again, one job', async () => {
    const v = await visit(url());
    play.fake.swallow = (c) => { play.fake.swallow = null; c.socket.terminate(); };
    await v.ask('only once');
    await arrived(1);
    await v.reads('#notice-text', /Connected again\. Nothing was lost\./);
    assert.equal(play.fake.submits.length, 2);
    assert.equal(play.fake.submits[0].key, play.fake.submits[1].key);
    await v.state('only once', 'running').catch(() => v.state('only once', 'queued'));
    await v.leave(BROKEN_CONNECTION);
  });

  test('a connection that dies silently is noticed by a submit, which is sent on the next one',
      async () => {
    const v = await visit(url());
    play.fake.deafen();
    await v.ask('a lighthouse');
    await v.reads('.what', /^Sending$/);
    await arrived(1);
    await v.reads('#connection-text', /^Connected$/);
    play.fake.run(2000);
    await v.state('a lighthouse', 'done');
    assert.equal(play.fake.submits.length, 1);
    await v.leave();
  });

  test('and by coming back to the page, or to the network', async () => {
    const v = await visit(url());
    /** What the page sends at once, not when it would ping an idle connection. */
    const come = ([place, event]) => {
      const { send } = WebSocket.prototype;
      const sent = [];
      WebSocket.prototype.send = function note(message) {
        sent.push(JSON.parse(message).type);
        return send.call(this, message);
      };
      window[place].dispatchEvent(new Event(event));
      WebSocket.prototype.send = send;
      return sent;
    };
    for (const event of [['document', 'visibilitychange'], ['window', 'online']]) {
      play.fake.deafen();
      assert.deepEqual(await v.page.evaluate(come, event), ['ping']);
      await play.until(() => [...play.fake.connections].some((c) => !c.deaf && c.stats),
        undefined, 'a new connection');
    }
    await v.leave();
  });

  test('a submit that the server never answers: the card says so, and can be removed', async () => {
    const v = await visit(url());
    play.fake.swallow = () => {};
    await v.ask('never answered');
    await v.reads('.what', /^Sending$/);
    await v.page.getByRole('button', { name: /^Remove from this page/ }).click();
    await v.cards(0);
    await v.page.getByRole('button', { name: 'Undo' }).click();
    await v.cards(1);
    // as if 30 s had passed
    await v.page.evaluate(() => {
      const { now } = performance;
      performance.now = () => now.call(performance) + 31_000;
    });
    await v.reads('.errors', /gave no answer to this picture\.\s+Try again\./);
    play.fake.swallow = null;
    await v.page.getByRole('button', { name: /^Try again/ }).click();
    await arrived(1);
    assert.equal(new Set(play.fake.submits.map((m) => m.key)).size, 1);
    play.fake.run(2000);
    await v.state('never answered', 'done');
    await v.leave();
  });

  test('a server that forgot the job: the card says so and offers another try', async () => {
    const v = await visit(url());
    await v.ask('hold it');
    await arrived(1);
    play.fake.run(200);
    await v.state('hold it', 'running');
    play.fake.jobs = [];
    play.fake.drop();
    await v.state('hold it', 'lost');
    await v.reads('.errors', /does not know this picture any more[\s\S]*Generate it again/);
    await v.leave(BROKEN_CONNECTION);
  });

  test('a second tab shows the same pictures', async () => {
    const v = await visit(url());
    const tab = await v.context.newPage();
    await tab.goto(url());
    await tab.waitForSelector(':root[data-connection=open]');
    await v.ask('a lighthouse');
    await arrived(1);
    await tab.locator('.card', { hasText: 'a lighthouse' }).waitFor();
    play.fake.run(2000);
    await tab.locator('.card[data-state=done] img.final').waitFor();
    assert.equal(play.fake.jobs.length, 1);
    await v.leave();
  });
});
