// @ts-check
// errors - turns an error into two sentences: what is wrong, and what to do.

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../state.js').Failure} Failure */
/** @typedef {import('../i18n/text.js').Text} Text */
/** detail: the server's English message.
 * @typedef {{wrong: string, todo: string, detail?: string}} ErrorWords */

// codes whose message says more than the page's own sentence
const PARTICULAR = Object.freeze(['bad_field', 'bad_prompt', 'bad_image', 'bad_request',
  'too_big_for_device', 'out_of_memory', 'conflict']);

/** A sentence begins with a capital and ends with a stop. @param {string} words */
export function sentence(words) {
  const trimmed = words.trim();
  if (!trimmed) return '';
  const stopped = /[.!?。！？]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return stopped[0].toUpperCase() + stopped.slice(1);
}

/** @param {Failure} failure @param {Text} text @returns {ErrorWords} */
export function failureWords(failure, text) {
  const key = text.has(`error.${failure.code}`) ? failure.code : 'internal';
  const time = failure.retry_after_ms ? text.about(failure.retry_after_ms)
    : text.say('time.moment');
  const field = failure.field && text.has(`field.${failure.field}`)
    ? text.say(`field.${failure.field}`) : failure.field ?? '';
  const general = { wrong: text.say(`error.${key}`, { field, ...failure.values }),
    todo: text.say(`error.${key}.todo`, { time }) };
  const exact = sentence(failure.message ?? '');
  // the server's message is exact, but English; for a wait the page's sentence shows the time
  if (!exact || failure.retry_after_ms) return general;
  if (text.lang !== 'en') {
    return PARTICULAR.includes(failure.code) ? { ...general, detail: exact } : general;
  }
  // hints of other codes address programs and administrators
  return { wrong: exact, todo: (PARTICULAR.includes(failure.code) && sentence(failure.hint ?? ''))
    || general.todo };
}

/** The sentences for a job that has no picture, else null. @param {Job} job @param {Text} text
 * @param {boolean} missing its file is gone
 * @returns {ErrorWords | null} */
export function jobErrors(job, text, missing) {
  if (job.state === 'done' && missing) {
    return { wrong: text.say('card.missing'), todo: text.say('card.lost.todo') };
  }
  if (job.state === 'lost') {
    return { wrong: text.say('card.lost.text'), todo: text.say('card.lost.todo') };
  }
  if (job.state === 'cancelled') return { wrong: text.say('card.cancelled.text'), todo: '' };
  if (job.state !== 'failed' && job.state !== 'refused') return null;
  return failureWords(job.error ?? { code: 'internal' }, text);
}
