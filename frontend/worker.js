// @ts-check
// worker - the service worker: when the server cannot be reached, the page's address shows
// offline.html instead of the browser's error. Nothing else is kept or answered here.

const SHELL = 'darkroom-shell-1';
const FILES = ['offline.html', 'offline.css', 'offline.js', 'icon.svg'];

/** @type {any} */ const worker = self;

worker.addEventListener('install', (/** @type {any} */ event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FILES))
    .then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (/** @type {any} */ event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names
    .filter((name) => name.startsWith('darkroom-shell-') && name !== SHELL)
    .map((name) => caches.delete(name)))).then(() => worker.clients.claim()));
});

/** Only the page itself, and when the server does not answer at all. @param {Request} request */
async function answer(request) {
  try {
    return await fetch(request);
  } catch {
    return await caches.match('offline.html') ?? Response.error();
  }
}

/** A file of the offline page, which has no other way to it. @param {Request} request */
async function fromShell(request) {
  return fetch(request).catch(async () => await caches.match(request) ?? Response.error());
}

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  if (request.mode === 'navigate') event.respondWith(answer(request));
  else if (/\/offline\.(css|js)$/.test(new URL(request.url).pathname)) {
    event.respondWith(fromShell(request));
  }
});

worker.addEventListener('notificationclick', (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(worker.clients.matchAll({ type: 'window' }).then(
    (/** @type {any[]} */ windows) => windows[0]?.focus() ?? worker.clients.openWindow('.')));
});
