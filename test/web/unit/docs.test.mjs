// docs - the tables and links of the documents that go with the page.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../../', import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');
const codes = [...read('proto/fail.c').matchAll(/\{ERR_\w+,\s*\d+,\s*"(\w+)"/g)].map((m) => m[1])
  .filter((code) => code !== 'ok');

test('TROUBLESHOOTING.md has a row for each error of the product, and for none else', () => {
  const rows = [...read('server/TROUBLESHOOTING.md')
    .matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$/gm)];
  assert.ok(codes.length >= 20);
  assert.deepEqual(rows.map((m) => m[1]).sort(), [...codes].sort());
  for (const [, code, what, where] of rows) assert.ok(what.length > 5 && where.length > 5, code);
});

test('what these documents name is there: files, options', () => {
  const options = read('server/OPTIONS.md');
  for (const [path, folder] of [['server/TROUBLESHOOTING.md', 'server/'],
    ['frontend/README.zh.md', 'frontend/']]) {
    const text = read(path);
    for (const [, link] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(link)) continue;
      assert.ok(existsSync(new URL(folder + link, ROOT)), `${path}: ${link}`);
    }
    for (const [option] of text.matchAll(/--[a-z][a-z-]+/g)) {
      if (['--help', '--json'].includes(option)) continue;
      assert.ok(options.includes(`\`${option}\``) || options.includes(`\`${option} `),
        `${path}: ${option}`);
    }
  }
});

test('the Chinese README has the commands of the English one, and each links to the other', () => {
  const [en, zh] = [read('README.md'), read('frontend/README.zh.md')];
  assert.match(en.split('\n').slice(0, 3).join('\n'), /\(frontend\/README\.zh\.md\)/);
  assert.match(zh, /\(\.\.\/README\.md\)/);
  assert.match(en, /\(server\/TROUBLESHOOTING\.md\)/);
  for (const command of ['make run', 'make test', 'make help', 'build/darkroom serve --help',
    'python3 proto/examples/draw.py', 'build/darkroom user add NAME',
    'make run MODEL=/path/to/GLM-Image ARGS="--port 8080"']) {
    assert.ok(en.includes(command) && zh.includes(command), command);
  }
});
