// The pages that are no list of records: where they stand, and who has a use for them. Side bar and palette read this.
import { Blocks, CalendarRange, CircleUser, Columns3, Combine, FileOutput, FileUp, Inbox, LayoutGrid, Sigma, Sunrise, type LucideIcon } from 'lucide-react';
import type { Session } from '../lib/api';

export interface Place { to: '/' | '/metrics' | '/board' | '/day' | '/calendar' | '/inbox' | '/duplicates' | '/customize' | '/import' | '/exports' | '/account'; name: string; icon: LucideIcon; group: 'work' | 'records' | 'settings' | 'own'; of?: string; whole?: boolean }

const PLACES: Place[] = [
  { to: '/', name: 'nav.overview', icon: LayoutGrid, group: 'work' },
  { to: '/metrics', name: 'nav.metrics', icon: Sigma, group: 'work' },
  { to: '/board', name: 'nav.board', icon: Columns3, group: 'work', of: 'deal' },
  { to: '/day', name: 'nav.day', icon: Sunrise, group: 'work', of: 'task' },
  { to: '/calendar', name: 'nav.calendar', icon: CalendarRange, group: 'work', of: 'booking' },
  { to: '/inbox', name: 'nav.inbox', icon: Inbox, group: 'work', of: 'ticket' },
  { to: '/duplicates', name: 'nav.duplicates', icon: Combine, group: 'records', of: 'customer' },
  { to: '/customize', name: 'nav.customize', icon: Blocks, group: 'settings' },
  { to: '/import', name: 'nav.import', icon: FileUp, group: 'settings', whole: true },
  { to: '/exports', name: 'nav.exports', icon: FileOutput, group: 'settings', whole: true },
  { to: '/account', name: 'nav.account', icon: CircleUser, group: 'own' },
];

/** Those that somebody has a use for: what they see, settings only where they may change them, and some of those only where
 *  they see everything. */
export const placesOf = ({ may, settings, whole }: Pick<Session, 'may' | 'settings' | 'whole'>): Place[] => PLACES.filter((p) => (!p.of || p.of in may) && (p.group !== 'settings' || settings) && (!p.whole || whole));
