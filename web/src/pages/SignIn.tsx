// Signing in: by address and password, with a code where one is asked for, or by a one-use link. A link's token
// stands behind the # and so never reaches a log.
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, get, send, type Session } from '../lib/api';
import { latin } from '../lib/digits';
import { Logo } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './signin.module.css';

export function SignIn() {
  const intl = useIntl();
  const t = (id: string) => intl.formatMessage({ id });
  const [way, setWay] = useState<'password' | 'link'>('password');
  const [typed, setTyped] = useState({ token: '', email: '', password: '', code: '' });
  const [coded, setCoded] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [first, setFirst] = useState(false);
  const ways = useQuery({ queryKey: ['ways'], queryFn: () => get<{ provider: string | null }>('/api/ways'), staleTime: Infinity });

  const enter = async (body: Record<string, string>) => {
    setBusy(true);
    setProblem('');
    try {
      await send('/api/session', 'POST', body);
      const session = await get<Session>('/api/session');
      // Whoever has no password yet chooses how to sign in from now on: that is the first thing to do.
      if (session.actor === 'owner' && !session.password) { setFirst(true); setBusy(false); } else location.replace(session.user && !session.password && !session.provider ? '/account' : '/');
    } catch (error) {
      const code = error instanceof ApiError ? error.problem.type?.split(':').at(-1) : undefined;
      if (code === 'code-needed') setCoded(true);
      else setProblem(code && `signin.${code}` in intl.messages ? t(`signin.${code}`) : error instanceof ApiError ? error.problem.detail : String(error));
      setBusy(false);
    }
  };

  useEffect(() => {
    // Also when the link is opened in a tab that shows this page already.
    const follow = () => {
      const linked = location.hash.slice(1);
      if (!linked) return;
      history.replaceState(null, '', location.pathname);
      // What stands behind a ! is why another account did not let one in.
      if (linked.startsWith('!')) setProblem(`signin.${linked.slice(1)}` in intl.messages ? t(`signin.${linked.slice(1)}`) : t('signin.oidc-failed'));
      else void enter({ token: linked });
    };
    follow();
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, for the address that the page was opened with
  }, []);

  const submit = (e: FormEvent) => {
    e.preventDefault();
    void enter(way === 'link' ? { token: typed.token.trim().replace(/^.*#/, '') } : { email: typed.email, password: typed.password, ...(coded && { code: latin(typed.code) }) });
  };
  const field = (name: keyof typeof typed, label: string, more: React.InputHTMLAttributes<HTMLInputElement>) => (
    <label className={css.label}>{label}
      <input className={ui.field} value={typed[name]} onChange={(e) => setTyped((was) => ({ ...was, [name]: e.target.value }))} spellCheck={false} dir="ltr" required {...more} />
    </label>
  );
  if (first) return <First />;
  return (
    <main className={css.page}>
      <form className={`${ui.panel} ${css.card}`} onSubmit={submit}>
        <Logo size={32} />
        <h1 className={css.title}>{t('signin.title')}</h1>
        {ways.data?.provider && <a className={`${ui.button} ${ui.primary}`} href="/api/oidc/begin">{intl.formatMessage({ id: 'signin.with' }, { name: ways.data.provider })}</a>}
        {way === 'password' ? (
          <>
            {field('email', t('signin.email'), { autoComplete: 'username', inputMode: 'email' })}
            {field('password', t('signin.password'), { type: 'password', autoComplete: 'current-password' })}
            {coded && field('code', t('signin.code'), { autoComplete: 'one-time-code', inputMode: 'numeric', autoFocus: true })}
          </>
        ) : (
          <>
            <p className={ui.quiet}>{t('signin.hint')}</p>
            {field('token', t('signin.token'), { autoComplete: 'off' })}
          </>
        )}
        {problem && <p role="alert" className={css.problem}>{problem}</p>}
        <button type="submit" className={`${ui.button} ${ways.data?.provider ? '' : ui.primary}`} disabled={busy}>{t(busy ? 'signin.busy' : 'signin.go')}</button>
        <button type="button" className={ui.button} onClick={() => { setWay(way === 'link' ? 'password' : 'link'); setProblem(''); }}>{t(way === 'link' ? 'signin.bypassword' : 'signin.bylink')}</button>
      </form>
    </main>
  );
}

/** The owner's first time: the address, the name and the password that they come back with. */
function First() {
  const intl = useIntl();
  const t = (id: string) => intl.formatMessage({ id });
  const [typed, setTyped] = useState({ email: '', name: '', password: '' });
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const save = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      await send('/api/me/password', 'PUT', typed);
      location.replace('/');
    } catch (error) {
      const code = error instanceof ApiError ? error.problem.type?.split(':').at(-1) : undefined;
      setProblem(code && `account.${code}` in intl.messages ? t(`account.${code}`) : error instanceof ApiError ? error.problem.detail : String(error));
      setBusy(false);
    }
  };
  const field = (name: keyof typeof typed, label: string, more: React.InputHTMLAttributes<HTMLInputElement>) => (
    <label className={css.label}>{label}<input className={ui.field} value={typed[name]} onChange={(e) => setTyped((was) => ({ ...was, [name]: e.target.value }))} required {...more} /></label>
  );
  return (
    <main className={css.page}>
      <form className={`${ui.panel} ${css.card}`} onSubmit={(e) => void save(e)}>
        <Logo size={32} />
        <h1 className={css.title}>{t('signin.first')}</h1>
        {field('email', t('account.email'), { type: 'email', autoComplete: 'username', dir: 'ltr', spellCheck: false, autoFocus: true })}
        {field('name', t('account.name'), { autoComplete: 'name', maxLength: 100 })}
        {field('password', t('account.new'), { type: 'password', autoComplete: 'new-password', minLength: 10, dir: 'ltr' })}
        <p className={ui.quiet}>{t('account.password.hint')}</p>
        {problem && <p role="alert" className={css.problem}>{problem}</p>}
        <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={busy}>{t('form.save')}</button>
        <button type="button" className={ui.button} onClick={() => location.replace('/')}>{t('signin.later')}</button>
      </form>
    </main>
  );
}
