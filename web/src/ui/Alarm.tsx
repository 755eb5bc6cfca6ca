// An alarm that nobody has dealt with yet, above every page of those who can.
import { Link, useLocation } from '@tanstack/react-router';
import { ShieldAlert } from 'lucide-react';
import { useIntl } from 'react-intl';
import { useAlarmText, useOutflow } from '../lib/outflow';
import css from './shell.module.css';
import ui from './ui.module.css';

export function Alarm() {
  const intl = useIntl();
  const text = useAlarmText();
  const there = useLocation().pathname === '/exports';
  const first = useOutflow().data?.alarms.find((a) => !a.seen);
  if (!first || there) return null;
  return (
    <div className={css.alarm} role="alert">
      <ShieldAlert size={16} aria-hidden />
      <span dir="auto">{text(first)}</span>
      <Link to="/exports" className={ui.button}>{intl.formatMessage({ id: 'alarm.look' })}</Link>
    </div>
  );
}
