// A day, or a day and a time, typed in the reader's calendar and kept in the workspace's zone.
import { fromDate, parseDate, toCalendar, GregorianCalendar, toCalendarDateTime, type DateValue } from '@internationalized/date';
import { DateField, DateInput, DateSegment, I18nProvider } from 'react-aria-components';
import { useSession } from '../lib/data';
import { useFormat } from '../lib/format';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

export function Moment({ labelled, wrong, day, value, onChange }: { labelled: string; wrong?: string; day: boolean; value: string; onChange(value: string | null): void }) {
  const format = useFormat();
  const { workspace } = useSession();
  const known = !/^\d{4}-\d\d-\d\d/.test(value) ? null : day ? parseDate(value.slice(0, 10)) : fromDate(new Date(value), workspace.zone);
  const change = (next: DateValue | null) => {
    if (!next) return onChange(null);
    const gregorian = toCalendar(next, new GregorianCalendar());
    onChange(day ? gregorian.toString() : toCalendarDateTime(gregorian).toDate?.(workspace.zone).toISOString() ?? null);
  };
  return (
    <I18nProvider locale={format.dates}>
      <DateField aria-labelledby={labelled} aria-describedby={wrong} isInvalid={!!wrong} validationBehavior="aria" granularity={day ? 'day' : 'minute'} hideTimeZone value={known} onChange={change}>
        <DateInput className={`${ui.field} ${css.date} num`}>{(segment) => <DateSegment segment={segment} className={css.segment ?? ''} />}</DateInput>
      </DateField>
    </I18nProvider>
  );
}
