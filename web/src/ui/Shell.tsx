// The frame of every page: side bar, or tabs on a phone; language, theme, live mark.
import { Link, Outlet } from '@tanstack/react-router';
import { ArrowLeftRight, Box, CalendarDays, CircleUser, Clock, GitBranch, Settings2, ShieldCheck, SlidersHorizontal, UsersRound, ChartNoAxesColumn, Coins, FileText, Flag, LayoutGrid, LifeBuoy, ListChecks, LogOut, Megaphone, Menu, MessageSquareQuote, MessageSquareText, Moon, Package, ShoppingCart, Sigma, Sun, Target, Timer, UserPlus, Users, type LucideIcon } from 'lucide-react';
import { createContext, useContext, useState, type ReactNode } from 'react';
import { Button, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import { useIntl } from 'react-intl';
import { send } from '../lib/api';
import { Alarm } from './Alarm';
import { type Liveness, useLabel, useLive, useModel, useSession } from '../lib/data';
import { LANGUAGES, usePrefs, type Language } from '../lib/prefs';
import { FindButton, Palette } from './Palette';
import { Select } from './Parts';
import { Proof } from './Proof';
import { placesOf, type Place } from './places';
import css from './shell.module.css';
import ui from './ui.module.css';

const RECORDS: [plural: string, object: string, icon: LucideIcon][] = [
  ['customers', 'customer', Users], ['leads', 'lead', UserPlus], ['deals', 'deal', Target], ['orders', 'order', ShoppingCart],
  ['contracts', 'contract', FileText], ['tickets', 'ticket', LifeBuoy], ['survey_responses', 'survey_response', MessageSquareQuote], ['campaigns', 'campaign', Megaphone],
  ['bookings', 'booking', CalendarDays], ['tasks', 'task', ListChecks], ['goals', 'goal', Flag], ['expenses', 'expense', Coins], ['products', 'product', Package],
];

/** What whoever runs the workspace looks after. */
const SETTINGS: typeof RECORDS = [
  ['users', 'user', ChartNoAxesColumn], ['teams', 'team', UsersRound], ['access_roles', 'access_role', ShieldCheck], ['score_rules', 'score_rule', Target], ['pipelines', 'pipeline', GitBranch], ['stages', 'stage', SlidersHorizontal],
  ['canned_replies', 'canned_reply', MessageSquareText], ['service_promises', 'service_promise', Timer], ['schedules', 'schedule', Clock], ['fx_rates', 'fx_rate', ArrowLeftRight], ['question_versions', 'question_version', MessageSquareQuote], ['workspaces', 'workspace', Settings2],
];

export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <circle cx="16" cy="16" r="13" fill="none" stroke="var(--ink)" strokeWidth="2.4" />
      <path d="M16 6l4 10h-8z" fill="var(--needle)" /><path d="M16 26l-4-10h8z" fill="var(--ghost)" />
    </svg>
  );
}

function Preferences() {
  const intl = useIntl();
  const { lang, theme, setLang, setTheme } = usePrefs();
  const Other = theme === 'dark' ? Sun : Moon;
  return (
    <>
      <Select hideLabel anyScript label={intl.formatMessage({ id: 'language' })} value={lang} onChange={(v) => setLang(v as Language)}
        options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))} />
      <button type="button" className={css.icon} onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}
        aria-label={intl.formatMessage({ id: theme === 'dark' ? 'theme.light' : 'theme.dark' })}><Other size={16} aria-hidden /></button>
      <Link to="/account" className={css.icon} aria-label={intl.formatMessage({ id: 'nav.account' })}><CircleUser size={16} aria-hidden /></Link>
      <button type="button" className={css.icon} aria-label={intl.formatMessage({ id: 'signin.out' })}
        onClick={() => void send('/api/session', 'DELETE').finally(() => location.assign('/sign-in'))}><LogOut size={16} aria-hidden /></button>
    </>
  );
}

function Places({ onGo, className = css.link }: { onGo?: () => void; className?: string }) {
  const intl = useIntl();
  const label = useLabel();
  const session = useSession();
  const { may } = session;
  const own = (useModel()?.objects ?? []).filter((o) => o.own && o.name in may);
  const seen = ([, object]: (typeof RECORDS)[number]) => object in may;
  const link = ([plural, object, Icon]: (typeof RECORDS)[number]) => (
    <Link key={plural} to="/records/$object" params={{ object: plural }} className={className} activeOptions={{ includeSearch: false }} onClick={onGo}>
      <Icon size={16} aria-hidden />{label(`object.${object}`)}
    </Link>
  );
  const places = (group: Place['group']) => placesOf(session).filter((p) => p.group === group).map(({ to, name, icon: Icon }) => (
    <Link key={to} to={to} className={className} activeOptions={{ exact: to === '/', includeSearch: false }} onClick={onGo}><Icon size={16} aria-hidden />{intl.formatMessage({ id: name })}</Link>
  ));
  return (
    <>
      {places('work')}
      <div className={css.group}>{intl.formatMessage({ id: 'nav.records' })}</div>
      {RECORDS.filter(seen).map(link)}
      {own.map((o) => link([o.plural, o.name, Box]))}
      {places('records')}
      {session.settings && <><div className={css.group}>{intl.formatMessage({ id: 'nav.settings' })}</div>{places('settings')}{SETTINGS.filter(seen).map(link)}</>}
    </>
  );
}

const Live = createContext<Liveness>({ on: false, work: null });

export function Shell() {
  const intl = useIntl();
  const label = useLabel();
  const [open, setOpen] = useState(false);
  const [finding, setFinding] = useState(false);
  const live = useLive();
  const tab = (to: '/' | '/metrics', id: string, Icon: LucideIcon) => (
    <Link to={to} activeOptions={{ exact: to === '/', includeSearch: false }}><Icon size={18} aria-hidden />{intl.formatMessage({ id })}</Link>
  );
  return (
    <div className={css.shell}>
      <a className={css.skip} href="#content">{intl.formatMessage({ id: 'nav.skip' })}</a>
      <nav className={css.side} aria-label={intl.formatMessage({ id: 'nav.main' })}>
        <Link to="/" className={css.brand}><Logo />Northing</Link>
        <FindButton className={css.link} hint onPress={() => setFinding(true)} />
        <Places />
        <div className={css.foot}><Preferences /></div>
      </nav>
      <div className={css.main}>
        <Alarm />
        <Proof />
        <Live value={live}><Outlet /></Live>
      </div>
      <Palette open={finding} onOpenChange={setFinding} />
      <nav className={css.tabs} aria-label={intl.formatMessage({ id: 'nav.main' })}>
        {tab('/', 'nav.overview', LayoutGrid)}
        {tab('/metrics', 'nav.metrics', Sigma)}
        <FindButton onPress={() => setFinding(true)} />
        <Link to="/records/$object" params={{ object: 'customers' }} activeOptions={{ includeSearch: false }}><Users size={18} aria-hidden />{label('object.customer')}</Link>
        <DialogTrigger isOpen={open} onOpenChange={setOpen}>
          <Button><Menu size={18} aria-hidden />{intl.formatMessage({ id: 'nav.more' })}</Button>
          <Popover className={ui.popover} placement="top end">
            <Dialog className={css.sheet} aria-label={intl.formatMessage({ id: 'nav.more' })}>
              <Places onGo={() => setOpen(false)} />
              <div className={css.foot}><Preferences /></div>
            </Dialog>
          </Popover>
        </DialogTrigger>
      </nav>
    </div>
  );
}

/** A page: its head with controls, its content. */
export function Page({ title, note, controls, children }: { title: ReactNode; note?: ReactNode; controls?: ReactNode; children: ReactNode }) {
  const intl = useIntl();
  const live = useContext(Live);
  return (
    <main id="content">
      <header className={css.top}>
        <h1>{title}</h1>
        {note}
        <span className={css.live} data-on={live.on} role="status"><i />{live.work === null ? intl.formatMessage({ id: live.on ? 'live.on' : 'live.off' }) : intl.formatMessage({ id: 'live.work' }, { percent: live.work })}</span>
        <div className={css.right}>{controls}</div>
      </header>
      <div className={css.content}>{children}</div>
    </main>
  );
}
