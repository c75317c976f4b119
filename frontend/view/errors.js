// @ts-check
// errors - turns what went wrong into a sentence, and another that says what to do.

/** @typedef {import('../state.js').Job} Job */
/** @typedef {import('../state.js').Failure} Failure */
/** @typedef {import('../i18n/text.js').Text} Text */
/** @typedef {{wrong: string, todo: string, detail?: string}} ErrorWords detail: the server's own English */

const PARTICULAR = Object.freeze(['bad_field', 'bad_prompt', 'bad_request', 'too_big_for_device', 'out_of_memory', 'conflict']); // codes that say little without detail

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
  const time = failure.retry_after_ms ? text.about(failure.retry_after_ms) : text.say('time.moment');
  const field = failure.field && text.has(`field.${failure.field}`) ? text.say(`field.${failure.field}`) : failure.field ?? '';
  const general = { wrong: text.say(`error.${key}`, { field }), todo: text.say(`error.${key}.todo`, { time }) };
  const exact = sentence(failure.message ?? '');
  // the server's own words are exact, but English; a wait is better said here, where it is a time and not a number
  if (!exact || failure.retry_after_ms) return general;
  if (text.lang !== 'en') return PARTICULAR.includes(failure.code) ? { ...general, detail: exact } : general;
  // a hint of another kind speaks to programs and to whoever runs the server
  return { wrong: exact, todo: (PARTICULAR.includes(failure.code) && sentence(failure.hint ?? '')) || general.todo };
}

/** What is wrong with this job, null when nothing is. @param {Job} job @param {Text} text @param {boolean} missing its file is gone
 * @returns {ErrorWords | null} */
export function jobErrors(job, text, missing) {
  if (job.state === 'done' && missing) return { wrong: text.say('card.missing'), todo: text.say('card.lost.todo') };
  if (job.state === 'lost') return { wrong: text.say('card.lost.text'), todo: text.say('card.lost.todo') };
  if (job.state === 'cancelled') return { wrong: text.say('card.cancelled.text'), todo: '' };
  if (job.state !== 'failed' && job.state !== 'refused') return null;
  return failureWords(job.error ?? { code: 'internal' }, text);
}
