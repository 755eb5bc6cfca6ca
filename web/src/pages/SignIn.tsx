// Signing in with the one-use link's token. The token stands behind the # and so never reaches a log.
import { useEffect, useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, send } from '../lib/api';
import { Logo } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './signin.module.css';

export function SignIn() {
  const intl = useIntl();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const enter = async (given: string) => {
    setBusy(true);
    setProblem('');
    try {
      await send('/api/session', 'POST', { token: given.trim().replace(/^.*#/, '') });
      location.replace('/');
    } catch (error) {
      setProblem(error instanceof ApiError ? error.problem.detail : String(error));
      setBusy(false);
    }
  };

  useEffect(() => {
    // Also when the link is opened in a tab that shows this page already.
    const follow = () => {
      const linked = location.hash.slice(1);
      if (!linked) return;
      history.replaceState(null, '', location.pathname);
      void enter(linked);
    };
    follow();
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);

  return (
    <main className={css.page}>
      <form className={`${ui.panel} ${css.card}`} onSubmit={(e: FormEvent) => { e.preventDefault(); void enter(token); }}>
        <Logo size={32} />
        <h1 className={css.title}>{intl.formatMessage({ id: 'signin.title' })}</h1>
        <p className={ui.quiet}>{intl.formatMessage({ id: 'signin.hint' })}</p>
        <label className={css.label}>{intl.formatMessage({ id: 'signin.token' })}
          <input className={ui.field} value={token} onChange={(e) => setToken(e.target.value)} autoComplete="off" spellCheck={false} dir="ltr" required />
        </label>
        {problem && <p role="alert" className={css.problem}>{problem}</p>}
        <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={busy}>{intl.formatMessage({ id: busy ? 'signin.busy' : 'signin.go' })}</button>
      </form>
    </main>
  );
}
