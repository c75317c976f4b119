// @ts-check
// admin - what an administrator sees and does.

import { el, put } from '../../view/dom.js';

/** @typedef {import('../../pages.js').Page} Page */

/** @param {HTMLElement} box @returns {Page} */
export function open(box) {
  const title = el('h2', { class: 'page-title' });
  box.append(title);
  return { update: (_, text) => put(title, text.say('admin.title')) };
}
