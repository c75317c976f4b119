// @ts-check
// copy - copies text to the clipboard, also without a secure context (plain HTTP).

/** @param {string} words @returns {Promise<boolean>} whether it worked */
export async function copyWords(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    return copyBySelection(words);
  }
}

/** Without the clipboard API: select the text in a hidden field, then execCommand.
 * @param {string} words */
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
