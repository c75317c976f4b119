// sweep - lists of values, counts, and where each cell stands.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cellSpec, countOf, readList, requestOf, tablesOf } from '../../../frontend/sweep.js';

const STEPS = { name: 'steps', min: 1, max: 200, step: 1 };
const GUIDANCE = { name: 'guidance', min: 0, max: 20 };
const SIDE = { name: 'width', min: 64, max: 512, step: 32 };

describe('lists', () => {
  const good = [['10, 20', STEPS, [10, 20]], [' 10 ;20\n30 ', STEPS, [10, 20, 30]],
    ['10，20、30', STEPS, [10, 20, 30]], ['１０，２０；３０', STEPS, [10, 20, 30]],
    ['１．５～２．５／０．５', GUIDANCE, [1.5, 2, 2.5]], ['1~3', STEPS, [1, 2, 3]],
    ['1..4', STEPS, [1, 2, 3, 4]],
    ['10..50/10, 7', STEPS, [10, 20, 30, 40, 50, 7]], ['1..2/.25', GUIDANCE,
      [1, 1.25, 1.5, 1.75, 2]], ['0.1..0.3/0.1', GUIDANCE, [0.1, 0.2, 0.3]],
    ['5, 5, 5', STEPS, [5]], ['', STEPS, []], [' , ', STEPS, []], ['64..128/32', SIDE,
      [64, 96, 128]], ['1 – 3', STEPS, [1, 2, 3]]];
  for (const [text, rule, values] of good) {
    test(JSON.stringify(text), () =>
      assert.deepEqual(readList(text, rule), { values, fault: null }));
  }
  const bad = [['ten', STEPS, 'list', 'ten'], ['10, x', STEPS, 'list', 'x'],
    ['1..', STEPS, 'list', '1..'], ['5..1', STEPS, 'list', '5..1'], ['1..9/0', STEPS, 'list',
      '1..9/0'], ['1e3', STEPS, 'list', '1e3'], ['0', STEPS, 'range', '0'], ['2.5', STEPS, 'range',
      '2.5'], ['21', GUIDANCE, 'range', '21'], ['100', SIDE, 'range', '100'], ['1..200', STEPS,
      'long', '100']];
  for (const [text, rule, code, value] of bad) {
    test(`not ${JSON.stringify(text)}`, () =>
      assert.deepEqual(readList(text, rule).fault, { code, value }));
  }
});

describe('what is asked for', () => {
  test('counts', () => {
    assert.equal(countOf({}), 1);
    assert.equal(countOf({ n: 3 }), 3);
    assert.equal(countOf({ sweep: { steps: [1, 2], prompt: ['a', 'b', 'c'] } }), 6);
    assert.equal(countOf({ n: 2, sweep: { steps: [1, 2], seed: 4 } }), 16);
  });

  test('one value is no axis', () => {
    const spec = { prompt: 'a', steps: 20 };
    assert.deepEqual(requestOf(spec, { steps: [10], guidance: [1, 2], seed: [] }, 1),
      { spec: { prompt: 'a', steps: 10 }, several: { sweep: { guidance: [1, 2] } } });
    assert.deepEqual(requestOf(spec, {}, 1), { spec, several: {} });
    assert.deepEqual(requestOf(spec, {}, 4), { spec, several: { n: 4 } });
  });
});

describe('tables', () => {
  test('of one field: one row', () => {
    const [table, ...more] = tablesOf({ seed: [7, 8, 9] });
    assert.deepEqual(more, []);
    assert.deepEqual(table.columns.map((label) => label.value), [7, 8, 9]);
    assert.deepEqual(table.rows, [{ label: null, cells: [0, 1, 2] }]);
  });

  test('of four fields: a table for each pair of the first two, every cell once', () => {
    const axes = { prompt: ['a', 'b'], width: [64, 96], steps: [1, 2, 3], guidance: [1, 2] };
    const tables = tablesOf(axes);
    assert.deepEqual(tables.map(({ given }) => given.map((label) => label.value)),
      [['a', 64], ['a', 96], ['b', 64], ['b', 96]]);
    assert.deepEqual(tables.flatMap(({ rows }) => rows.flatMap((row) => row.cells)),
      Array.from({ length: 24 }, (_, i) => i));
    for (const { given, rows, columns } of tables) {
      for (const { label, cells } of rows) {
        cells.forEach((cell, i) => {
          const spec = cellSpec({ prompt: '', seed: 5 }, axes, cell);
          for (const { field, value } of [...given, label, columns[i]]) {
            assert.equal(spec[field], value, `cell ${cell}`);
          }
          assert.equal(spec.seed, 5);
        });
      }
    }
  });
});
