// @ts-check
// app - wires the page: messages change the state, the state updates the views, the form and
// buttons send commands.

import { LANGUAGES, loadText, pickLanguage } from './i18n/text.js';
import { invitation, signIn, signOut } from './account.js';
import { Asking } from './asking.js';
import { diagnose } from './diagnosis.js';
import { Forecast } from './forecast.js';
import { Reel } from './reel.js';
import { Session, Store } from './session.js';
import { phrasesIn } from './phrases.js';
import { parseObject, storedDraft, storedLists, storedPairs, tidyHello } from './stored.js';
import { Wire, browserEnvironment, socketUrl } from './wire.js';
import { Composer } from './view/composer.js';
import { Dropped } from './view/dropped.js';
import { attribute, brief, byId, pictureUrl, put } from './view/dom.js';
import { Gallery } from './view/gallery.js';
import { Connection } from './view/connection.js';
import { Announcer, changes } from './view/announcer.js';
import { Notices } from './view/notices.js';
import { Pages } from './view/pages.js';
import { Ready } from './view/ready.js';
import { SignIn } from './view/signin.js';
import { takesPictures } from './view/sources.js';
import { Status } from './view/status.js';
import { finishedCells } from './view/sweepcard.js';
import { Title } from './view/title.js';
import { failureWords } from './view/errors.js';
import { Versus } from './view/versus.js';
import { Viewer } from './view/viewer.js';
import { WhoAmI } from './view/whoami.js';
import { Wording } from './view/wording.js';

/** @typedef {import('./state.js').Job} Job */
/** @typedef {import('./state.js').Spec} Spec */

const TICK_MS = 250;
const USER = 'darkroom.user';
const DRAFT = 'darkroom.draft';
const HELLO = 'darkroom.hello';
const PAIRS = 'darkroom.pairs'; // of this tab
const REFUSALS = ['queue_full', 'timeout', 'shutting_down', 'too_big_for_device']; // before asking

const now = () => performance.now();
const storage = openStorage(() => localStorage);
const tabStorage = openStorage(() => sessionStorage);
const root = document.documentElement;
const store = new Store();
const wire = new Wire(socketUrl(location.href), {
  message: receive,
  connection: (connection) => store.dispatch({ do: 'connection', connection }),
  error: (error) => console.warn('darkroom: a message that cannot be read', error),
});
const session = new Session({ store, storage, now, send: (message) => wire.send(message),
  probe: () => wire.probe() });
const reel = new Reel();
const asking = new Asking((message) => wire.send(message));
/** @type {Map<string, Set<(message: any) => void>>} */ const listeners = new Map();

let text = await loadText(pickLanguage([root.lang]));
let drawn = store.state;
let dirty = true;
let languageChanged = true;
/** @type {Job[]} */ let cleared = [];
let askedQuote = '';
// the last hello of this server, kept so that the form is complete before it connects
const known = tidyHello(parseObject(recall(HELLO)));

const composer = new Composer({ submit, changed });
const phrases = phrasesIn(recall, keep);
const wording = new Wording(composer.prompt, phrases, (words) => composer.write(words));
const status = new Status();
const announcer = new Announcer(() => text);
const notices = new Notices();
const title = new Title();
const ready = new Ready();
const connection = new Connection({
  retry: () => wire.connect(),
  undo,
  dismiss: () => store.dispatch({ do: 'news', news: null }),
});
const viewer = new Viewer({
  use, vary, begin: (job) => begin(job.result?.digest ?? ''),
  images: () => takesPictures(store.state.hello), text: () => text,
  say: (sentence) => announcer.say(sentence),
  finished: (shown) => {
    const sweep = store.state.jobs.find((job) => job.cells.some((cell) => cell.id === shown?.id));
    return sweep ? finishedCells(sweep)
      : store.state.jobs.filter((job) => job.state === 'done' && job.result);
  },
});
const gallery = new Gallery({
  cancel: (job) => session.cancel(job.key),
  remove: (job, byKeyboard) => clear([job.key], byKeyboard),
  retry: (job) => {
    let { key } = job;
    if (job.error?.code === 'no_answer') session.again(key);
    else {
      session.forget([key]);
      key = session.submit(job.asked, job.more);
    }
    draw();
    gallery.card(key)?.focus();
  },
  open: (job) => viewer.open(job),
  share: (job) => share(job.id ?? '', job.spec.prompt),
  begin: (job) => begin(job.result?.digest ?? ''),
  start: (prompt) => composer.ask(prompt),
  use, vary, clear,
});

const versus = new Versus({ changed,
  compare: (jobs) => go(`#/gallery/compare/${jobs.join('/')}`),
  keep: (pairs) => keep(PAIRS, JSON.stringify({ pairs }), tabStorage) },
storedPairs(recall(PAIRS, tabStorage)));
const dropped = new Dropped({
  use: (spec) => {
    go('#/');
    fill(spec);
  },
  fail: () => store.dispatch({ do: 'news',
    news: { kind: 'error', failure: { code: 'no_settings' }, at: now() } }),
});
versus.row.append(dropped.button, dropped.file);

const account = new SignIn({ enter, leave });
const whoAmI = new WhoAmI();
const pages = new Pages({
  ask: (message) => asking.ask(message),
  listen,
  state: () => store.state,
  submit: (spec) => session.submit(spec),
  shots: (job) => reel.of(job),
  use: (spec) => {
    go('#/');
    fill(spec);
  },
  say: (words) => announcer.say(words),
  fail: (failure) => store.dispatch({ do: 'news', news: { kind: 'error', failure, at: now() } }),
  share,
  begin: (digest) => {
    go('#/');
    begin(digest);
  },
  go,
  storage,
  redraw: () => draw(),
});

const forecast = new Forecast(quote, browserEnvironment());

/** @param {any} message */
function receive(message) {
  for (const f of listeners.get(message.type) ?? []) f(message);
  if (asking.receive(message) && message.type === 'error') return;
  if (message.type === 'hello') {
    belong(message.user?.name ?? '');
    session.receive(tidyHello(message));
  } else if (message.type === 'preview') {
    reel.add(message);
    session.receive(message);
  } else deliver(message);
  if (message.type === 'stats') forecast.statistics(message);
  if (message.type === 'quote' || message.re === 'quote') forecast.answered();
}

/** What follows a private picture waits until that is here, by job.
 * @type {Map<string, Promise<void>>} */
const secrets = new Map();

/** A private picture is given out once: it is fetched here, and shown from memory.
 * @param {any} message */
function deliver(message) {
  const secret = message.type === 'result' && store.state.jobs.some((job) =>
    job.id === message.job && job.more.private);
  const before = secrets.get(message.job);
  if (!secret && !before) return session.receive(message);
  secrets.set(message.job, (before ?? Promise.resolve()).then(async () => {
    session.receive(secret ? { ...message, url: await pictureOnce(message.url) } : message);
    if (message.type === 'end') secrets.delete(message.job);
  }));
}

/** @param {string} url @returns {Promise<string>} "": it is gone */
async function pictureOnce(url) {
  try {
    const answer = await fetch(pictureUrl(url));
    return answer.ok ? URL.createObjectURL(await answer.blob()) : '';
  } catch {
    return '';
  }
}

/** @param {string} type @param {(message: any) => void} f */
function listen(type, f) {
  const all = listeners.get(type) ?? new Set();
  listeners.set(type, all.add(f));
  return () => void all.delete(f);
}

/** @type {import('./view/share.js').ShareDialog | null} */ let sharing = null;

/** Share a job. @param {string} job @param {string} prompt */
async function share(job, prompt) {
  const { ShareDialog } = await import('./view/share.js');
  sharing ??= new ShareDialog({ ask: (message) => asking.ask(message), text: () => text,
    say: (words) => announcer.say(words) });
  sharing.open(job, prompt);
}

/** Open a page of this program. @param {string} fragment */
function go(fragment) {
  history.pushState(null, '', fragment);
  pages.moved();
}

/** Sign in and connect. @param {string} token */
async function enter(token) {
  const failure = await signIn(location.href, token, (...request) => fetch(...request));
  if (!failure) wire.again();
  return failure;
}

/** Sign out: the next one at this browser finds nothing. The server keeps the pictures. */
async function leave() {
  const failure = await signOut(location.href, (...request) => fetch(...request));
  if (failure) {
    store.dispatch({ do: 'news', news: { kind: 'error', failure, at: now() } });
    return;
  }
  wire.lock();
  empty();
}

/** Forget all that this browser stores of a user. */
function empty() {
  release([...cleared, ...session.forget(store.state.jobs.map((job) => job.key))]);
  cleared = [];
  versus.forget();
  composer.several.restore({});
  composer.fill({ prompt: '' });
  phrases.forget();
  keep(DRAFT, '');
  keep(USER, '');
}

/** The cards of another user are not shown to this one. @param {string} name "": no users */
function belong(name) {
  const before = recall(USER) ?? '';
  if (before && before !== name) empty();
  keep(USER, name);
}

/** An invitation link: sign in with its token, which leaves the address at once. */
async function accept() {
  const token = invitation(location.hash);
  if (token === null) return false;
  history.replaceState(null, '', location.pathname + location.search);
  const failure = await enter(token);
  if (failure) {
    account.fail(failure);
    wire.connect();
  }
  return true;
}

async function findCause() {
  const diagnosis = await diagnose(location.href, (...request) => fetch(...request));
  store.dispatch({ do: 'diagnosed', diagnosis });
}

/** @param {Spec} spec @param {import('./state.js').More} [more] */
function submit(spec, more = {}) {
  const pair = versus.second && !more.n && !more.sweep ? versus.split(spec) : null;
  const key = session.submit(pair?.[0] ?? spec, more);
  if (pair) versus.follow([key, session.submit(pair[1], more)]);
  if (!more.private) phrases.use(spec.prompt);
  announcer.say((t) => t.say('say.sent', { prompt: brief(spec.prompt) }));
  const focusLost = !!document.activeElement?.closest('.empty'); // a clicked example gets hidden
  draw();
  if (focusLost) gallery.card(key)?.focus();
  const card = gallery.card(key)?.element;
  const box = card?.getBoundingClientRect();
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (box && (box.top > innerHeight * 0.8 || box.bottom < 0)) {
    card?.scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
  }
}

/** Another picture of the same prompt. @param {Job} job */
function vary(job) {
  submit({ ...job.spec, seed: -1 });
}

/** @param {Job} job */
function use(job) {
  fill({ ...job.spec, ...(job.result ? { seed: job.result.seed } : {}) }, job.more);
}

/** The next picture begins with one that the server has. @param {string} digest */
function begin(digest) {
  if (composer.sources.begin(digest)) {
    composer.prompt.focus();
    announcer.say((t) => t.say('say.begin'));
  }
  byId('composer').scrollIntoView({ block: 'nearest' });
}

/** @param {Spec} spec @param {import('./state.js').More} [more] */
function fill(spec, more = {}) {
  composer.fill(spec, more);
  composer.prompt.focus();
  byId('composer').scrollIntoView({ block: 'nearest' });
  store.dispatch({ do: 'news', news: { kind: 'filled', at: now() } });
  announcer.say((t) => t.say('notice.filled'));
}

/** Private pictures, which are in memory alone, end with what can no longer be undone.
 * @param {readonly Job[]} jobs */
function release(jobs) {
  for (const { result } of jobs) {
    if (result?.url.startsWith('blob:')) URL.revokeObjectURL(result.url);
  }
}

/** @param {string[]} keys @param {boolean} byKeyboard the focus then goes to "undo" */
function clear(keys, byKeyboard) {
  release(cleared);
  cleared = session.forget(keys);
  store.dispatch({ do: 'news', news: { kind: 'cleared', n: cleared.length, at: now() } });
  const n = cleared.length;
  announcer.say((t) => t.say('notice.cleared', { n }));
  draw();
  if (byKeyboard) connection.focus();
}

function undo() {
  const [first] = cleared;
  session.adopt(cleared);
  cleared = [];
  store.dispatch({ do: 'news', news: null });
  draw();
  gallery.card(first?.key)?.focus();
}

/** The form changed: store the draft, and ask for a new forecast. */
function changed() {
  forecast.formChanged();
  const second = versus.draft();
  keep(DRAFT, JSON.stringify({ ...composer.peek(), prompt: composer.prompt.value,
    several: composer.several.draft(), ...(second === null ? {} : { second }) }));
}

/** Ask for a forecast of what is in the form. False: nothing was asked. */
function quote() {
  if (!composer.text || !composer.valid()) {
    store.dispatch({ do: 'unquote' });
    return false;
  }
  const { spec, more: { n, sweep } } = composer.request();
  askedQuote = spec.prompt;
  return session.quote(spec, { ...(n ? { n } : {}), ...(sweep ? { sweep } : {}) });
}

function quoteWords() {
  const { connection: { state }, quote: quoted } = store.state;
  if (store.state.hello?.user?.role === 'viewer') return text.say('compose.quote.viewer');
  if (!composer.prompt.value.trim()) return '';
  if (state !== 'open') {
    return store.state.connection.ever || store.state.connection.attempt > 0
      ? text.say('compose.quote.offline') : '';
  }
  if (askedQuote !== composer.prompt.value.trim()) return '';
  const { unquoted } = store.state;
  if (unquoted && REFUSALS.includes(unquoted.code)) {
    const { wrong, todo } = failureWords(unquoted, text);
    return `${wrong} ${todo}`;
  }
  if (!quoted?.due) return '';
  const values = { time: text.about(quoted.due.ms), cells: quoted.cells,
    n: quoted.position > 0 ? (store.state.stats?.running ?? 0) + quoted.position - 1 : 0 };
  const key = values.n > 0 ? 'queue' : 'now';
  return text.say(quoted.cells > 1 ? `compose.quote.all.${key}` : `compose.quote.${key}`, values);
}

/** Whether the page may go to a comparison by itself: the room is on view, and nothing over it. */
function isFree() {
  return root.dataset.page === 'room' && !document.querySelector('dialog[open]');
}

/** The words of the fixed parts of the page. */
function translate() {
  root.lang = text.tag;
  for (const element of document.querySelectorAll('[data-t]')) {
    put(element, text.say(/** @type {HTMLElement} */ (element).dataset.t ?? ''));
  }
  for (const [data, name] of [['tPlaceholder', 'placeholder'], ['tLabel', 'aria-label'],
      ['tTitle', 'title']]) {
    const selector = `[data-t-${data.slice(1).toLowerCase()}]`;
    for (const element of document.querySelectorAll(selector)) {
      attribute(element, name, text.say(/** @type {HTMLElement} */ (element).dataset[data] ?? ''));
    }
  }
  const language = byId('language');
  put(language, text.say('language.switch'));
  attribute(language, 'lang', text.lang === 'zh' ? 'en' : 'zh-Hans');
  announcer.translate();
  versus.translate(text);
  dropped.translate(text);
  showTheme();
}

/** @param {readonly Job[]} jobs */
const idsOf = (jobs) => jobs.map(({ id }) => id).join();

/** Update every view from the state. */
function draw() {
  const { state } = store;
  const at = now();
  const all = languageChanged;
  dirty = languageChanged = false;
  if (all) translate();
  const shown = state.hello ? state : { ...state, hello: known };
  composer.update(shown, text);
  wording.update(state, text);
  gallery.update(shown, text, at, all);
  if (all || state.stats !== drawn.stats || state.hello !== drawn.hello
      || state.connection !== drawn.connection || idsOf(state.jobs) !== idsOf(drawn.jobs)) {
    status.update(state, text, at);
  }
  connection.update(state, text, at);
  account.update(state, text);
  whoAmI.update(state, text);
  put(byId('quote'), quoteWords());
  attribute(byId('quote'), 'data-old', forecast.fresh() ? null : 'true');
  pages.update(state, text, at);
  notices.update(state, text, at);
  title.update(state, text, document.hidden, pages.title());
  ready.update(state, text, at, document.hidden);
  versus.look(state.jobs, isFree);
  drawn = state;
}

store.listeners.add((state, before) => {
  for (const sentence of changes(state, before)) announcer.say(sentence);
  if (state.connection.state === 'waiting' && before.connection.state !== 'waiting') findCause();
  if (state.connection.state === 'open' && before.connection.state !== 'open') forecast.opened();
  if (state.connection.state !== 'open' && before.connection.state === 'open') asking.lost();
  if (state.hello && state.hello !== before.hello) {
    keep(HELLO, JSON.stringify({ ...state.hello, user: null }));
  }
  for (const job of state.jobs) {
    if (job.state === 'refused' && job.error?.field
      && before.jobs.find((j) => j.key === job.key)?.state === 'sending'
        && composer.prompt.value.trim() === job.asked.prompt) {
      const { error } = job;
      composer.showFault(error.field ?? '', () => {
        const { wrong, todo } = failureWords(error, text);
        return `${wrong} ${todo}`;
      });
    }
  }
  if (dirty) return;
  dirty = true;
  // a hidden page gets no animation frames, but its title and cards must still be updated
  if (document.hidden) setTimeout(draw, TICK_MS);
  else requestAnimationFrame(draw);
});

setInterval(() => {
  session.tick();
  gallery.tick(now());
  status.tick(now());
  connection.tick(now());
  notices.tick(now());
  pages.tick(now());
}, TICK_MS);

/* language and theme */

byId('language').addEventListener('click', async () => {
  text = await loadText(LANGUAGES.find((lang) => lang !== text.lang) ?? text.lang);
  keep('darkroom.lang', text.lang);
  languageChanged = true;
  draw();
});

const dark = matchMedia('(prefers-color-scheme: dark)');
const themeNow = () => root.dataset.theme ?? (dark.matches ? 'dark' : 'light');

function showTheme() {
  root.dataset.shown = themeNow();
  const words = text.say(themeNow() === 'dark' ? 'theme.light' : 'theme.dark');
  attribute(byId('theme'), 'aria-label', words);
  attribute(byId('theme'), 'title', words);
}
byId('theme').addEventListener('click', () => {
  root.dataset.theme = themeNow() === 'dark' ? 'light' : 'dark';
  keep('darkroom.theme', root.dataset.theme);
  showTheme();
});
dark.addEventListener('change', showTheme);

/* storage, and events of the browser */

/** @param {() => Storage} of @returns {Storage | null} null: refused */
function openStorage(of) {
  try {
    of().getItem(DRAFT);
    return of();
  } catch {
    return null;
  }
}

/** @param {string} name @param {string} value @param {Storage | null} [where] */
function keep(name, value, where = storage) {
  try {
    where?.setItem(name, value);
  } catch {
    // storage is full or forbidden: the value does not survive a reload
  }
}

/** @param {string} name @param {Storage | null} [where] */
function recall(name, where = storage) {
  try {
    return where?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

addEventListener('storage', (event) => session.storageChanged(event));
addEventListener('hashchange', () => {
  pages.moved();
  if (root.dataset.guest && pages.place.page !== 'share') location.reload();
});
addEventListener('hashchange', accept);
addEventListener('online', () => root.dataset.guest || wire.probe());
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  if (!root.dataset.guest) wire.probe();
  draw();
});

session.load();
if (innerWidth < 1040) /** @type {HTMLDetailsElement} */ (byId('status')).open = false;
draw();
const kept = recall(DRAFT);
const draft = storedDraft(kept);
const lists = storedLists(kept);
if (draft.spec) composer.fill(draft.spec);
composer.several.restore(lists.several);
versus.restore(lists.second);
if (draft.spec) changed(); // what filling stored had no lists yet
if (draft.lost && !store.state.news) {
  store.dispatch({ do: 'news', news: { kind: 'undrafted', at: now() } });
}
if (!store.state.jobs.length && matchMedia('(hover: hover) and (pointer: fine)').matches) {
  composer.prompt.focus({ preventScroll: true });
}
// a guest has no account: the page of its link alone is shown, and is connected by itself
if (pages.place.page === 'share') root.dataset.guest = 'true';
else if (!await accept()) wire.connect();
// after all that is needed: says that the server is away when the page is opened then
if (isSecureContext) navigator.serviceWorker?.register('worker.js').catch(() => {});
