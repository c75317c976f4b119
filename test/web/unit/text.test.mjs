// text - both languages have every message with its plural forms; every key in use exists. The same
// for the words of each page.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { LANGUAGES, loadText, pickLanguage } from '../../../frontend/i18n/text.js';
import { PAGES } from '../../../frontend/pages.js';
import { failureWords, sentence } from '../../../frontend/view/errors.js';

const ROOT = new URL('../../../', import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');
const scripts = (folder) => readdirSync(new URL(`frontend/${folder}`, ROOT))
  .filter((f) => f.endsWith('.js') && !(folder.startsWith('pages/') && /^(en|zh)\.js$/.test(f)))
  .map((f) => read(`frontend/${folder}${f}`)).join('\n');
const sources = scripts('') + scripts('view/');
const keysOf = (source) => [...source.matchAll(
  /(?:say|of|face)\((?:[^()'"`]*,\s*)?'([a-z][\w.]*)'/g)].map((m) => m[1]);
const names = (message) => new Set(JSON.stringify(message).match(/\{\w+\}/g) ?? []);
const E = await loadText('en');
const Z = await loadText('zh');
const TEXTS = { en: E, zh: Z };
const en = E.words;

/** The messages of one set, by language: complete, the same in each, and nothing empty. */
function sameInBoth(name, all) {
  const { en } = all;
  for (const [lang, words] of Object.entries(all)) {
    const text = TEXTS[lang].with(words);
    describe(`${name}, ${lang}`, () => {
      test('the same keys as English, none more',
        () => assert.deepEqual(Object.keys(words).sort(), Object.keys(en).sort()));

      test('the same values in every message', () => {
        for (const key of Object.keys(en)) {
          if (typeof en[key] === 'string') assert.deepEqual(names(words[key]), names(en[key]), key);
        }
      });

      test('a form for every number', () => {
        for (const [key, message] of Object.entries(words)) {
          if (typeof message === 'string') continue;
          const rules = new Intl.PluralRules(text.tag,
            { type: message.ordinal ? 'ordinal' : 'cardinal' });
          for (const form of rules.resolvedOptions().pluralCategories) {
            assert.ok(message[form], `${key} lacks ${form}`);
          }
        }
      });

      test('nothing is empty', () => {
        for (const key of Object.keys(words)) assert.ok(text.say(key, { n: 1 }).trim(), key);
      });
    });
  }

  test(`${name}: Chinese is Chinese`, () => {
    const same = Object.keys(en)
      .filter((key) => typeof en[key] === 'string' && en[key] === all.zh[key]
      && /[a-z]{4}/i.test(en[key].replace(/\{\w+\}/g, '')));
    assert.deepEqual(same.filter((key) => !/keys/.test(key)), []);
  });
}

sameInBoth('the page', { en: E.words, zh: Z.words });

test('the languages are those of the folder', () => {
  assert.deepEqual(readdirSync(new URL('frontend/i18n/', ROOT)).sort(),
    ['text.js', ...LANGUAGES.map((lang) => `${lang}.js`)].sort());
  assert.deepEqual(Object.keys(TEXTS), LANGUAGES);
});

for (const page of readdirSync(new URL('frontend/pages/', ROOT))) {
  const all = {};
  for (const lang of LANGUAGES) {
    all[lang] = (await import(`../../../frontend/pages/${page}/${lang}.js`)).default;
  }
  sameInBoth(`pages/${page}`, all);

  test(`pages/${page}: every key in use exists, none is left over, none hides another`, () => {
    const source = scripts(`pages/${page}/`);
    const used = keysOf(source);
    assert.ok(used.length > 0);
    for (const key of used) assert.ok(E.has(key) || key in all.en, key);
    for (const key of Object.keys(all.en)) {
      assert.ok(!E.has(key), `${key} is a message of the whole page`);
      // `admin.role.${role}` uses all that begin so
      const composed = key.split('.').slice(0, -1).join('.');
      assert.ok(source.includes(`'${key}'`) || source.includes(`\`${composed}.`),
        `${key} is never used`);
    }
  });

  test(`pages/${page} has its style sheet, its line and its name`, () => {
    assert.ok(existsSync(new URL(`frontend/pages/${page}/page.css`, ROOT)));
    assert.ok(Object.hasOwn(PAGES, page));
    assert.ok(E.has(`page.${page}`));
  });
}

describe('keys that the page uses', () => {
  test('in HTML', () => {
    const used = [...read('frontend/index.html').matchAll(/data-t(?:-\w+)?="([^"]+)"/g)]
      .map((m) => m[1]);
    assert.ok(used.length > 15);
    for (const key of used) assert.ok(E.has(key), key);
  });

  test('in scripts', () => {
    const used = keysOf(sources);
    assert.ok(used.length > 40, `${used.length} found`);
    for (const key of used) assert.ok(E.has(key), key);
  });

  test('and none is left over', () => {
    const all = sources + read('frontend/index.html') + read('frontend/i18n/text.js');
    const composed = new RegExp(['^(error|why|phase|connection|field|form|lane|viewer|page)\\.',
      '^(act\\.copy|(several|sources)\\.(cell|error|todo)|stand|sharing\\.term)\\.',
      '^account\\.\\w+$', '^account\\.role\\.\\w+$',
      '^notice\\.(back|restarted|stopping|filled|retry|undo|unread|dropped|undrafted)$',
      '^notice\\.never\\.\\w+$',
      '^compose\\.(size\\.\\w+|steps|guidance|quote\\.(all\\.)?(now|queue))$',
      '^(cap|card|status)\\.\\w+$', '^time\\.between\\.'].join('|'));
    for (const key of Object.keys(en)) {
      assert.ok(all.includes(key) || composed.test(key), `${key} is never used`);
    }
  });

  test('for every error of the server', () => {
    const codes = [...read('proto/fail.c').matchAll(/\{ERR_\w+,\s*\d+,\s*"(\w+)"/g)]
      .map((m) => m[1]).filter((code) => code !== 'ok');
    assert.ok(codes.length >= 20, `${codes.length} found`);
    for (const code of codes) for (const text of [E, Z]) assert.ok(text.has(`error.${code}`)
      && text.has(`error.${code}.todo`), code);
  });

  test('for every reason to wait, phase and field', () => {
    const protocol = read('proto/PROTOCOL.md');
    const [table] = protocol.slice(protocol.indexOf('| why |')).split('\n\n');
    const why = [...table.matchAll(/^ *\| `(\w+)` \|/gm)].map((m) => m[1]);
    assert.ok(why.length >= 10 && why.includes('turn') && why.includes('stopping'));
    for (const w of why) assert.ok(E.has(`why.${w}`), w);
    for (const p of ['glyph', 'prior', 'denoise', 'decode']) {
      assert.ok(E.has(`phase.${p}`) && E.has(`phase.${p}.short`), p);
    }
    for (const f of ['prompt', 'width', 'height', 'steps', 'guidance', 'seed']) {
      assert.ok(E.has(`field.${f}`), f);
    }
  });
});

describe('forms', () => {
  test('places', () => {
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 101, 111].map((n) => E.place(n)),
      ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '23rd', '101st',
        '111th']);
    assert.equal(Z.place(3), '第 3 位');
  });

  test('counts', () => {
    assert.equal(E.say('gallery.count', { n: 1 }), '1 picture');
    assert.equal(E.say('gallery.count', { n: 2 }), '2 pictures');
    assert.equal(E.say('gallery.count', { n: 12345 }), '12,345 pictures');
    assert.equal(E.say('status.queue', { n: 2 }), 'Queue: 2 at a time');
    assert.equal(Z.say('gallery.count', { n: 2 }), '2 张');
  });

  test('times are as vague as guesses are, and never say zero', () => {
    const said = [0, 699, 700, 28_000, 27_200, 59_000, 60_000, 61_000, 100_000, 170_001, 181_000,
      3_540_000, 3_600_000, 5_000_000].map((ms) => E.about(ms));
    assert.deepEqual(said,
      ['a moment', 'a moment', 'about 1 s', 'about 28 s', 'about 28 s', 'about 59 s', 'about 1 min',
      'about 1 min 10 s', 'about 1 min 40 s',
      'about 3 min', 'about 4 min', 'about 59 min', 'about 1 h 0 min', 'about 1 h 24 min']);
    assert.equal(Z.about(28_000), '约 28 秒');
    assert.deepEqual([[24_200, 33_100], [700, 179_000], [788_000, 1_810_000], [5000, 5000],
      [200_000, 230_000]].map(([lo, hi]) => E.between(lo, hi)), ['24 to 34 s', '0 to 179 s',
      '13 to 31 min', 'about 5 s', '3 to 4 min']);
    assert.equal(Z.between(788_000, 1_810_000), '13 到 31 分钟');
  });

  test('shares never promise more than there is', () => {
    assert.equal(E.percent(0.999), '99%');
    assert.equal(E.percent(1), '100%');
  });

  test('a value cannot bring another placeholder in', () => {
    assert.equal(E.say('say.done', { prompt: '{prompt} $& {n}' }), 'Ready: {prompt} $& {n}');
  });

  test('the language is picked from what the browser wants', () => {
    assert.equal(pickLanguage(['fr', 'zh-TW', 'en']), 'zh');
    assert.equal(pickLanguage(['de']), 'en');
    assert.equal(pickLanguage([]), 'en');
  });
});

describe('errors are sentences with what to do', () => {
  test('the server\'s own words, as sentences', () => {
    assert.equal(sentence(' width is 1000 '), 'Width is 1000.');
    assert.equal(sentence('why?'), 'Why?');
    const { wrong,
      todo } = failureWords({ code: 'bad_field', field: 'width',
      message: 'width is 1000, not a multiple of 32', hint: 'Use 992 or 1024' }, E);
    assert.deepEqual([wrong, todo], ['Width is 1000, not a multiple of 32.', 'Use 992 or 1024.']);
  });

  test('a wait is told as a time', () => {
    assert.equal(failureWords({ code: 'queue_full', message: 'm', hint: 'after retry_after_ms',
      retry_after_ms: 12_000 }, E).todo, 'Try again in about 12 s.');
    assert.equal(
      failureWords({ code: 'queue_full', message: 'm', hint: 'h', retry_after_ms: 12_000 }, Z).todo,
      '请在约 12 秒后再试。');
  });

  test('what only the server can name is kept, in its English, beside the Chinese', () => {
    const said =
      failureWords({ code: 'bad_prompt', message: 'the prompt contains "<|x|>"', hint: 'h' }, Z);
    assert.deepEqual(said, { wrong: Z.say('error.bad_prompt'), todo: Z.say('error.bad_prompt.todo'),
      detail: 'The prompt contains "<|x|>".' });
    assert.equal(failureWords({ code: 'device', message: 'm', hint: 'h' }, Z).detail, undefined);
  });

  test('an error that this page does not know still says something', () => {
    const { wrong, todo } = failureWords({ code: 'new_one' }, Z);
    assert.ok(wrong && todo);
  });
});
