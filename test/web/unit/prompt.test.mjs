// prompt - what cannot be sent or drawn is found before it is sent, by the server's own rules.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { isUnseen, promptFault, promptLimits } from '../../../frontend/prompt.js';

describe('a prompt', () => {
  test('that can be sent', () => {
    for (const prompt of ['x', '😀', ' a b ', '\u200bx', 'a\tb', '、', 'x'.repeat(16_384)]) {
      assert.equal(promptFault(prompt), null, prompt.slice(0, 20));
    }
  });

  test('with a character that cannot be sent: which one, and where', () => {
    for (const [prompt, character, at] of [['a\0b', 'U+0000', 1], ['😀\ud83d', 'U+D83D', 2],
        ['\udc00x', 'U+DC00', 0]]) {
      const fault = promptFault(prompt);
      assert.deepEqual([fault.code, fault.values.character, fault.at, fault.length],
        ['prompt_character', character, at, 1]);
    }
  });

  test('that is too long: for the limit, or for a message', () => {
    assert.deepEqual(promptFault('界'.repeat(5462)).values, { n: 16_386, max: 16_384 });
    assert.equal(promptFault('\x01'.repeat(16_000) + 'x').code, 'prompt_long');
    assert.equal(promptFault('\x01'.repeat(9000) + 'x'), null);
    const limits = promptLimits({ fields: [{ name: 'prompt', max: 10 }],
      limits: { message_bytes: 600 } });
    assert.equal(promptFault('x'.repeat(11), limits).values.max, 10);
    assert.equal(promptFault('x'.repeat(90), { message: 600 }).values.max, 88);
  });

  test('limits of a hello of any shape', () => {
    for (const hello of [null, {}, { fields: 5 }, { fields: [null, 'x', { name: 'prompt' }] },
        { limits: 'x' }, { fields: [{ name: 'prompt', max: 'x' }] },
        { limits: { message_bytes: -1 } }]) {
      assert.deepEqual(promptLimits(hello), { prompt: undefined, message: undefined });
    }
  });

  test('of nothing visible: the same characters as in the server\'s table', () => {
    const source = readFileSync(new URL('../../../proto/visible.c', import.meta.url), 'utf8');
    const table = source.slice(source.indexOf('INVISIBLE[]'), source.indexOf('};',
      source.indexOf('INVISIBLE[]')));
    const ranges = [...table.matchAll(/\{0x(\w+), 0x(\w+)\}/g)]
      .map((m) => [parseInt(m[1], 16), parseInt(m[2], 16)]);
    assert.ok(ranges.length > 20);
    const wrong = [];
    for (let c = 1; c <= 0x10ffff; c++) {
      if (c >= 0xd800 && c < 0xe000) continue;
      const unseen = ranges.some(([first, last]) => c >= first && c <= last);
      if (isUnseen(String.fromCodePoint(c)) !== unseen) wrong.push(c.toString(16));
    }
    assert.deepEqual(wrong, []);
  });
});
