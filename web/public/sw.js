// Keeps the app's own files, so that it opens without a connection and can say so. Never keeps an answer of the API:
// what people see comes from the server or is not shown.
const KEPT = 'northing-files';
const MOST = 120;

self.addEventListener('install', (event) => event.waitUntil(caches.open(KEPT).then((kept) => kept.add('/')).then(() => self.skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

async function keep(request, response) {
  if (!response.ok) return response;
  const kept = await caches.open(KEPT);
  await kept.put(request, response.clone());
  // Files of earlier versions leave first.
  const names = await kept.keys();
  await Promise.all(names.slice(0, Math.max(0, names.length - MOST)).map((name) => kept.delete(name)));
  return response;
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin || url.pathname.startsWith('/api/')) return;
  if (request.mode === 'navigate') {
    // Every address is the same page; a new version of it comes as soon as there is a connection.
    event.respondWith(fetch(request).then((response) => keep('/', response)).catch(async () => (await caches.match('/')) ?? Response.error()));
  } else {
    // Named by what they hold: a file that is kept is the right one.
    const fixed = url.pathname.startsWith('/assets/');
    event.respondWith(fixed
      ? caches.match(request).then((found) => found ?? fetch(request).then((response) => keep(request, response)))
      : fetch(request).then((response) => keep(request, response)).catch(async () => (await caches.match(request)) ?? Response.error()));
  }
});
