// @ts-check
// onscreen - tells elements whether they are in the window or close to it: what is not is neither
// decoded nor drawn.

const AROUND = '25% 0px'; // of the window's height above and below it

/** @type {WeakMap<Element, (visible: boolean) => void>} */
const watched = new WeakMap();
// tests of words load the views without a browser
const observer = 'IntersectionObserver' in globalThis ? new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) watched.get(target)?.(isIntersecting);
}, { rootMargin: AROUND }) : null;

/** Call `tell` now and then: when the element comes into the window or leaves it.
 * @param {Element} element @param {(visible: boolean) => void} tell */
export function watch(element, tell) {
  watched.set(element, tell);
  observer?.observe(element);
}

/** @param {Element} element which is removed */
export function unwatch(element) {
  watched.delete(element);
  observer?.unobserve(element);
}
