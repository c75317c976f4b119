// @ts-check
// events - reads a stream of server-sent events, in pieces of any size. No DOM.

/** The data of each event that is JSON, as it comes. @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<any>} */
export async function* serverEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const data = dataOf(text.slice(0, at));
        text = text.slice(at + 2);
        if (data !== null) yield data;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {string} event @returns {any} null: a comment, or no JSON */
function dataOf(event) {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'));
  if (!lines.length) return null;
  try {
    return JSON.parse(lines.map((line) => line.slice(5).trimStart()).join('\n'));
  } catch {
    return null;
  }
}
