// @ts-check
// copy - puts words into the clipboard, also where the page has no secure context (plain HTTP in a local network).

/** @param {string} words @returns {Promise<boolean>} whether it worked */
export async function copyWords(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    return copyBySelection(words);
  }
}

/** The old way: select the words in a field that nobody sees. @param {string} words */
function copyBySelection(words) {
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = words;
  field.className = 'sr';
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
