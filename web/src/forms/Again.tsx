// What comes again: a contract renewed, an expense in the months to come; and a contract that ends early, with why.
import { parseAbsolute, parseDate, toZoned, toCalendarDateTime } from '@internationalized/date';
import { CalendarPlus, CalendarX, RefreshCw } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { type FieldInfo, type Item } from '../lib/api';
import { useMay, useSession } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite, type Change } from '../lib/write';
import { Ask } from './Ask';
import { Field } from './Field';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

const MOST = 60;
const text = (v: unknown) => (typeof v === 'string' ? v : undefined);

/** The same day of a later month, as a calendar counts: the last of a shorter one. */
export const monthsOn = (day: string | undefined, n: number) => (day ? parseDate(day).add({ months: n }).toString() : null);

/** The same hour of the same day some months on, as the workspace's clocks show it. */
export function instantOn(iso: string | undefined, n: number, zone: string): string | null {
  return iso ? toZoned(toCalendarDateTime(parseAbsolute(iso, zone)).add({ months: n }), zone).toDate().toISOString() : null;
}

/** The copies of an expense for the coming months. */
export function repeated(item: Item, months: number): Change[] {
  const kept = ['name', 'category', 'amount', 'purposes', 'source', 'channel', 'campaign', 'campaign_sent', 'country', 'customer', 'product', 'note'];
  const same = Object.fromEntries(kept.filter((f) => item.fields[f] != null).map((f) => [f, item.fields[f]]));
  const days = (n: number) => Object.fromEntries(['incurred_on', 'service_from', 'service_to'].filter((f) => item.fields[f]).map((f) => [f, monthsOn(text(item.fields[f]), n)]));
  return Array.from({ length: months }, (_, i) => ({ op: 'create' as const, object: 'expenses', fields: { ...same, ...days(i + 1) } }));
}

/** The contract that follows, for as long again, and that the old one is followed by it. */
export function renewed(item: Item, months: number, zone: string): Change[] {
  const begins = text(item.fields.term_end) ?? new Date().toISOString();
  const kept = ['plan', 'customer', 'value', 'value_months', 'auto_renew', 'month_to_month', 'owner'];
  const same = Object.fromEntries(kept.filter((f) => item.fields[f] != null).map((f) => [f, item.fields[f]]));
  return [
    { op: 'create', object: 'contracts', id: 'new:next', fields: { ...same, starts_at: begins, term_end: instantOn(begins, months, zone) } },
    { op: 'update', object: 'contracts', id: item.id, version: item.version, fields: { successor: 'new:next' } },
  ];
}

export function Again({ object, item, fields, onMade }: { object: string; item: Item; fields: FieldInfo[]; onMade(id: string): void }) {
  const intl = useIntl();
  const write = useWrite();
  const reason = useReason();
  const may = useMay(object);
  const { workspace } = useSession();
  const [asked, setAsked] = useState<'repeat' | 'renew' | 'end'>();
  const [months, setMonths] = useState('12');
  const [cause, setCause] = useState<unknown>(null);
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const count = Math.min(MOST, Math.max(1, Math.round(Number(months)) || 0));
  const go = async () => {
    const changes: Change[] = asked === 'repeat' ? repeated(item, count) : asked === 'renew' ? renewed(item, count, workspace.zone)
      : [{ op: 'update', object: 'contracts', id: item.id, version: item.version, fields: { ended_at: new Date().toISOString(), cancel_reason: cause } }];
    try {
      const done = await write(changes);
      setAsked(undefined);
      setProblem('');
      if (done.new['new:next']) onMade(done.new['new:next']);
    } catch (error) {
      setProblem(reason(error));
    }
  };
  const button = (what: 'repeat' | 'renew' | 'end', Icon: typeof RefreshCw) => <button type="button" className={ui.button} onClick={() => setAsked(what)}><Icon size={15} aria-hidden />{t(`again.${what}`)}</button>;
  const why = fields.find((f) => f.name === 'cancel_reason');
  return (
    <>
      {object === 'expense' && may.create && button('repeat', CalendarPlus)}
      {object === 'contract' && may.create && may.change && !item.fields.successor && !item.fields.ended_at && button('renew', RefreshCw)}
      {object === 'contract' && may.change && !item.fields.ended_at && button('end', CalendarX)}
      {asked && (
        <Ask title={t(`again.${asked}`)} problem={problem} onClose={() => setAsked(undefined)} onGo={() => void go()}>
          {asked === 'end' ? why && <Field field={why} value={cause} autoFocus onChange={setCause} /> : (
            <label className={css.field}><span>{t(`again.${asked}.months`)}</span><input className={`${ui.field} num`} type="number" min={1} max={MOST} required autoFocus value={months} onChange={(e) => setMonths(e.target.value)} /></label>
          )}
        </Ask>
      )}
    </>
  );
}
