// @ts-check
// text - formats the page's messages in one language: {names}, plural and ordinal forms, times.

/** @typedef {string | ({ordinal?: boolean} & Record<string, any>)} Message */
/** @typedef {Record<string, string | number>} Values */

/** Those of the page; each has its messages in a module of its own, LANG.js. */
export const LANGUAGES = Object.freeze(['en', 'zh']);

/** The text of one language, whose messages are loaded with it. @param {string} lang */
export async function loadText(lang) {
  return new Text(lang, (await import(`./${lang}.js`)).default);
}

/** The first language of `wanted` that the page has, else English.
 * @param {readonly string[]} wanted */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const short = tag.toLowerCase().split('-')[0];
    if (LANGUAGES.includes(short)) return short;
  }
  return 'en';
}

/** The messages of one language. Immutable; another language is another Text. */
export class Text {
  /** @param {string} lang one of LANGUAGES @param {Record<string, Message>} words */
  constructor(lang, words) {
    this.lang = lang;
    this.tag = lang === 'zh' ? 'zh-Hans' : lang;
    this.words = words;
    this.plural = new Intl.PluralRules(this.tag);
    this.rank = new Intl.PluralRules(this.tag, { type: 'ordinal' });
    this.number = new Intl.NumberFormat(this.tag);
    this.percents = new Intl.NumberFormat(this.tag, { style: 'percent' });
  }

  /** The same with more messages. @param {Record<string, Message>} words */
  with(words) {
    return new Text(this.lang, { ...this.words, ...words });
  }

  /** Whether there is such a message. @param {string} key */
  has(key) {
    return Object.hasOwn(this.words, key);
  }

  /** The message with its names filled in; `n` also chooses the plural form. An unknown key, which
   * is a bug, is returned as it is, so that it can be seen on the page.
   * @param {string} key @param {Values} [values] */
  say(key, values = {}) {
    const message = this.words[key];
    if (message === undefined) return key;
    const form = typeof message === 'string' ? message : this.#form(message, Number(values.n));
    return form.replace(/\{(\w+)\}/g, (_, name) => this.#show(values[name]));
  }

  /** @param {Record<string, any>} message @param {number} n @returns {string} */
  #form(message, n) {
    const rules = message.ordinal ? this.rank : this.plural;
    return message[rules.select(n)] ?? message.other;
  }

  /** @param {string | number | undefined} value */
  #show(value) {
    if (typeof value === 'number') return this.number.format(value);
    return value ?? '';
  }

  /** "3rd". @param {number} n */
  place(n) {
    return this.say('ordinal', { n });
  }

  /** 0.42 as "42%". @param {number} share */
  percent(share) {
    return this.percents.format(Math.floor(share * 100) / 100);
  }

  /** An estimated time, rounded up to what an estimate can tell: "about 28 s", "about 1 min 40 s".
   * @param {number} ms */
  about(ms) {
    const s = Math.ceil(ms / 1000 - 1e-9);
    if (ms < 700) return this.say('time.moment');
    if (s < 60) return this.say('time.seconds', { n: s });
    if (s < 180) {
      const tens = Math.ceil(s / 10) * 10;
      const [m, rest] = [Math.floor(tens / 60), tens % 60];
      return rest ? this.say('time.minutes.seconds', { m, s: rest })
        : this.say('time.minutes', { n: m });
    }
    const minutes = Math.ceil(s / 60);
    if (minutes < 60) return this.say('time.minutes', { n: minutes });
    return this.say('time.hours', { h: Math.floor(minutes / 60), m: minutes % 60 });
  }

  /** Between two estimated times: "24 to 34 s"; from minutes on: "13 to 31 min".
   * @param {number} lo ms @param {number} hi ms */
  between(lo, hi) {
    const [unit, ms] = hi < 180_000 ? ['seconds', 1000] : ['minutes', 60_000];
    const [least, most] = [Math.floor(lo / ms + 1e-9), Math.ceil(hi / ms - 1e-9)];
    return least < most ? this.say(`time.between.${unit}`, { lo: least, hi: most })
      : this.about(hi);
  }

  /** What is said in one line beside each other. @param {readonly string[]} words */
  list(words) {
    return words.join(this.say('list.comma'));
  }

  /** Memory, or room on a disk: "48 MB", "1.2 GB". @param {number} bytes */
  bytes(bytes) {
    const some = bytes < 1e9;
    const n = bytes / (some ? 1e6 : 1e9);
    const values = { n: n < 10 ? Math.round(n * 10) / 10 : Math.round(n) };
    return some ? this.say('bytes.mb', values) : this.say('bytes.gb', values);
  }

  /** One behind the other; empty ones are left out. @param {readonly string[]} all */
  sentences(all) {
    return all.filter((one) => one).join(this.lang === 'zh' ? '' : ' ');
  }

  /** A measured time: "6.8 s". @param {number} seconds */
  exact(seconds) {
    const n = seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds);
    return this.say('time.exact', { n });
  }
}
