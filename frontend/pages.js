// @ts-check
// pages - the pages beside the room, each loaded when it is first opened.
//
// To add one: a line in PAGES, its name as `page.NAME` in i18n/, and the folder pages/NAME/ with
//   page.js      open(box, host) builds it in the element `box` and returns a Page
//   page.css     its style sheet, in force from its first opening on: its selectors begin with
//                .page-NAME
//   en.js zh.js  its words; its `text` has them besides those of i18n/
// The address is `#/NAME`; what follows as `#/NAME/REST` or `#NAME=REST` is given to enter().

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Spec} Spec */
/** @typedef {import('./state.js').Failure} Failure */
/** @typedef {import('./wire.js').Message} Message */
/** @typedef {import('./i18n/text.js').Text} Text */

/** What a page does. update comes first, then enter; both only while it is shown.
 * @typedef {Object} Page
 * @property {(state: State, text: Text, now: number) => void} update another state, or another
 *   language (then `text` is another one)
 * @property {(rest: string) => void} [enter] it was opened, or the rest of its address changed
 * @property {() => void} [leave] another page was opened
 * @property {(now: number) => void} [tick] a few times a second: what counts down */

/** What the program does for a page.
 * @typedef {Object} Host
 * @property {(message: Message) => Promise<Message>} ask send a command; its direct answer, or
 *   rejected with a Failure: the server's, or `unreachable` without a connection
 * @property {(type: string, f: (message: Message) => void) => () => void} listen to every message
 *   of this type; what is returned ends it
 * @property {() => State} state
 * @property {(spec: Spec) => string} submit a picture of the room; its key
 * @property {(job: string) => readonly import('./reel.js').Shot[]} shots the previews that this tab
 *   has kept of a picture
 * @property {(spec: Spec) => void} use put these settings into the form, and go there
 * @property {(words: (text: Text) => string) => void} say to screen readers; the text has the
 *   words of i18n/ alone
 * @property {(failure: Failure) => void} fail show it in the notice
 * @property {(job: string, prompt: string) => void} share open the dialog that shares a job
 * @property {(digest: string) => void} begin the next picture begins with this one: go to the form
 * @property {(fragment: string) => void} go to "#/NAME", with a step in the browser's history
 * @property {Storage | null} storage null: forbidden */

/** @typedef {{load: () => Promise<{open: (box: HTMLElement, host: Host) => Page}>,
 *   offered?: (state: State) => boolean, listed?: boolean}} PageRow offered: whether who is
 *   connected may see it (everybody); listed: whether the navigation has it (true) */

/** @type {Readonly<Record<string, PageRow>>} */
export const PAGES = Object.freeze({
  gallery: { load: () => import('./pages/gallery/page.js') },
  share: { load: () => import('./pages/share/page.js'), listed: false },
  queue: { load: () => import('./pages/queue/page.js') },
  admin: { load: () => import('./pages/admin/page.js'), offered: isAdmin },
});

/** Whether the server takes an administrator's commands. @param {State} state */
export function isAdmin({ hello }) {
  return !!hello && (!hello.user || hello.user.role === 'admin');
}
