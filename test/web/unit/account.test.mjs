// account - signing in: what is sent, what is never sent, and what each answer comes to.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { invitation, signIn, signOut } from '../../../frontend/account.js';

const TOKEN = `dr_${'a'.repeat(49)}`;
const answers = (status, body) => {
  const asked = [];
  const request = async (url, how) => {
    asked.push([url, how]);
    return { ok: status === 200, status, json: async () => JSON.parse(body) };
  };
  return { asked, request };
};

describe('an invitation link', () => {
  test('has its token behind the #', () => {
    assert.equal(invitation(`#token=${TOKEN}`), TOKEN);
    assert.equal(invitation('#token= x '), 'x');
    assert.equal(invitation('#token='), '');
    for (const more of ['.', '%20', '。', ')', '，请登录', '&x=1', '\n', '%22']) {
      assert.equal(invitation(`#token=${TOKEN}${more}`), TOKEN, more);
    }
    assert.equal(invitation(`#token=%20 ${TOKEN}`), TOKEN);
    assert.equal(invitation(`#token=${TOKEN}b`), `${TOKEN}b`, 'another token, which is wrong');
  });
  test('is nothing else', () => {
    for (const hash of ['', '#', '#pictures', '#x=1&token=y', 'token=y', '#TOKEN=y']) {
      assert.equal(invitation(hash), null, hash);
    }
  });
});

describe('signing in', () => {
  test('sends the token in a header, below the page, never in the address', async () => {
    const { asked, request } = answers(200, '{"user":null}');
    assert.equal(await signIn('https://host/lab/?a=b#c', TOKEN, request), null);
    const [[url, how]] = asked;
    assert.equal(url, 'https://host/lab/v1/session');
    assert.equal(how.method, 'POST');
    assert.deepEqual(how.headers, { Authorization: `Bearer ${TOKEN}` });
    assert.equal(how.body, undefined);
  });
  test('does not ask about what is no token', async () => {
    const { asked, request } = answers(200, '{}');
    for (const token of ['', 'x', TOKEN.slice(1), `${TOKEN}a`, `${TOKEN.slice(0, -1)}é`,
      `${TOKEN.slice(0, -1)}\n`]) {
      assert.equal((await signIn('http://host/', token, request)).code, 'bad_token', token);
    }
    assert.deepEqual(asked, []);
  });
  test('tells what the server says, or that nothing answers', async () => {
    const limited = answers(429, '{"code":"rate_limited","retry_after_ms":7000}');
    assert.equal((await signIn('http://h/', TOKEN, limited.request)).retry_after_ms, 7000);
    for (const body of ['{"code":7}', 'null']) {
      const odd = answers(401, body);
      assert.equal((await signIn('http://h/', TOKEN, odd.request)).code, 'internal', body);
    }
    const html = answers(502, '<html>');
    assert.equal((await signIn('http://h/', TOKEN, html.request)).code, 'unreachable');
    const gone = async () => { throw new TypeError('failed'); };
    assert.equal((await signIn('http://h/', TOKEN, gone)).code, 'unreachable');
  });
  test('and out', async () => {
    const { asked, request } = answers(200, '{"user":null}');
    assert.equal(await signOut('http://host/', request), null);
    assert.equal(asked[0][1].method, 'DELETE');
    assert.equal(asked[0][1].headers, undefined);
  });
});
