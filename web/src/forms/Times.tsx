// When somebody can be booked: the times that are free, to be taken with one press. For any object that says whose time
// it takes.
import { fromDate, parseDate, toCalendarDate } from '@internationalized/date';
import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type Free, type Item, type ObjectInfo } from '../lib/api';
import { useModel, useSession } from '../lib/data';
import { useFormat } from '../lib/format';
import { starts } from '../lib/free';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

const AHEAD = 14;
const SHOWN = 20;
const HOUR = 3_600_000;

interface Props { object: ObjectInfo; value(name: string): unknown; onTake(fields: Record<string, unknown>, titles: Record<string, string>): void }

export function Times({ object, value, onTake }: Props) {
  const intl = useIntl();
  const format = useFormat();
  const { workspace } = useSession();
  const model = useModel();
  const x = object.exclusive;
  const text = (name?: string) => { const v = name ? value(name) : null; return v ? String(v) : ''; };
  const service = object.fields.find((f) => f.name === x?.service);
  const plural = model?.objects.find((o) => o.name === service?.to)?.plural;
  const id = text(x?.service);
  const about = useQuery({ queryKey: ['live', 'record', plural, id], queryFn: () => get<Item>(`/api/records/${plural}/${id}`), enabled: !!plural && !!id, retry: false });
  const begin = text(x?.from);
  const [chosen, setChosen] = useState<string>();
  const local = (iso: string) => fromDate(new Date(iso), workspace.zone);
  const day = chosen ?? (begin ? toCalendarDate(local(begin)).toString() : workspace.today);
  const who = text(x?.of);
  const fields = id ? about.data?.fields : undefined;
  const staff = fields && x?.staff ? (fields[x.staff] as string[] | null | undefined) : undefined;
  const of = who || (staff ?? []).join(',');
  const { data } = useQuery({ queryKey: ['live', 'free', object.plural, day, of], queryFn: () => get<{ of: Free[] }>(`/api/records/${object.plural}/free`, { from: day, days: AHEAD, of }), enabled: !!x });
  if (!x || !data) return null;
  const takes = Number((x.takes && fields?.[x.takes]) || 0) * 1000;
  const length = takes || (begin && text(x.to) ? Date.parse(text(x.to)) - Date.parse(begin) : 0) || HOUR;
  // Asked of everybody, those whose hours nobody knows stand back.
  const known = data.of.filter((person) => person.hours);
  const people = (known.length > 0 ? known : data.of).map((person) => ({ person, times: starts(person, length, Date.now(), (at) => { const t = local(at); return { day: toCalendarDate(t).toString(), minute: t.hour * 60 + t.minute }; }) }));
  const first = people.flatMap((p) => p.times.map((t) => t.day)).sort()[0];
  const step = (by: number) => setChosen(parseDate(day).add({ days: by }).toString());
  return (
    <fieldset className={css.times}>
      <legend>{intl.formatMessage({ id: 'times.free' })}</legend>
      <span className={css.steps}>
        <button type="button" className={ui.button} aria-label={intl.formatMessage({ id: 'times.before' })} onClick={() => step(-1)}><ChevronLeft size={14} className={css.turn} aria-hidden /></button>
        <strong aria-live="polite">{format.day(first ?? day, { weekday: 'long', day: 'numeric', month: 'short' })}</strong>
        <button type="button" className={ui.button} aria-label={intl.formatMessage({ id: 'times.after' })} onClick={() => setChosen(parseDate(first ?? day).add({ days: 1 }).toString())}><ChevronRight size={14} className={css.turn} aria-hidden /></button>
      </span>
      {people.filter((p) => p.times.some((t) => t.day === first)).map(({ person, times }) => (
        <div key={person.id} className={css.person}>
          <bdi>{person.title}</bdi>
          <span className={css.chips}>
            {times.filter((t) => t.day === first).slice(0, SHOWN).map((t) => (
              <button key={t.at} type="button" className={css.time} aria-pressed={t.at === begin && person.id === who} onClick={() => onTake({ [x.of]: person.id, [x.from]: t.at, [x.to]: new Date(Date.parse(t.at) + length).toISOString() }, { [x.of]: person.title })}>{format.time(t.at)}</button>
            ))}
          </span>
        </div>
      ))}
      {!first && <p className={ui.quiet}>{intl.formatMessage({ id: 'times.none' }, { count: AHEAD })}</p>}
    </fieldset>
  );
}
