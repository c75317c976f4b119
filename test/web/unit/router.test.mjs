// router - which page an address names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOf } from '../../../frontend/router.js';

const NAMES = ['admin', 'gallery', 'share'];

for (const [hash, page, rest] of [
  ['', 'room', ''], ['#', 'room', ''], ['#/', 'room', ''], ['#/room', 'room', ''],
  ['#pictures', 'room', ''], ['#admin', 'room', ''], ['#token=dr_1', 'room', ''],
  ['#/nothing', 'room', ''], ['#/Admin', 'room', ''], ['#/constructor', 'room', ''],
  ['#/admin', 'admin', ''], ['#/admin/', 'admin', ''], ['#/gallery/a/b', 'gallery', 'a/b'],
  ['#share=drs_x', 'share', 'drs_x'], ['#share=', 'room', ''], ['#/admin?x', 'room', ''],
]) {
  test(`"${hash}"`, () => assert.deepEqual(placeOf(hash, NAMES), { page, rest }));
}
