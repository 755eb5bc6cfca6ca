// The page that somebody was sent to sign in from, so that they come back to it. It stays in this tab, where no link
// from elsewhere can write it; it is looked at all the same before anybody is sent there.
const KEY = 'northing.place';

/** A place of ours: a path, and nothing that a browser reads as another host. */
export function local(place: string | null): string | undefined {
  return place && /^\/(?![/\\])[^\u0000-\u0020\\]*$/.test(place) && !place.startsWith('/sign-in') ? place : undefined;
}

export function remember() {
  const here = local(location.pathname + location.search);
  if (here && here !== '/') sessionStorage.setItem(KEY, here);
}

/** Where to go on, once. */
export function recall(): string | undefined {
  const place = local(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  return place;
}

/** To sign in anew where the session has ended; not while something is typed that would be lost. */
export function signInAnew() {
  const typed = [...document.querySelectorAll<HTMLTextAreaElement>('main textarea')].some((t) => t.value.trim());
  if (typed || document.querySelector('[role=dialog]') || location.pathname === '/sign-in') return;
  remember();
  location.assign('/sign-in');
}
