// Keeps the entry page and its files, so that loads can be typed without a connection. Pages with data are never kept.
"use strict";
const SHELL = "lims-shell-{{ version }}";
const FILES = {{ files | tojson }};
const ENTRY = {{ entry | tojson }};

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FILES.concat([ENTRY]))).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) { return; }
  if (url.pathname.startsWith("/static/")) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
    return;
  }
  if (request.mode !== "navigate") { return; }
  event.respondWith(fetch(request).then((response) => {
    if (url.pathname === ENTRY && response.ok) {
      const copy = response.clone();
      event.waitUntil(caches.open(SHELL).then((cache) => cache.put(ENTRY, copy)));
    }
    return response;
  }).catch(() => caches.match(ENTRY)));
});
