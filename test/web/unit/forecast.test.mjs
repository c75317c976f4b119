// forecast - when the form's forecast is asked for: never older than the form or the queue.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Forecast, TYPING_MS } from '../../../frontend/forecast.js';

/** A clock that a test moves, and every question with its time. */
function open() {
  const page = { time: 0, timers: new Map(), asked: [], valid: true, count: 0 };
  page.forecast = new Forecast(() => (page.valid && page.asked.push(page.time), page.valid), {
    now: () => page.time,
    setTimer: (f, ms) => {
      page.timers.set(page.count += 1, { f, at: page.time + ms });
      return page.count;
    },
    clearTimer: (handle) => page.timers.delete(handle),
  });
  page.pass = (ms) => {
    const until = page.time + ms;
    for (;;) {
      const [next] = [...page.timers].sort((a, b) => a[1].at - b[1].at);
      if (!next || next[1].at > until) break;
      page.timers.delete(next[0]);
      page.time = next[1].at;
      next[1].f();
    }
    page.time = until;
  };
  return page;
}
const stats = (...jobs) => ({ type: 'stats', cap: 2,
  running: jobs.filter((j) => j.state === 'running').length,
  queued: jobs.filter((j) => j.state === 'queued').length, jobs });
const running = (job, overall = 0) => ({ job, state: 'running', overall });
const queued = (job) => ({ job, state: 'queued' });

describe('the forecast', () => {
  test('is asked for after a pause in typing, once', () => {
    const page = open();
    for (let i = 0; i < 10; i++) {
      page.forecast.formChanged();
      page.pass(100);
    }
    assert.deepEqual(page.asked, []);
    page.pass(1000);
    assert.deepEqual(page.asked, [900 + TYPING_MS]);
  });

  test('is asked for at once when the queue changes, also when it becomes empty', () => {
    const page = open();
    const queues = [stats(queued('a')), stats(running('a')), stats(running('a'), queued('b')),
      stats(running('b')), stats()];
    for (const [i, one] of queues.entries()) {
      page.forecast.statistics(one);
      page.pass(1);
      page.forecast.answered();
      assert.equal(page.asked.length, i + 1, `${i}`);
      page.pass(400);
    }
    page.pass(60_000);
    assert.equal(page.asked.length, queues.length, 'and not without a reason');
  });

  test('follows a burst of changes with a question after the last', () => {
    const page = open();
    for (let i = 0; i < 20; i++) {
      page.forecast.statistics(stats(queued(`${i}`)));
      page.pass(20);
      page.forecast.answered();
    }
    page.forecast.statistics(stats());
    page.pass(300);
    assert.ok(page.asked.length <= 4, page.asked.join());
    assert.ok(page.asked.at(-1) >= 400, page.asked.join());
  });

  test('is out of date from a change until the answer that knows it', () => {
    const page = open();
    const { forecast } = page;
    forecast.statistics(stats());
    assert.equal(forecast.fresh(), false);
    page.pass(1);
    forecast.answered();
    assert.equal(forecast.fresh(), true);
    forecast.statistics(stats());
    assert.equal(forecast.fresh(), true, 'nothing changed');
    page.pass(1000);
    forecast.statistics(stats(queued(undefined)));
    assert.equal(forecast.fresh(), false);
    page.pass(1);
    forecast.statistics(stats(queued(undefined), queued(undefined))); // while that is asked
    forecast.answered();
    assert.equal(forecast.fresh(), false, 'it does not know the last change');
    page.pass(300);
    forecast.answered();
    assert.equal(forecast.fresh(), true);
    forecast.statistics(stats({ ...queued(undefined), width: 512 }, queued(undefined)));
    assert.equal(forecast.fresh(), false, 'another job of somebody else');
    page.pass(300);
    forecast.answered();
    forecast.formChanged();
    assert.equal(forecast.fresh(), false);
    page.pass(1000);
    forecast.answered();
    assert.equal(forecast.fresh(), true);
    forecast.opened();
    assert.equal(forecast.fresh(), false, 'of the last connection');
  });

  test('is asked for seldom while there is only progress, and once after the last of it', () => {
    const page = open();
    for (let i = 1; i <= 40; i++) {
      page.forecast.statistics(stats(running('a', i / 40)));
      page.pass(250);
      page.forecast.answered();
    }
    assert.ok(page.asked.length >= 4 && page.asked.length <= 5, page.asked.join());
    const before = page.asked.length;
    page.pass(10_000);
    assert.ok(page.asked.length - before <= 1);
  });

  test('has one question under way; a change meanwhile is asked when it is answered', () => {
    const page = open();
    page.forecast.statistics(stats(queued('a')));
    page.pass(1);
    page.forecast.statistics(stats());
    page.pass(1000);
    assert.equal(page.asked.length, 1);
    page.forecast.answered();
    assert.equal(page.asked.length, 2);
    page.forecast.answered();
    page.pass(30_000);
    assert.equal(page.asked.length, 2);
  });

  test('does not wait for ever for an answer that was lost', () => {
    const page = open();
    page.forecast.statistics(stats(queued('a')));
    page.pass(1);
    page.forecast.statistics(stats());
    page.pass(5500);
    assert.equal(page.asked.length, 2);
    page.forecast.opened();
    page.pass(1);
    assert.equal(page.asked.length, 3, 'nor over a new connection');
  });

  test('of a form that is not valid is not asked for, until it is', () => {
    const page = open();
    page.valid = false;
    page.forecast.statistics(stats(queued('a')));
    page.pass(1000);
    page.valid = true;
    page.forecast.formChanged();
    page.pass(TYPING_MS);
    assert.equal(page.asked.length, 1);
  });
});
