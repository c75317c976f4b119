// results - what the gallery has fetched stays where the server has it, whatever else happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANY, PAGE, Results, question } from '../../../frontend/pages/gallery/results.js';
import { Selection } from '../../../frontend/pages/gallery/selection.js';

/** A server with these jobs, newest first, that answers when it is told to. */
class Server {
  constructor(n) {
    this.jobs = Array.from({ length: n }, (_, i) => row(n - i));
    this.waiting = [];
    this.asked = [];
    this.changes = 0;
    this.results = new Results((m) => this.ask(m), () => {
      this.changes += 1;
      const { first, last } = this.results.wanted;
      if (this.results.known) this.results.want(first, last); // as the grid does
    });
  }

  ask(message) {
    this.asked.push(message.skip);
    return new Promise((resolve, reject) => this.waiting.push({ message, resolve, reject }));
  }

  /** Answer everything that waits, and what that asks for. */
  async answer() {
    while (this.waiting.length) {
      const { message: { skip, limit }, resolve } = this.waiting.shift();
      const jobs = this.jobs.slice(skip, skip + limit);
      const sizes = skip ? undefined : [{ width: 64, height: 64, count: this.jobs.length }];
      resolve({ type: 'list', jobs, more: skip + limit < this.jobs.length,
        count: this.jobs.length, sizes });
      await new Promise((done) => setImmediate(done));
    }
  }

  /** What the page has is what the server has, in these places. */
  check(first, last) {
    const { rows, count } = this.results;
    assert.equal(count, this.jobs.length);
    assert.equal(rows.length, count);
    for (let i = first; i <= last; i++) assert.equal(rows[i]?.job, this.jobs[i]?.job, `row ${i}`);
  }
}

const row = (n) => ({ job: `j${n}`, created_ms: n, spec: { prompt: `p${n}` },
  result: { digest: String(n) } });

async function filled(n) {
  const s = new Server(n);
  s.results.begin();
  await s.answer();
  return s;
}

test('a question has what is asked for, and nothing else', () => {
  assert.deepEqual(question(ANY, 0), { type: 'list', results: true, limit: PAGE, skip: 0 });
  assert.deepEqual(question({ search: ' a b ', width: 1, height: 2, from: 3, until: 4,
    favourite: true }, 5, 6), { type: 'list', results: true, limit: 6, skip: 5, search: 'a b',
    width: 1, height: 2, from_ms: 3, until_ms: 4, favourite: true });
});

test('only what is on view is fetched, and once', async () => {
  const s = await filled(1000);
  s.check(0, 99);
  s.results.want(512, 530);
  s.results.want(512, 530);
  await s.answer();
  assert.deepEqual(s.asked, [0, 500]);
  s.check(500, 599);
  assert.equal(s.results.rows[300], undefined);
  s.results.want(595, 605);
  await s.answer();
  assert.deepEqual(s.asked, [0, 500, 600]);
  assert.equal(s.results.total, 1000);
});

test('new pictures come before the rest, which stays where it is on view', async () => {
  const s = await filled(1000);
  s.results.want(500, 510);
  await s.answer();
  s.jobs.unshift(row(1002), row(1001));
  s.results.refresh();
  await s.answer();
  s.check(0, 99);
  s.check(500, 601);
  assert.deepEqual(s.asked, [0, 500, 0, 500], 'two rows came into view');
});

test('what another tab has deleted is noticed by the count', async () => {
  const s = await filled(1000);
  s.results.want(500, 510);
  await s.answer();
  s.jobs.splice(300, 1);
  s.results.refresh();
  await s.answer();
  s.check(0, 99);
  s.check(500, 510);
  s.jobs.splice(400, 7);
  s.results.want(700, 710); // the page that is fetched next tells
  await s.answer();
  s.check(700, 710);
  s.results.want(0, 10);
  await s.answer();
  s.check(0, 10);
});

test('a deletion moves what is behind it, and answers from before are not taken', async () => {
  const s = await filled(1000);
  s.results.want(90, 120);
  const gone = new Set(['j999', 'j990', 'j300']);
  s.jobs = s.jobs.filter(({ job }) => job !== 'j999' && job !== 'j990');
  s.results.remove(gone);
  await s.answer();
  s.check(90, 120);
  assert.equal(s.results.total, 998);
});

test('refresh during a refresh looks once more', async () => {
  const s = await filled(10);
  s.results.refresh();
  s.results.refresh();
  s.results.refresh();
  assert.equal(s.waiting.length, 1);
  await s.answer();
  assert.deepEqual(s.asked, [0, 0, 0]);
  s.jobs = [];
  s.results.refresh();
  await s.answer();
  s.check(0, -1);
  s.jobs = [row(1)];
  s.results.refresh();
  await s.answer();
  s.check(0, 0);
});

test('another filter forgets everything, and late answers of the old one', async () => {
  const s = await filled(300);
  s.results.want(150, 160);
  s.results.choose({ ...ANY, search: 'x' });
  const late = s.waiting.shift();
  late.resolve({ type: 'list', jobs: [row(5)], count: 300, more: true });
  await new Promise((done) => setImmediate(done));
  assert.equal(s.results.known, false);
  assert.equal(s.waiting[0].message.search, 'x');
  s.jobs = [row(7)];
  await s.answer();
  s.check(0, 0);
});

test('a failure is told, and asked again by begin()', async () => {
  const s = new Server(5);
  s.results.begin();
  s.waiting.shift().reject({ code: 'io' });
  await new Promise((done) => setImmediate(done));
  assert.equal(s.results.failure.code, 'io');
  s.results.begin();
  await s.answer();
  assert.equal(s.results.failure, null);
  s.check(0, 4);
});

test('rows that are far away are forgotten', async () => {
  const s = await filled(20_000);
  for (let i = 0; i < 20_000; i += 100) {
    s.results.want(i, i + 30);
    await s.answer();
  }
  let held = 0;
  s.results.rows.forEach(() => { held += 1; });
  assert.ok(held <= 8200, `${held} rows`);
  s.check(19_900, 19_999);
});

test('a favourite is marked where it is', async () => {
  const s = await filled(10);
  s.results.mark('j5', true);
  assert.equal(s.results.rows[s.results.find('j5')].favourite, true);
  const { changes } = s;
  s.results.mark('j5', true);
  s.results.mark('nothing', true);
  assert.equal(s.changes, changes);
});

test('all of a filter, up to a bound', async () => {
  const s = await filled(450);
  const all = s.results.all(300);
  await s.answer();
  assert.deepEqual((await all).map(({ job }) => job), s.jobs.slice(0, 300).map(({ job }) => job));
});

test('a selection: one, a range from the last one, all, none', () => {
  const rows = [1, 2, 3, 4, 5].map(row);
  let changes = 0;
  const s = new Selection(() => { changes += 1; });
  s.take(3, 'one', rows);
  s.take(1, 'range', rows);
  assert.deepEqual([...s.rows.keys()].sort(), ['j2', 'j3', 'j4']);
  s.take(2, 'one', rows);
  assert.equal(s.has('j3'), false);
  s.take(9, 'one', rows);
  s.add(rows);
  assert.equal(s.rows.size, 5);
  assert.equal(s.clear(), true);
  assert.equal(s.clear(), false);
  assert.ok(changes >= 5);
});
