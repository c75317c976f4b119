// state - the page's copy of its jobs: order, duplicates, restarts, refusals, and countdowns.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY, newJob, reduce, remaining, serverTime, steadyDue }
  from '../../../frontend/state.js';

const ID = '0000019b76da0001';
const SPEC = { prompt: 'a red circle', width: 256, height: 256, steps: 20, guidance: 1.5, seed: 7 };
const apply = (state, ...messages) =>
  messages.reduce((s, m) => reduce(s, { do: 'message', message: m, at: m.at ?? 0 }), state);
const fresh = (key = 'k') =>
  reduce(EMPTY, { do: 'submit', job: newJob(key, { prompt: 'a red circle', seed: -1 }, 1) });
const accepted = (seq = 1, more = {}) =>
  ({ type: 'accepted', job: ID, seq, ref: 'k', key: 'k', created_ms: 5, spec: SPEC, ...more });
const queue = (seq, position, eta_ms, more = {}) =>
  ({ type: 'queue', job: ID, seq, position, ahead: position, start_ms: 0, eta_ms,
  eta_range_ms: [1, 2], why: 'turn', ...more });
const phase = (seq, name, total = 20) => ({ type: 'phase', job: ID, seq, phase: name, total });
const progress = (seq, name, done, overall, eta_ms = 1000) =>
  ({ type: 'progress', job: ID, seq, phase: name, done, total: 20, overall, eta_ms });
const preview = (seq, name = 'denoise') =>
  ({ type: 'preview', job: ID, seq, phase: name, image: new Uint8Array([seq]) });
const result = (seq) =>
  ({ type: 'result', job: ID, seq, url: '/i/x.png', digest: 'x', width: 256, height: 256, seed: 7,
  seconds: 2 });
const end = (seq, state, error) =>
  ({ type: 'end', job: ID, seq, state, ...(error ? { error } : {}) });
const only = (state) => state.jobs[0];

describe('the way of a job', () => {
  test('accepted brings the name, the defaults and the seed; queue the place and the time', () => {
    const job = only(apply(fresh(), accepted(), { ...queue(2, 3, 28000), at: 100 }));
    assert.equal(job.id, ID);
    assert.equal(job.state, 'queued');
    assert.equal(job.spec.seed, 7);
    assert.equal(job.asked.seed, -1, 'what was asked stays: the key goes with it');
    assert.equal(job.queue.position, 3);
    assert.deepEqual(job.due, { ms: 28000, at: 100 });
  });

  test('phases, progress, preview, result and end', () => {
    let state = apply(fresh(), accepted(), queue(2, 1, 9000), phase(3, 'glyph', 1),
      phase(4, 'denoise'), progress(5, 'denoise', 7, 0.5), preview(6));
    assert.equal(only(state).state, 'running');
    assert.equal(only(state).queue, null);
    assert.equal(only(state).preview.seq, 6);
    state = apply(state, result(7));
    assert.equal(only(state).state, 'running', 'it is over with `end` and not before');
    state = apply(state, end(8, 'done'));
    assert.equal(only(state).state, 'done');
    assert.equal(only(state).preview, null, 'the preview is not kept for ever');
    assert.equal(only(state).seq, 8);
  });

  test('what was seen already changes nothing', () => {
    const state = apply(fresh(), accepted(), queue(2, 3, 28000), queue(5, 1, 9000));
    assert.equal(apply(state, queue(5, 9, 1)), state);
    assert.equal(apply(state, queue(3, 9, 1)), state);
    assert.equal(apply(state, accepted(1)), state, 'the answer to a submit that was repeated');
  });

  test('a second end does not change the first', () => {
    const state = apply(fresh(), accepted(), end(9, 'cancelled'), end(10, 'done'));
    assert.equal(only(state).state, 'cancelled');
  });

  test('events of jobs that are not on this page change nothing', () => {
    const state = apply(fresh(), accepted());
    assert.equal(apply(state, { ...end(9, 'done'), job: 'ffffffffffffffff' }), state);
  });

  test('messages that only a newer server knows change nothing', () => {
    const state = apply(fresh(), accepted());
    assert.equal(apply(state, { type: 'confetti', job: ID, seq: 99 }), state);
    assert.equal(apply(state, { type: 'toString', job: ID, seq: 99 }), state,
      'not a name that every object has');
  });

  test('a run that waits for its turn says so until it goes on', () => {
    const waiting = apply(fresh(), accepted(), phase(2, 'prior'),
      { ...progress(3, 'prior', 0, 0, 9000), why: 'turn' });
    assert.deepEqual([only(waiting).state, only(waiting).waits, only(waiting).due.ms],
      ['running', 'turn', 9000]);
    assert.equal(only(apply(waiting, progress(4, 'prior', 1, 0.01))).waits, null);
    assert.equal(only(apply(waiting, phase(4, 'denoise'))).waits, null);
    assert.equal(only(apply(waiting, queue(4, 1, 100))).waits, null);
  });

  test('overall never goes back within a run', () => {
    const state = apply(fresh(), accepted(), progress(2, 'denoise', 7, 0.5),
      progress(3, 'denoise', 8, 0.4), progress(4, 'decode', 1, 1.7));
    assert.equal(
      only(apply(fresh(), accepted(), progress(2, 'denoise', 7, 0.5),
      progress(3, 'denoise', 8, 0.4))).overall, 0.5);
    assert.equal(only(state).overall, 1);
  });
});

describe('a restart of the server', () => {
  const running = () => apply(fresh(), accepted(), phase(2, 'denoise'),
    progress(3, 'denoise', 9, 0.6), preview(4));

  test('the run begins again with its queue', () => {
    const job = only(apply(running(), queue(10, 1, 5000)));
    assert.deepEqual([job.state, job.overall, job.phase, job.preview], ['queued', 0, null, null]);
  });

  test('or with an earlier phase, when the queue slot was empty again already', () => {
    const job = only(apply(running(), phase(12, 'prior'), progress(13, 'prior', 1, 0.1)));
    assert.deepEqual([job.state, job.overall, job.preview], ['running', 0.1, null]);
  });

  test('the server\'s clock goes on between its hellos, whatever this device\'s says', () => {
    const state = reduce(EMPTY, { do: 'message', at: 500,
      message: { type: 'hello', boot_id: 'a', time_ms: 9e12 } });
    assert.equal(serverTime(state, 61_500), 9e12 + 61_000);
    const renamed = reduce(state, { do: 'message', at: 900,
      message: { type: 'user', user: { name: 'ada' } } });
    assert.equal(serverTime(renamed, 61_500), 9e12 + 61_000);
    assert.ok(Math.abs(serverTime(EMPTY, 5) - Date.now()) < 60_000);
  });

  test('is shown once the server is back; the same boot_id: only the connection broke', () => {
    const hello = (boot_id) => ({ type: 'hello', boot_id });
    const first = apply(EMPTY, hello('a'));
    assert.equal(first.news, null, 'the first hello is no news');
    assert.equal(apply(first, hello('a')).news.kind, 'back');
    assert.equal(apply(first, hello('b')).news.kind, 'restarted');
  });

  test('a submit that met a server about to stop waits for the next one', () => {
    const state = apply(fresh(),
      { type: 'error', re: 'submit', ref: 'k', code: 'shutting_down', retry_after_ms: 1000 });
    assert.equal(only(state).state, 'sending');
    assert.equal(state.news.kind, 'stopping');
  });
});

describe('refusals', () => {
  test('a refused submit is a card with its reason', () => {
    const job =
      only(apply(fresh(), { type: 'error', re: 'submit', ref: 'k', code: 'queue_full', message: 'm',
      hint: 'h', retry_after_ms: 4000 }));
    assert.equal(job.state, 'refused');
    assert.equal(job.error.retry_after_ms, 4000);
  });

  test('an error about one submit leaves the others alone', () => {
    const two = reduce(fresh('a'), { do: 'submit', job: newJob('b', { prompt: 'x' }, 2) });
    const state = apply(two, { type: 'error', re: 'submit', ref: 'a', code: 'bad_prompt' });
    assert.deepEqual(state.jobs.map((j) => j.state), ['sending', 'refused']);
  });

  test('a job that the server does not know is lost, unless it is over', () => {
    const lost = { type: 'error', re: 'watch', job: ID, code: 'not_found' };
    assert.equal(only(apply(fresh(), accepted(), lost)).state, 'lost');
    assert.equal(only(apply(fresh(), accepted(), end(3, 'done'), lost)).state, 'done');
  });

  test('a cancel that came too late is taken back', () => {
    const asked = reduce(reduce(apply(fresh(), accepted()), { do: 'sent', key: 'k' }),
      { do: 'cancel', key: 'k' });
    assert.equal(only(asked).cancelling, true);
    assert.equal(
      only(apply(asked, { type: 'error', re: 'cancel', job: ID, code: 'conflict' })).cancelling,
      false);
  });

  test('errors about nothing in particular are news', () => {
    assert.equal(apply(EMPTY, { type: 'error', code: 'rate_limited' }).news.kind, 'error');
  });
});

describe('cancelling', () => {
  test('what was never sent is simply over', () => {
    assert.equal(only(reduce(fresh(), { do: 'cancel', key: 'k' })).state, 'cancelled');
  });

  test('what may have reached the server waits for its word', () => {
    const sent = reduce(fresh(), { do: 'sent', key: 'k' });
    const job = only(reduce(sent, { do: 'cancel', key: 'k' }));
    assert.deepEqual([job.state, job.cancelling], ['sending', true]);
  });
});

describe('times', () => {
  test('count down and stop at nothing', () => {
    assert.equal(remaining({ ms: 5000, at: 1000 }, 3000), 3000);
    assert.equal(remaining({ ms: 5000, at: 1000 }, 99_000), 0);
  });

  test('a slightly later time is held, so that the countdown does not tremble', () => {
    const shown = steadyDue({ ms: 20_000, at: 0 }, { ms: 19_500, at: 1000 }, 1000);
    assert.equal(remaining(shown, 1000), 19_000);
  });

  test('a much later time is told at once', () => {
    assert.equal(remaining(steadyDue({ ms: 20_000, at: 0 }, { ms: 30_000, at: 1000 }, 1000), 1000),
      30_000);
  });

  test('a sooner time is told at once', () => {
    assert.equal(remaining(steadyDue({ ms: 20_000, at: 0 }, { ms: 8_000, at: 1000 }, 1000), 1000),
      8_000);
  });

  test('a countdown that ran out does not hold on to nothing', () => {
    assert.equal(remaining(steadyDue({ ms: 1000, at: 0 }, { ms: 500, at: 5000 }, 5000), 5000), 500);
  });

  test('an unknown time is unknown, not zero', () => {
    assert.equal(only(apply(fresh(), accepted(), queue(2, 1, null))).due, null);
  });
});

describe('the page', () => {
  test('newest first; a job that is known is not taken in twice', () => {
    const state = reduce(EMPTY,
      { do: 'adopt',
      jobs: [newJob('old', { prompt: 'x' }, 1), newJob('new', { prompt: 'y' }, 2)] });
    assert.deepEqual(state.jobs.map((j) => j.key), ['new', 'old']);
    assert.equal(reduce(state, { do: 'adopt', jobs: [newJob('old', { prompt: 'x' }, 1)] }), state);
  });

  test('statistics and quotes are dropped when the connection breaks', () => {
    const open = apply(reduce(EMPTY, { do: 'connection', connection: { state: 'open' } }),
      { type: 'stats', running: 1, queued: 0, jobs: [] });
    assert.equal(open.stats.running, 1);
    assert.equal(reduce(open,
      { do: 'connection', connection: { state: 'waiting', retryAt: 9, attempt: 1 } }).stats, null);
  });

  test('no action changes the state that it was given', () => {
    const freeze = (x) => {
      if (x && typeof x === 'object' && !ArrayBuffer.isView(x) && !Object.isFrozen(x)) {
        Object.values(Object.freeze(x)).forEach(freeze);
      }
      return x;
    };
    const messages = [accepted(), queue(2, 3, 28000), phase(3, 'prior'),
      progress(4, 'prior', 3, 0.1), preview(5), result(6), end(7, 'done')];
    messages.reduce((s, m) => freeze(apply(s, m)), freeze(fresh()));
  });
});
