// A link with which a user signs in for the first time, or again after losing the password.
import { Mail } from 'lucide-react';
import { useState } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { useIntl } from 'react-intl';
import { ApiError, send } from '../lib/api';
import { useFormat } from '../lib/format';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

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
      <ModalOverlay isOpen={!!link || !!problem} isDismissable onOpenChange={(open) => { if (!open) close(); }} className={`${css.overlay} ${css.centre}`}>
        <Modal className={css.ask ?? ''}>
          <Dialog className={css.small ?? ''}>
            <form onSubmit={(e) => { e.preventDefault(); close(); }}>
              <Heading slot="title">{t('invite.open')}</Heading>
              {problem ? <p role="alert" className={css.problem}>{problem}</p> : (
                <>
                  <p>{t('invite.hint', { until: link ? format.instant(link.expires_at) : '' })}</p>
                  <input className={ui.field} readOnly dir="ltr" aria-label={t('invite.link')} value={link?.link ?? ''} onFocus={(e) => e.target.select()} />
                </>
              )}
              <div className={css.line}>
                <button type="submit" className={ui.button}>{t('form.cancel')}</button>
                {link && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => void navigator.clipboard.writeText(link.link).then(() => setCopied(true))}>{t(copied ? 'invite.copied' : 'invite.copy')}</button>}
              </div>
            </form>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  );
}
