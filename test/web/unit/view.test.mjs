// view - the views' functions without a page: sizes, the title, names and languages of prompts.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { loadText } from '../../../frontend/i18n/text.js';
import { newJob } from '../../../frontend/state.js';
import { whyWords } from '../../../frontend/view/card.js';
import { examplesOf } from '../../../frontend/view/composer.js';
import { brief, languageOf } from '../../../frontend/view/dom.js';
import { nearest, sizeFault, smallest } from '../../../frontend/view/sizes.js';
import { titleIcon, titleWords } from '../../../frontend/view/title.js';

const E = await loadText('en');
const Z = await loadText('zh');
const side = { min: 64, max: 512, step: 32 };
const rules = { presets: [], width: { name: 'width', ...side }, height: { name: 'height', ...side },
  aspect: 4 };

describe('sizes', () => {
  test('every legal size passes, and only those', () => {
    let legal = 0;
    for (let width = 0; width <= 640; width += 16) {
      for (let height = 0; height <= 640; height += 16) {
        const fits = (n) => n >= 64 && n <= 512 && n % 32 === 0;
        const right = fits(width) && fits(height)
          && Math.max(width, height) <= 4 * Math.min(width, height);
        assert.equal(sizeFault({ width, height }, rules) === null, right, `${width}x${height}`);
        legal += Number(right);
      }
    }
    assert.ok(legal > 100);
  });

  test('what is advised is legal', () => {
    for (const n of [-5, 0, 1, 63, 79, 80, 81, 250, 511, 513, 1e9]) {
      const near = nearest(n, rules.width);
      assert.ok(near >= 64 && near <= 512 && near % 32 === 0, `${n}: ${near}`);
    }
    const fault = sizeFault({ width: 96, height: 512 }, rules);
    assert.deepEqual([fault.side, fault.values.near], ['height', '384']);
    assert.equal(sizeFault({ width: 96, height: 384 }, rules), null);
  });

  test('what the model was made for is the smallest of its own sizes', () => {
    const sizes = [[1024, 1024], [1536, 1024], [2048, 512]].map(([width, height]) =>
      ({ width, height }));
    assert.deepEqual(smallest(sizes), sizes[0]);
    assert.deepEqual(smallest([{}, { width: 256, height: 128 }, ...sizes]),
      { width: 256, height: 128 });
    assert.equal(smallest([]), null);
    assert.equal(smallest([{ width: undefined, height: undefined }]), null);
  });

  test('no number at all is blamed too', () => {
    assert.equal(sizeFault({ width: NaN, height: 256 }, rules).side, 'width');
    assert.equal(sizeFault({ width: 256, height: 96.5 }, rules).side, 'height');
  });
});

describe('why it waits', () => {
  const running = (waits, more) => ({ ...newJob('k', { prompt: 'p' }, 0), state: 'running', waits,
    ...more });

  test('one that runs and is not drawn says why, in each language', () => {
    for (const text of [E, Z]) {
      for (const waits of ['turn', 'urgent']) {
        assert.ok(whyWords(running(waits), text, true, 2).length > 5, waits);
      }
    }
    assert.equal(whyWords(running(null), E, true, 2), '');
    assert.equal(whyWords(running('turn', { cancelling: true }), E, true, 2), '');
  });
});

describe('the tab', () => {
  const job = (state, more) => ({ ...newJob('k', { prompt: 'p' }, 0), state, ...more });
  const waits = () => job('queued', { queue: { position: 3 } });

  test('the oldest running picture, else the foremost place, else what became ready', () => {
    const waiting = waits();
    assert.equal(
      titleWords([waiting, job('running', { overall: 0.1 }), job('running', { overall: 0.429 })], 0,
      E), '42% · darkroom');
    assert.equal(titleWords([job('queued', { queue: { position: 4 } }), waiting], 2, E),
      '3rd in line · darkroom');
    assert.equal(titleWords([job('done')], 2, E), '2 ready · darkroom');
    assert.equal(titleWords([job('done')], 0, E), 'darkroom');
    assert.equal(titleWords([job('done')], 0, E, 'Admin'), 'Admin · darkroom');
    assert.equal(titleWords([waiting], 0, Z), '第 3 位 · 暗房');
  });

  test('its icon: a ring that closes, of files that are there', () => {
    const shown = [0, 0.3, 0.5, 0.99, 1].map((overall) => titleIcon([job('running', { overall })]));
    assert.deepEqual(shown, [1, 2, 3, 4, 4].map((n) => `icon-${n}.svg`));
    assert.equal(titleIcon([waits()]), 'icon.svg');
    for (const file of [...shown, 'icon.svg']) {
      assert.match(readFileSync(new URL(`../../../frontend/${file}`, import.meta.url), 'utf8'),
        /^<svg/);
    }
  });
});

describe('prompts', () => {
  test('a long one is named by its beginning, without half characters', () => {
    assert.equal(brief('short'), 'short');
    assert.equal(brief('x'.repeat(80)), 'x'.repeat(80));
    assert.equal(brief('😀'.repeat(200)), `${'😀'.repeat(80)}…`);
  });

  test('their language, for the right glyphs', () => {
    assert.deepEqual(['a boat', '雪人', '日の出', '바다', ''].map(languageOf),
      [null, 'zh', 'ja', 'ko', null]);
  });

  test('examples: those in the page\'s language first, six at most, none without a server', () => {
    const examples = ['a', 'b', 'c', 'd', 'e', '雪', 'f'];
    assert.deepEqual(examplesOf({ examples }, 'zh'), ['雪', 'a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(examplesOf({ examples }, 'en'), ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.deepEqual(examplesOf(null, 'en'), []);
  });
});
