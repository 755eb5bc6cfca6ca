// A link with which a user signs in for the first time, or again after losing the password.
import { Mail } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, send } from '../lib/api';
import { useFormat } from '../lib/format';
import { Ask } from './Ask';
import ui from '../ui/ui.module.css';

export function Invite({ user }: { user: string }) {
  const intl = useIntl();
  const format = useFormat();
  const [link, setLink] = useState<{ link: string; expires_at: string }>();
  const [problem, setProblem] = useState('');
  const [copied, setCopied] = useState(false);
  const t = (id: string, values?: Record<string, string>) => intl.formatMessage({ id }, values);
  const ask = () => {
    setCopied(false);
    send<{ link: string; expires_at: string }>('/api/invitations', 'POST', { user }).then(setLink, (e: unknown) => setProblem(e instanceof ApiError && e.problem.type?.endsWith('no-access') ? t('invite.no-access') : e instanceof ApiError ? e.problem.detail : String(e)));
  };
  const close = () => { setLink(undefined); setProblem(''); };
  return (
    <>
      <button type="button" className={ui.button} onClick={ask}><Mail size={15} aria-hidden />{t('invite.open')}</button>
      <Ask title={t('invite.open')} problem={problem} open={!!link || !!problem} onClose={close} onGo={close}
        action={link ? <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => void navigator.clipboard.writeText(link.link).then(() => setCopied(true))}>{t(copied ? 'invite.copied' : 'invite.copy')}</button> : <></>}>
        {link && (
          <>
            <p>{t('invite.hint', { until: format.instant(link.expires_at) })}</p>
            <input className={ui.field} readOnly dir="ltr" aria-label={t('invite.link')} value={link.link} onFocus={(e) => e.target.select()} />
          </>
        )}
      </Ask>
    </>
  );
}
