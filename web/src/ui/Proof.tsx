// "Is it you?": asked when the server wants a proof before something that opens doors; what waits then goes on.
import { useEffect, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import { Ask } from '../forms/Ask';
import { ApiError, provenBy, send } from '../lib/api';
import { useSession } from '../lib/data';
import { latin } from '../lib/digits';
import css from '../forms/forms.module.css';
import ui from './ui.module.css';

export function Proof() {
  const intl = useIntl();
  const session = useSession();
  const waiting = useRef<(proven: boolean) => void>(undefined);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState({ password: '', code: '' });
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const t = (id: string) => intl.formatMessage({ id });

  useEffect(() => provenBy(() => new Promise((resolve) => {
    waiting.current = resolve;
    setTyped({ password: '', code: '' });
    setProblem('');
    setOpen(true);
  })), []);
  const end = (proven: boolean) => {
    setOpen(false);
    waiting.current?.(proven);
    waiting.current = undefined;
  };
  const go = async () => {
    setBusy(true);
    try {
      await send('/api/session/proof', 'POST', { password: typed.password, ...(typed.code && { code: latin(typed.code) }) });
      end(true);
    } catch (error) {
      const code = error instanceof ApiError ? error.problem.type?.split(':').at(-1) : undefined;
      setProblem(code && `account.${code}` in intl.messages ? t(`account.${code}`) : error instanceof ApiError ? error.problem.detail : String(error));
    } finally {
      setBusy(false);
    }
  };
  const elsewhere = session.provider;
  return (
    <Ask title={t('proof.title')} open={open} problem={problem} disabled={busy} go={t('proof.go')} onClose={() => end(false)} onGo={() => void go()}
      action={elsewhere ? <a className={`${ui.button} ${ui.primary}`} href="/api/oidc/begin?again=true">{intl.formatMessage({ id: 'signin.with' }, { name: elsewhere })}</a> : !session.password ? <></> : undefined}>
      <p>{t(elsewhere ? 'proof.elsewhere' : session.password ? 'proof.hint' : 'proof.link')}</p>
      {!elsewhere && session.password && (
        <>
          <input className="sr" type="text" autoComplete="username" value={session.email} readOnly tabIndex={-1} aria-hidden />
          <label className={css.field}><span>{t('signin.password')}</span><input className={ui.field} type="password" autoComplete="current-password" autoFocus required value={typed.password} onChange={(e) => setTyped({ ...typed, password: e.target.value })} /></label>
          {session.codes && <label className={css.field}><span>{t('signin.code')}</span><input className={`${ui.field} num`} inputMode="numeric" autoComplete="one-time-code" required value={typed.code} onChange={(e) => setTyped({ ...typed, code: e.target.value })} /></label>}
        </>
      )}
    </Ask>
  );
}
