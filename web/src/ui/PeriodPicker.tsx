// The period of a page: presets and a calendar in the months of the business.
import { toCalendar, GregorianCalendar, parseDate } from '@internationalized/date';
import { CalendarRange, ChevronLeft, ChevronRight } from 'lucide-react';
import { Button, CalendarCell, CalendarGrid, CalendarGridBody, CalendarGridHeader, CalendarHeaderCell, Dialog, DialogTrigger, Heading, I18nProvider, Popover, RangeCalendar } from 'react-aria-components';
import { useIntl } from 'react-intl';
import { useSession } from '../lib/data';
import { useCalendar, useFormat } from '../lib/format';
import { PRESETS, rangeOf, type PeriodSearch } from '../lib/period';
import { usePrefs } from '../lib/prefs';
import css from './ui.module.css';

export function PeriodPicker({ search, onChange }: { search: PeriodSearch; onChange(next: PeriodSearch): void }) {
  const intl = useIntl();
  const format = useFormat();
  const calendar = useCalendar();
  const { lang } = usePrefs();
  const { workspace } = useSession();
  const range = rangeOf(search, workspace.today, calendar);
  const chosen = { start: parseDate(range.from), end: parseDate(range.to).subtract({ days: 1 }) };
  const [Back, Forth] = lang === 'fa' ? [ChevronRight, ChevronLeft] : [ChevronLeft, ChevronRight];
  return (
    <DialogTrigger>
      <Button className={css.button} aria-label={`${intl.formatMessage({ id: 'period.label' })}: ${format.range(range.from, range.to)}`}>
        <CalendarRange size={15} aria-hidden />
        <span className="num">{format.range(range.from, range.to)}</span>
      </Button>
      <Popover className={css.popover ?? ''} placement="bottom end" UNSTABLE_portalContainer={document.getElementById('content') ?? document.body}>
        <Dialog className={css.period} aria-label={intl.formatMessage({ id: 'period.label' })}>
          {({ close }) => (
            <>
              <div className={css.menu}>
                {PRESETS.map((p) => (
                  <button key={p} type="button" className={css.choice} aria-current={!search.from && (search.p ?? '12m') === p}
                    onClick={() => { onChange({ ...search, p, from: undefined, to: undefined }); close(); }}>
                    {intl.formatMessage({ id: `period.${p}` })}
                  </button>
                ))}
              </div>
              <I18nProvider locale={format.dates}>
                <RangeCalendar className={css.calendar} aria-label={intl.formatMessage({ id: 'period.custom' })} defaultValue={chosen} defaultFocusedValue={chosen.end}
                  onChange={({ start, end }) => {
                    const day = (d: typeof start) => toCalendar(d, new GregorianCalendar());
                    onChange({ ...search, p: undefined, from: day(start).toString(), to: day(end).add({ days: 1 }).toString() });
                    close();
                  }}>
                  <header>
                    <Button slot="previous" className={css.button} aria-label={intl.formatMessage({ id: 'period.prev' })}><Back size={14} aria-hidden /></Button>
                    <Heading />
                    <Button slot="next" className={css.button} aria-label={intl.formatMessage({ id: 'period.next' })}><Forth size={14} aria-hidden /></Button>
                  </header>
                  <CalendarGrid>
                    <CalendarGridHeader>{(day) => <CalendarHeaderCell>{day}</CalendarHeaderCell>}</CalendarGridHeader>
                    <CalendarGridBody>{(date) => <CalendarCell date={date} className={css.day ?? ''} />}</CalendarGridBody>
                  </CalendarGrid>
                </RangeCalendar>
              </I18nProvider>
            </>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
