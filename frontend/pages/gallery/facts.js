// @ts-check
// facts - the parameters of finished pictures as rows, and in which of them they differ. No DOM.

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('../../state.js').Spec} Spec */
/** @typedef {import('../../i18n/text.js').Text} Text */

/** Every parameter of a picture, as words; null: it has none. @type {readonly
 * [string, (row: Row, text: Text) => string | null][]} */
const FACTS = [
  ['size', ({ result }) => `${result.width} × ${result.height}`],
  ['steps', ({ spec, result }) => (result.steps_done
    ? `${result.steps_done} / ${spec.steps}` : known(spec.steps))],
  ['guidance', ({ spec }) => known(spec.guidance)],
  ['seed', ({ result }) => known(result.seed)],
  ['noise', ({ spec }) => known(spec.noise_seed)],
  ['from', ({ spec }) => known(spec.prior_from)],
  ['images', ({ spec }) => known(spec.images?.map((one) => one.slice(0, 8)).join(' '))],
  ['lane', ({ spec }, text) => (spec.lane ? text.say(`lane.${spec.lane}`) : null)],
  ['made', ({ created_ms }, text) => new Intl.DateTimeFormat(text.tag,
    { dateStyle: 'medium', timeStyle: 'short' }).format(created_ms)],
  ['took', ({ result }, text) => text.exact(result.seconds)],
  ['bytes', ({ result }, text) => text.say('gallery.kb', { n: Math.ceil(result.bytes / 1024) })],
  ['job', ({ job }) => job],
];

/** What may differ between two drawings of the same request. */
const CHANCE = new Set(['made', 'took', 'bytes', 'job']);

/** @param {unknown} value */
const known = (value) => (value === undefined || value === null ? null : String(value));

/** @param {Row} row @param {Text} text @returns {[string, string][]} */
export function factsOf(row, text) {
  return FACTS.flatMap(([name, value]) => {
    const words = value(row, text);
    return words === null ? [] : [/** @type {[string, string]} */ ([name, words])];
  });
}

/** One line for each parameter that one of the pictures has: its values, and whether they differ.
 * @param {readonly Row[]} rows @param {Text} text
 * @returns {{name: string, values: (string | null)[], differs: boolean}[]} */
export function compared(rows, text) {
  /** @type {typeof FACTS} */
  const all = [['prompt', ({ spec }) => spec.prompt], ...FACTS];
  return all.filter(([name]) => !CHANCE.has(name)).map(([name, value]) => {
    const values = rows.map((row) => value(row, text));
    return { name, values, differs: new Set(values).size > 1 };
  }).filter(({ values }) => values.some((one) => one !== null));
}

/** The settings for the form. @param {Row} row @returns {Spec} */
export function settingsOf({ spec, result }) {
  const { prompt, width, height, steps, guidance, images, noise_seed } = spec;
  return { prompt, width, height, steps, guidance, seed: result.seed,
    ...(noise_seed === undefined ? {} : { noise_seed }), ...(images ? { images } : {}) };
}

/** Requests that come from a picture. again: other seeds; noise: the same composition; composition:
 * another one, the noise as it was. @type {Record<string, (row: Row) => Spec>} */
export const REQUESTS = Object.freeze({
  again: ({ spec }) => ({ ...plain(spec), seed: -1 }),
  noise: ({ spec, job }) => ({ ...plain(spec), seed: -1, prior_from: job }),
  composition: ({ spec, result }) => ({ ...plain(spec), seed: -1,
    noise_seed: spec.noise_seed ?? result.seed }),
});

/** Without seeds. @param {Row['spec']} spec */
function plain({ seed, noise_seed, prior_from, ...rest }) {
  void seed, noise_seed, prior_from;
  return rest;
}

/** The two moments, Unix time, that a choice of days means: 0 is no bound. @param {string} choice
 * "any", "today", "yesterday", "week", "month", or a day as "2026-11-29" @param {number} now */
export function daysOf(choice, now) {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(choice) ?? [];
  const begin = year ? new Date(Number(year), Number(month) - 1, Number(day)) : new Date(now);
  begin.setHours(0, 0, 0, 0);
  const days = (/** @type {number} */ n) => {
    const d = new Date(begin);
    d.setDate(d.getDate() + n); // a day may have 23 or 25 hours
    return d.getTime();
  };
  if (year) return { from: days(0), until: days(1) };
  switch (choice) {
    case 'today': return { from: days(0), until: 0 };
    case 'yesterday': return { from: days(-1), until: days(0) };
    case 'week': return { from: days(-6), until: 0 };
    case 'month': return { from: days(-29), until: 0 };
    default: return { from: 0, until: 0 };
  }
}
