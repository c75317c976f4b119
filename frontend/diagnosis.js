// @ts-check
// diagnosis - why there is no connection, as far as a plain request of /readyz can tell. No DOM.

const ANSWER_MS_MAX = 5000;

/** unreachable: nothing answers. starting: the server does, but is not ready. blocked: it does and
 * is ready, so something in between, or the server itself, refuses the WebSocket. gateway: a proxy
 * answers that it has no server. elsewhere: something else answers.
 * @typedef {{why: 'unreachable' | 'starting' | 'blocked' | 'gateway' | 'elsewhere',
 *            status: number}} Diagnosis */

/** @param {string} page the page's address @param {typeof fetch} request
 * @returns {Promise<Diagnosis>} */
export async function diagnose(page, request) {
  let status = 0;
  try {
    const answer = await request(new URL('readyz', page).href,
      { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    ({ status } = answer);
    const health = await answer.json();
    if (health?.ok === true) return { why: 'blocked', status };
    if (health?.ok === false) return { why: 'starting', status };
  } catch {
    // no answer, or not JSON
  }
  if (!status) return { why: 'unreachable', status };
  return { why: status >= 500 ? 'gateway' : 'elsewhere', status };
}
