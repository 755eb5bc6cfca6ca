// One's own account: password, one-time codes, where one is signed in, tokens for programs.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, get, send } from '../lib/api';
import { sessionQuery, useActor, useModel, useSession } from '../lib/data';
import { latin } from '../lib/digits';
import { useFormat } from '../lib/format';
import { Panel } from '../ui/Parts';
import { Page } from '../ui/Shell';
import { Qr } from '../ui/Qr';
import ui from '../ui/ui.module.css';
import css from './account.module.css';

type Reach = 'none' | 'see' | 'change';
interface Opened { id: string; name: string; created_at: number; seen_at: number | null; expires_at: number; read_only: boolean; rights: Record<string, Reach> | null }
/** What the owner is called who gave no name. */
const OWNER = 'Owner';
/** What a browser calls itself, in two words. */
const browser = (agent: string) => {
  const name = /(Edg|OPR|Firefox|Chrome|Safari)\w*\/\d+/.exec(agent)?.[1]?.replace('Edg', 'Edge').replace('OPR', 'Opera');
  const system = /(Windows|Android|iPhone|iPad|Mac OS|Linux)/.exec(agent)?.[1];
  return name ? [name, system].filter(Boolean).join(' · ') : agent;
};
const at = (seconds: number) => new Date(seconds * 1000).toISOString();

/** Something to send, with what came of it below. */
function useDoing() {
  const intl = useIntl();
  const [said, setSaid] = useState<{ text: string; wrong: boolean }>();
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    try {
      await work();
      setSaid({ text: intl.formatMessage({ id: done }), wrong: false });
      return true;
    } catch (error) {
      const code = error instanceof ApiError ? error.problem.type?.split(':').at(-1) : undefined;
      setSaid({ text: code && `account.${code}` in intl.messages ? intl.formatMessage({ id: `account.${code}` }) : error instanceof ApiError ? error.problem.detail : String(error), wrong: true });
      return false;
    } finally {
      setBusy(false);
    }
  };
  const note = said && <p role={said.wrong ? 'alert' : 'status'} className={said.wrong ? css.wrong : css.fine}>{said.text}</p>;
  return { run, note, busy };
}

function Row({ label, children }: { label: string; children: ReactNode }) {
  return <label className={css.label}><span>{label}</span>{children}</label>;
}

export function Account() {
  const intl = useIntl();
  const session = useSession();
  const actor = useActor();
  const note = session.user ? <Link className={ui.quiet} to="/records/$object/$id" params={{ object: 'users', id: session.user }}>{session.email}</Link> : undefined;
  return (
    <Page title={actor(session.user || session.name !== OWNER ? session.name : null, session.actor)} note={note}>
      {session.provider ? <p className={css.hint}>{intl.formatMessage({ id: 'account.provider' }, { name: session.provider })}</p> : (
        <>
          {!session.password && <p className={css.hint}>{intl.formatMessage({ id: 'account.begin' })}</p>}
          <Password />
          <Codes />
        </>
      )}
      <Sessions />
    </Page>
  );
}

function Password() {
  const intl = useIntl();
  const client = useQueryClient();
  const session = useSession();
  const { run, note, busy } = useDoing();
  // The owner is no user with a record: the address and the name are here.
  const owner = session.actor === 'owner';
  const [typed, setTyped] = useState({ current: '', password: '', email: session.email.includes('@') ? session.email : '', name: session.name === OWNER ? '' : session.name });
  const t = (id: string) => intl.formatMessage({ id });
  const save = (e: FormEvent) => {
    e.preventDefault();
    void run(() => send('/api/me/password', 'PUT', { password: typed.password, ...(typed.current && { current: typed.current }), ...(owner && { email: typed.email, name: typed.name }) }), 'account.password.done').then((done) => {
      if (!done) return;
      setTyped({ ...typed, current: '', password: '' });
      void client.invalidateQueries({ queryKey: sessionQuery.queryKey });
      void client.invalidateQueries({ queryKey: ['opened'] });
    });
  };
  return (
    <Panel title={t('account.password')}>
      <form className={css.form} onSubmit={save}>
        {owner ? (
          <>
            <Row label={t('account.email')}><input className={ui.field} type="email" autoComplete="username" dir="ltr" required value={typed.email} onChange={(e) => setTyped({ ...typed, email: e.target.value })} /></Row>
            <Row label={t('account.name')}><input className={ui.field} autoComplete="name" maxLength={100} value={typed.name} onChange={(e) => setTyped({ ...typed, name: e.target.value })} /></Row>
          </>
        ) : <input className="sr" type="text" autoComplete="username" value={session.email} readOnly tabIndex={-1} aria-hidden />}
        {session.password && !session.by_link && <Row label={t('account.current')}><input className={ui.field} type="password" autoComplete="current-password" required value={typed.current} onChange={(e) => setTyped({ ...typed, current: e.target.value })} /></Row>}
        <Row label={t('account.new')}><input className={ui.field} type="password" autoComplete="new-password" minLength={10} required value={typed.password} onChange={(e) => setTyped({ ...typed, password: e.target.value })} /></Row>
        <p className={ui.quiet}>{t('account.password.hint')}</p>
        {note}
        <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={busy}>{t('form.save')}</button>
      </form>
    </Panel>
  );
}

function Codes() {
  const intl = useIntl();
  const client = useQueryClient();
  const session = useSession();
  const { run, note, busy } = useDoing();
  const [secret, setSecret] = useState<{ secret: string; url: string }>();
  const [code, setCode] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  // Who came by a link may have lost what shows the codes.
  const lost = session.codes && session.by_link;
  const use = (e: FormEvent) => {
    e.preventDefault();
    void run(() => send('/api/me/codes', session.codes ? 'DELETE' : 'PUT', lost ? {} : { code: latin(code) }), session.codes ? 'account.codes.off' : 'account.codes.on').then((done) => {
      setCode('');
      if (done) { setSecret(undefined); void client.invalidateQueries({ queryKey: sessionQuery.queryKey }); }
    });
  };
  const begin = () => void run(async () => setSecret(await send('/api/me/codes', 'POST', {})), 'account.codes.begun');
  return (
    <Panel title={t('account.codes')}>
      <form className={css.form} onSubmit={use}>
        <p className={ui.quiet}>{t(session.codes ? 'account.codes.is' : 'account.codes.hint')}</p>
        {secret && !session.codes && (
          <div className={css.secret}>
            <Qr text={secret.url} label={t('account.codes.qr')} />
            <a href={secret.url}>{t('account.codes.open')}</a>
            <code dir="ltr">{secret.secret.match(/.{1,4}/g)?.join(' ')}</code>
          </div>
        )}
        {lost && <p className={ui.quiet}>{t('account.codes.lost')}</p>}
        {(secret || session.codes) && !lost && <Row label={t('signin.code')}><input className={`${ui.field} num`} inputMode="numeric" autoComplete="one-time-code" required value={code} onChange={(e) => setCode(e.target.value)} /></Row>}
        {note}
        {secret || session.codes
          ? <button type="submit" className={ui.button} disabled={busy}>{t(session.codes ? 'account.codes.end' : 'account.codes.confirm')}</button>
          : <button type="button" className={ui.button} disabled={busy} onClick={begin}>{t('account.codes.begin')}</button>}
      </form>
    </Panel>
  );
}

function Sessions() {
  const intl = useIntl();
  const format = useFormat();
  const { run, note, busy } = useDoing();
  const opened = useQuery({ queryKey: ['opened'], queryFn: () => get<{ sessions: Opened[]; tokens: Opened[]; this: string | null }>('/api/me/sessions') });
  const [made, setMade] = useState('');
  const [wanted, setWanted] = useState({ name: '', days: 90 });
  const [reach, setReach] = useState<'all' | 'read' | 'some'>('read');
  const [rights, setRights] = useState<Record<string, Reach>>({ '*': 'none' });
  const objects = (useModel()?.objects ?? []).filter((o) => !o.derived);
  const { may } = useSession();
  const called = (name: string) => (name === '*' ? t('account.token.others') : objects.find((o) => o.name === name)?.label ?? name);
  const t = (id: string) => intl.formatMessage({ id });
  const end = (id: string) => void run(() => send(`/api/me/sessions/${id}`, 'DELETE'), 'account.ended').then(() => opened.refetch());
  const make = (e: FormEvent) => {
    e.preventDefault();
    void run(async () => setMade((await send<{ token: string }>('/api/me/tokens', 'POST', { ...wanted, read_only: reach === 'read', ...(reach === 'some' && { rights }) })).token), 'account.token.made').then((done) => { if (done) { setWanted({ ...wanted, name: '' }); void opened.refetch(); } });
  };
  const row = (o: Opened, own = false) => (
    <li key={o.id}>
      <span><strong dir="auto">{browser(o.name) || '–'}</strong>{own && ` · ${t('account.this')}`}{o.read_only && ` · ${t('account.readonly')}`}{o.rights && Object.entries(o.rights).sort(([a], [b]) => Number(a === '*') - Number(b === '*')).map(([name, to]) => ` · ${called(name)}: ${t(`account.token.${to}`)}`)}<br /><span className={ui.quiet}>{format.instant(at(o.seen_at ?? o.created_at))} – {format.instant(at(o.expires_at))}</span></span>
      {!own && <button type="button" className={ui.button} disabled={busy} onClick={() => end(o.id)}>{t('account.end')}</button>}
    </li>
  );
  return (
    <>
      <Panel title={t('account.sessions')}><ul className={css.list}>{opened.data?.sessions.map((o) => row(o, o.id === opened.data.this))}</ul></Panel>
      <Panel title={t('account.tokens')}>
        <ul className={css.list}>{opened.data?.tokens.map((o) => row(o))}</ul>
        {made && <p className={css.secret} role="status">{t('account.token.once')} <code dir="ltr">{made}</code></p>}
        <form className={css.form} onSubmit={make}>
          <Row label={t('account.token.name')}><input className={ui.field} maxLength={100} required value={wanted.name} onChange={(e) => setWanted({ ...wanted, name: e.target.value })} /></Row>
          <Row label={t('account.token.days')}><input className={`${ui.field} num`} type="number" min={1} max={366} required value={wanted.days} onChange={(e) => setWanted({ ...wanted, days: Number(e.target.value) })} /></Row>
          <Row label={t('account.token.rights')}>
            <select className={ui.field} value={reach} onChange={(e) => setReach(e.target.value as typeof reach)}>
              <option value="read">{t('account.token.read')}</option><option value="some">{t('account.token.some')}</option><option value="all">{t('account.token.all')}</option>
            </select>
          </Row>
          {reach === 'some' && (
            <fieldset className={css.rights}>
              <legend className="sr">{t('account.token.rights')}</legend>
              {[...objects.map((o) => o.name), '*'].map((name) => {
                const { create, change, delete: remove } = may[name] ?? { create: true, change: true, delete: true };
                const levels: Reach[] = create || change || remove ? ['none', 'see', 'change'] : ['none', 'see'];
                return (
                  <label key={name}><span dir="auto">{called(name)}</span>
                    <select className={ui.field} value={rights[name] ?? ''} onChange={(e) => setRights(Object.fromEntries(Object.entries({ ...rights, [name]: e.target.value as Reach }).filter(([, to]) => to)))}>
                      {name !== '*' && <option value="">–</option>}
                      {levels.map((to) => <option key={to} value={to}>{t(`account.token.${to}`)}</option>)}
                    </select>
                  </label>
                );
              })}
            </fieldset>
          )}
          {note}
          <button type="submit" className={ui.button} disabled={busy}>{t('account.token.make')}</button>
        </form>
      </Panel>
    </>
  );
}
