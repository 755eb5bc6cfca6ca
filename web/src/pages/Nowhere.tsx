// What an address shows that no page has.
import { Link } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';

export function Nowhere() {
  const intl = useIntl();
  return (
    <Page title={intl.formatMessage({ id: 'error.nowhere' })}>
      <div className={ui.state}>
        <span>{intl.formatMessage({ id: 'error.nowhere.hint' })}</span>
        <Link to="/" className={`${ui.button} ${ui.primary}`}>{intl.formatMessage({ id: 'nav.overview' })}</Link>
      </div>
    </Page>
  );
}
