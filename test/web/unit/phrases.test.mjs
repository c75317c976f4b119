// phrases - prompts that were used, styles, and walking through them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { USED_MAX, Walk, addUsed, hasStyle, phrasesIn, readList, toggleStyle }
  from '../../../frontend/phrases.js';

test('what is stored may be anything', () => {
  for (const text of [null, '', 'x', '5', 'null', '{}', '[1,null,{},""]']) {
    assert.deepEqual(readList(text, 9), [], text);
  }
  assert.deepEqual(readList('["a","b","c"]', 2), ['a', 'b']);
});

test('a prompt that was used is first, once; the list is bounded in number and size', () => {
  assert.deepEqual(addUsed(['a', 'b'], 'b'), ['b', 'a']);
  const many = Array.from({ length: 90 }, (_, i) => String(i));
  assert.equal(addUsed(many, 'x').length, USED_MAX);
  const long = Array.from({ length: 20 }, (_, i) => String(i).padEnd(16_384, 'a'));
  assert.equal(addUsed(long, 'x').length, 7);
});

describe('a style', () => {
  for (const [prompt, style, now] of [
    ['a house', 'in oil', 'a house, in oil'], ['a house, ', 'in oil', 'a house, in oil'],
    ['', 'in oil', 'in oil'], ['a house, in oil', 'in oil', 'a house'],
    ['in oil', 'in oil', ''], ['painted in oil', 'in oil', 'painted in oil, in oil'],
    ['雪人，油画', '油画', '雪人'], ['a (b', '(b', 'a (b, (b'],
  ]) {
    test(`"${prompt}" and "${style}"`, () => {
      assert.equal(toggleStyle(prompt, style), now);
      assert.equal(hasStyle(prompt, style), now.length < prompt.length);
    });
  }
});

test('walking: older, newer, back to what was typed, and no further', () => {
  const walk = new Walk();
  const list = ['new', 'old'];
  assert.equal(walk.go(list, -1, 'typed'), null);
  assert.equal(walk.go(list, 1, 'typed'), 'new');
  assert.equal(walk.go(list, 1, 'new'), 'old');
  assert.equal(walk.go(list, 1, 'old'), null);
  assert.equal(walk.go(list, -1, 'old'), 'new');
  assert.equal(walk.go(list, -1, 'new'), 'typed');
  walk.go(list, 1, 'typed');
  walk.typing();
  assert.equal(walk.go(list, 1, 'new!'), 'new');
  assert.equal(walk.go([], 1, 'x'), null);
});

test('kept and forgotten', () => {
  const stored = new Map();
  const phrases = phrasesIn((name) => stored.get(name) ?? null, (name, v) => stored.set(name, v));
  phrases.use('a');
  phrases.use('b');
  phrases.keepStyles(['s']);
  assert.deepEqual([phrases.used(), phrases.styles()], [['b', 'a'], ['s']]);
  phrases.forget();
  assert.deepEqual([phrases.used(), phrases.styles()], [[], []]);
});
