// A small question in the middle of the screen: a heading, what it is about, a way out and a way on.
import type { ReactNode } from 'react';
import { Button, Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { useIntl } from 'react-intl';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

interface Props { title: ReactNode; problem?: string; open?: boolean; go?: string; noValidate?: boolean; disabled?: boolean; children?: ReactNode; action?: ReactNode; onClose(): void; onGo(): void }

export function Ask({ title, problem, open = true, go, noValidate, disabled, children, action, onClose, onGo }: Props) {
  const intl = useIntl();
  return (
    <ModalOverlay isOpen={open} isDismissable onOpenChange={(still) => { if (!still) onClose(); }} className={`${css.overlay} ${css.centre}`}>
      <Modal className={css.ask ?? ''}>
        <Dialog className={css.small ?? ''}>
          <form noValidate={noValidate} onSubmit={(e) => { e.preventDefault(); onGo(); }}>
            <Heading slot="title">{title}</Heading>
            {problem && <p role="alert" className={css.problem}>{problem}</p>}
            {children}
            <div className={css.line}>
              <Button className={ui.button} onPress={onClose}>{intl.formatMessage({ id: 'form.cancel' })}</Button>
              {action ?? <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={disabled}>{go ?? intl.formatMessage({ id: 'form.save' })}</button>}
            </div>
          </form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
