// @ts-check
// signin - the form for a token, in the place of the page where the server wants one; and who is
// signed in.

import { byId, put, show } from './dom.js';
import { failureWords } from './errors.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Failure} Failure */
/** @typedef {import('../i18n/text.js').Text} Text */

export class SignIn {
  /** @param {{enter: (token: string) => Promise<Failure | null>,
   *           leave: () => void}} acts */
  constructor({ enter, leave }) {
    this.box = byId('signin');
    this.inside = byId('inside');
    this.token = /** @type {HTMLInputElement} */ (byId('token'));
    this.button = /** @type {HTMLButtonElement} */ (byId('signin-go'));
    /** @type {Failure | null} */ this.failure = null;
    /** @type {Text | null} */ this.text = null;
    this.enter = enter;
    byId('signin-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId('signout').addEventListener('click', leave);
  }

  async #submit() {
    if (this.button.disabled) return;
    this.button.disabled = true;
    const failure = await this.enter(this.token.value.trim());
    this.button.disabled = false;
    if (failure) this.fail(failure);
    else this.token.value = '';
  }

  /** What kept somebody out. @param {Failure} failure */
  fail(failure) {
    this.failure = failure;
    this.#show();
    if (!this.box.hidden) this.token.focus();
  }

  /** @param {State} state @param {Text} text */
  update(state, text) {
    const locked = state.connection.state === 'locked';
    const opened = locked && this.box.hidden;
    this.text = text;
    if (state.connection.state === 'open') this.failure = null;
    // while it reconnects after signing in, what was shown stays
    if (locked || state.connection.state === 'open') {
      show(this.box, locked);
      show(this.inside, !locked);
    }
    this.#show();
    if (opened) this.token.focus({ preventScroll: true });
  }

  #show() {
    const error = byId('token-error');
    if (!this.text) return;
    show(error, !!this.failure);
    this.token.setAttribute('aria-invalid', String(!!this.failure));
    if (!this.failure) return;
    const { wrong, todo } = failureWords({ ...this.failure, message: '' }, this.text);
    put(error, `${wrong} ${todo}`);
  }
}
