// @ts-check
// router - which page the fragment of an address names. No DOM.

/** @typedef {{page: string, rest: string}} Place */

/** The page of `#/NAME`, `#/NAME/REST` or `#NAME=REST`, for a name of `names`; anything else,
 * also the anchors of the room itself, is the room.
 * @param {string} hash @param {readonly string[]} names @returns {Place} */
export function placeOf(hash, names) {
  const [, name, rest] = /^#\/([a-z]+)(?:\/(.*))?$/s.exec(hash)
    ?? /^#([a-z]+)=(.+)$/s.exec(hash) ?? [];
  return names.includes(name) ? { page: name, rest: rest ?? '' } : { page: 'room', rest: '' };
}
