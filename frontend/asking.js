// @ts-check
// asking - commands whose direct answer somebody waits for, told apart by their `ref`. No DOM.

/** @typedef {import('./wire.js').Message} Message */
/** @typedef {import('./state.js').Failure} Failure */
/** @typedef {{resolve: (answer: Message) => void, reject: (failure: Failure) => void}} Waiting */

const UNREACHABLE = Object.freeze({ code: 'unreachable' });

export class Asking {
  /** @param {(message: Message) => boolean} send */
  constructor(send) {
    this.send = send;
    this.count = 0;
    /** @type {Map<string, Waiting>} */ this.waiting = new Map();
  }

  /** Send a command. @param {Message} message @returns {Promise<Message>} its direct answer;
   * rejected with a Failure when that is an error, or when the connection is lost before it */
  ask(message) {
    this.count += 1;
    const ref = `ask${this.count}`;
    return new Promise((resolve, reject) => {
      if (this.send({ ...message, ref })) this.waiting.set(ref, { resolve, reject });
      else reject(UNREACHABLE);
    });
  }

  /** A message came. True: it is the answer to one of these commands. @param {Message} message */
  receive(message) {
    const asked = this.waiting.get(message.ref);
    if (!asked) return false;
    this.waiting.delete(message.ref);
    if (message.type === 'error') asked.reject(/** @type {any} */ (message));
    else asked.resolve(message);
    return true;
  }

  /** The connection is gone, and with it what was asked on it. */
  lost() {
    const gone = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of gone) reject(UNREACHABLE);
  }
}
