import '@fontsource-variable/inter/wght.css';
import './styles/fallback.css';
import './styles/vazirmatn.css';
import './styles/tokens.css';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, redirect, RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './lib/api';
import { sessionQuery } from './lib/data';
import { searchOf } from './lib/period';
import { recall, remember, signInAnew } from './lib/place';
import { PrefsProvider } from './lib/prefs';
import { Account } from './pages/Account';
import { Board } from './pages/Board';
import { Calendar, type CalendarSearch } from './pages/Calendar';
import { Customize } from './pages/Customize';
import { Day } from './pages/Day';
import { Declare } from './pages/Declare';
import { Exports } from './pages/Exports';
import { Import } from './pages/Import';
import { Duplicates } from './pages/Duplicates';
import { Inbox, type InboxSearch } from './pages/Inbox';
import { Metric, type MetricSearch } from './pages/Metric';
import { Metrics } from './pages/Metrics';
import { Nowhere } from './pages/Nowhere';
import { Overview } from './pages/Overview';
import { Quality } from './pages/Quality';
import { Record } from './pages/Record';
import { Records, type ListSearch } from './pages/Records';
import { SignIn } from './pages/SignIn';
import { Failure, Loading } from './ui/Parts';
import { Shell } from './ui/Shell';

const ended = (error: unknown) => error instanceof ApiError && error.problem.status === 401;
const client = new QueryClient({ queryCache: new QueryCache({ onError: (error, query) => { if (ended(error) && query.queryKey !== sessionQuery.queryKey) signInAnew(); } }), defaultOptions: { queries: { staleTime: 10_000, retry: (count, error) => count < 1 && !(error instanceof ApiError && error.problem.status >= 400 && error.problem.status < 500), refetchOnWindowFocus: false } } });

const root = createRootRouteWithContext<{ client: QueryClient }>()();
const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignIn });
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  pendingComponent: Loading,
  errorComponent: ({ error }) => <main><h1 className="sr">Northing</h1><Failure error={error} retry={() => location.reload()} /></main>,
  beforeLoad: async ({ context }) => {
    try {
      await context.client.ensureQueryData(sessionQuery);
    } catch (error) {
      if (!ended(error)) throw error;
      remember();
      throw redirect({ to: '/sign-in' });
    }
    const place = location.pathname === '/' ? recall() : undefined;
    if (place) location.replace(place);
  },
});
const text = (value: unknown) => (typeof value === 'string' && value ? value : undefined);
const metricSearch = (input: { [key: string]: unknown }): MetricSearch => ({
  ...searchOf(input),
  ...(text(input.by) && { by: text(input.by) }),
  ...(text(input.variant) && { variant: text(input.variant) }),
  ...(text(input.grain) && { grain: text(input.grain) }),
  ...(text(input.side) && { side: text(input.side) }),
});
const listSearch = (input: { [key: string]: unknown }): ListSearch => Object.fromEntries((['f', 'sort', 'c', 'g'] as const).map((key) => [key, text(input[key])]).filter(([, value]) => value));
const inboxSearch = (input: { [key: string]: unknown }): InboxSearch => ({ ...(text(input.view) && { view: text(input.view) }), ...(text(input.t) && { t: text(input.t) }) });
const calendarSearch = (input: { [key: string]: unknown }): CalendarSearch => ({ ...(/^\d{4}-\d{2}-\d{2}$/.test(String(input.d)) && { d: String(input.d) }), ...(text(input.who) && { who: text(input.who) }) });
const routes = inside.addChildren([
  createRoute({ getParentRoute: () => inside, path: '/', component: Overview, validateSearch: searchOf }),
  createRoute({ getParentRoute: () => inside, path: '/metrics', component: Metrics, validateSearch: searchOf }),
  createRoute({ getParentRoute: () => inside, path: '/quality', component: Quality, validateSearch: searchOf }),
  createRoute({ getParentRoute: () => inside, path: '/declare', component: Declare, validateSearch: searchOf }),
  createRoute({ getParentRoute: () => inside, path: '/metrics/$id', component: Metric, validateSearch: metricSearch }),
  createRoute({ getParentRoute: () => inside, path: '/board', component: Board }),
  createRoute({ getParentRoute: () => inside, path: '/customize', component: Customize }),
  createRoute({ getParentRoute: () => inside, path: '/duplicates', component: Duplicates, validateSearch: (input: { [key: string]: unknown }): { of?: string } => ({ ...(text(input.of) && { of: text(input.of) }) }) }),
  createRoute({ getParentRoute: () => inside, path: '/day', component: Day }),
  createRoute({ getParentRoute: () => inside, path: '/calendar', component: Calendar, validateSearch: calendarSearch }),
  createRoute({ getParentRoute: () => inside, path: '/inbox', component: Inbox, validateSearch: inboxSearch }),
  createRoute({ getParentRoute: () => inside, path: '/import', component: Import }),
  createRoute({ getParentRoute: () => inside, path: '/exports', component: Exports }),
  createRoute({ getParentRoute: () => inside, path: '/account', component: Account }),
  createRoute({ getParentRoute: () => inside, path: '/records/$object', component: Records, validateSearch: listSearch }),
  createRoute({ getParentRoute: () => inside, path: '/records/$object/$id', component: Record }),
  createRoute({ getParentRoute: () => inside, path: '$', component: Nowhere }),
]);
const router = createRouter({ routeTree: root.addChildren([signIn, routes]), context: { client }, scrollRestoration: true, defaultPreload: false });

declare module '@tanstack/react-router' {
  interface Register { router: typeof router }
}

const trusted = (window as unknown as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } } }).trustedTypes;
// React Aria empties what it has said to screen readers by writing no HTML at all, while a date is typed. Nothing but that.
trusted?.createPolicy('default', { createHTML: (html: string) => (html === '' ? html : null) });
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  // The one address that becomes a script here is our own, and written down.
  const policy = trusted?.createPolicy('northing-worker', { createScriptURL: (url: string) => (url === '/sw.js' ? url : '') });
  navigator.serviceWorker.register(policy?.createScriptURL('/sw.js') ?? '/sw.js').catch(() => { /* a private window may forbid it; all else works */ });
}

const node = document.getElementById('root');
if (node) {
  createRoot(node).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <PrefsProvider><RouterProvider router={router} /></PrefsProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
