// What the reader of a number must know to read it aright: what counts as revenue, and costs that belong nowhere.
import { useIntl } from 'react-intl';
import type { Bucket } from '../lib/api';
import { useSession } from '../lib/data';
import { useFormat } from '../lib/format';
import ui from '../ui/ui.module.css';

/** Which records are the purchases here: orders, or won deals; and what that means for a deal that was won. */
export function Purchases({ of = 'are' }: { of?: 'are' | 'won' }) {
  const intl = useIntl();
  const { workspace } = useSession();
  return <p className={ui.quiet} role="note">{intl.formatMessage({ id: `purchases.${of}.${workspace.purchases}` })}</p>;
}

/** The costs of a breakdown that none of its values bears. */
export function Unallocated({ buckets }: { buckets: Bucket[] }) {
  const intl = useIntl();
  const format = useFormat();
  const told = buckets.find((b) => b.unallocated)?.unallocated;
  if (!told) return null;
  const money = (v: number) => format.value('money', v);
  return <p role="note">{intl.formatMessage({ id: 'by.unallocated' }, { part: money(told[0]), whole: money(told[1]) })}</p>;
}
