// types - the JSDoc types of the page hold, strictly.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('tsc finds nothing', () => {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath,
    [tsc, '-p', fileURLToPath(new URL('..', import.meta.url))], { encoding: 'utf8' });
  assert.equal(stdout, '');
  assert.equal(status, 0);
});
