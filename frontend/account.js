// @ts-check
// account - signing in and out: a token becomes a cookie that scripts cannot read. No DOM.

/** @typedef {import('./state.js').Failure} Failure */

const ANSWER_MS_MAX = 10_000;
const TOKEN = /^dr_[0-9A-Za-z]{49}$/;

/** The token of an invitation link, `.../#token=dr_...`, without what a mail or a chat has taken
 * into the link behind it; null when there is none. @param {string} hash */
export function invitation(hash) {
  const [, said] = /^#token=(.*)$/s.exec(hash) ?? [];
  return said === undefined ? null
    : /^(?:\s|%20)*(dr_[0-9A-Za-z]{49})(?![0-9A-Za-z])/.exec(said)?.[1] ?? said.trim();
}

/** @param {string} page the page's address @param {typeof fetch} request
 * @param {RequestInit} how @returns {Promise<Failure | null>} null: it was done */
async function ask(page, request, how) {
  try {
    const answer = await request(new URL('v1/session', page).href,
      { cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(ANSWER_MS_MAX),
        ...how });
    if (answer.ok) return null;
    const failure = await answer.json();
    return typeof failure?.code === 'string' ? failure : { code: 'internal' };
  } catch {
    return { code: 'unreachable' }; // no answer, or not the server's
  }
}

/** Sign in. @param {string} page the page's address @param {string} token
 * @param {typeof fetch} request @returns {Promise<Failure | null>} null: it worked */
export async function signIn(page, token, request) {
  if (!TOKEN.test(token)) return { code: 'bad_token' };
  return ask(page, request, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
}

/** @param {string} page @param {typeof fetch} request
 * @returns {Promise<Failure | null>} null: the cookie is gone */
export function signOut(page, request) {
  return ask(page, request, { method: 'DELETE' });
}
