// Bookings of a week by day and hour, of everybody or one person; moved by dragging, made where one clicks. A phone
// shows the same as a list.
import { CalendarDateTime, fromDate, parseDate, toCalendarDate, toZoned } from '@internationalized/date';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { ChevronLeft, ChevronRight, Plus } from 'lucide-react';
import { useState, type DragEvent, type MouseEvent } from 'react';
import { useIntl } from 'react-intl';
import { RecordForm } from '../forms/RecordForm';
import { get, type Free, type Item, type Page as ListPage } from '../lib/api';
import { useLabel, useMay, useModel, useSession, useUsers } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Failure, Loading, Select } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './calendar.module.css';

export interface CalendarSearch { d?: string; who?: string }
/** Hours that are shown in any case. */
const USUAL = [7, 19] as const;
const HOUR = 44;
const STEP = 15;
const MOST = 500;

interface Block { item: Item; day: string; from: number; to: number; lane: number; lanes: number }

/** Side by side what overlaps: each takes the first lane that is free, and a cluster shares its width. */
export function lanes(blocks: Omit<Block, 'lane' | 'lanes'>[]): Block[] {
  const done: Block[] = [];
  let cluster: Block[] = [];
  let end = -1;
  const close = () => { const most = Math.max(0, ...cluster.map((b) => b.lane + 1)); cluster.forEach((b) => { b.lanes = most; }); done.push(...cluster); cluster = []; };
  for (const block of [...blocks].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (block.from >= end) { close(); end = -1; }
    const taken = new Set(cluster.filter((b) => b.to > block.from).map((b) => b.lane));
    let lane = 0;
    while (taken.has(lane)) lane += 1;
    cluster.push({ ...block, lane, lanes: 1 });
    end = Math.max(end, block.to);
  }
  close();
  return done;
}

export function Calendar() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const write = useWrite();
  const reason = useReason();
  const navigate = useNavigate();
  const may = useMay('booking');
  const { workspace } = useSession();
  const search = useSearch({ strict: false }) as CalendarSearch;
  const booking = useModel()?.objects.find((o) => o.name === 'booking');
  const [adding, setAdding] = useState<Record<string, unknown>>();
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const go = (more: CalendarSearch) => void navigate({ to: '/calendar', search: { ...search, ...more } });
  const at = parseDate(search.d ?? workspace.today);
  // The workspace counts from Monday.
  const weekday = (at.toDate('UTC').getUTCDay() + 6 - workspace.week_start + 7) % 7;
  const first = at.subtract({ days: weekday });
  const next = first.add({ days: 7 }).toString();
  const days = Array.from({ length: 7 }, (_, i) => first.add({ days: i }).toString());
  const who = search.who ? ` and user = ${quote(search.who)}` : '';
  const list = useQuery({ queryKey: ['live', 'calendar', days[0], search.who], queryFn: () => get<ListPage>('/api/records/bookings', { filter: `starts_at >= ${quote(days[0] ?? '')} and starts_at < ${quote(next)}${who}`, sort: 'starts_at', limit: MOST }) });
  const staff = useUsers();
  // One person's working hours; of all together there are none.
  const there = useQuery({ queryKey: ['live', 'free', 'bookings', days[0], search.who], queryFn: () => get<{ of: Free[] }>('/api/records/bookings/free', { from: days[0], days: 7, of: search.who }), enabled: !!search.who });
  const local = (iso: string) => fromDate(new Date(iso), workspace.zone);
  const blocks = (list.data?.items ?? []).filter((b) => !['cancelled', 'no_show'].includes(String(b.fields.status))).map((item) => {
    const from = local(String(item.fields.starts_at));
    const length = item.fields.ends_at ? (Date.parse(String(item.fields.ends_at)) - Date.parse(String(item.fields.starts_at))) / 60_000 : 60;
    const start = from.hour * 60 + from.minute;
    return { item, day: toCalendarDate(from).toString(), from: start, to: start + Math.max(20, length) };
  });
  const person = there.data?.of.find((p) => p.hours);
  const open = (person?.open ?? []).map(([a, b]) => { const [from, to] = [local(a), local(b)]; return { day: toCalendarDate(from).toString(), from: from.hour * 60 + from.minute, to: to.hour * 60 + to.minute || 24 * 60 }; });
  /** What lies outside them, by minutes. */
  const shut = (day: string): [number, number][] => {
    const ends = open.filter((o) => o.day === day).flatMap((o) => [o.from, o.to]);
    const edges = [opens * 60, ...ends, closes * 60];
    return person ? edges.flatMap((from, i) => (i % 2 === 0 && (edges[i + 1] ?? 0) > from ? [[from, edges[i + 1]] as [number, number]] : [])) : [];
  };
  const opens = Math.min(USUAL[0], ...blocks.map((b) => Math.floor(b.from / 60)));
  const closes = Math.min(24, Math.max(USUAL[1], ...blocks.map((b) => Math.ceil(b.to / 60))));
  const instant = (day: string, minute: number) => { const d = parseDate(day); return toZoned(new CalendarDateTime(d.year, d.month, d.day, Math.floor(minute / 60), minute % 60), workspace.zone).toDate().toISOString(); };
  const minuteOf = (e: MouseEvent | DragEvent, shift = 0) => { const box = e.currentTarget.getBoundingClientRect(); return Math.min(closes * 60 - STEP, Math.max(opens * 60, Math.round(((e.clientY - box.top - shift) / HOUR * 60 + opens * 60) / STEP) * STEP)); };
  const add = (day: string, minute: number) => setAdding({ starts_at: instant(day, minute), ends_at: instant(day, minute + 60), ...(search.who && { user: search.who }) });
  const drop = (day: string) => (e: DragEvent) => {
    e.preventDefault();
    const [id, shift] = e.dataTransfer.getData('text/plain').split(' ');
    const block = blocks.find((b) => b.item.id === id);
    if (!block) return;
    const start = minuteOf(e, Number(shift) || 0);
    const length = block.item.fields.ends_at ? Date.parse(String(block.item.fields.ends_at)) - Date.parse(String(block.item.fields.starts_at)) : 0;
    const starts_at = instant(day, start);
    write([{ op: 'update', object: 'bookings', id: block.item.id, version: block.item.version, fields: { starts_at, ...(length && { ends_at: new Date(Date.parse(starts_at) + length).toISOString() }) } }])
      .then(() => setProblem(''), (error: unknown) => setProblem(reason(error)));
  };
  const name = (day: string) => format.day(day, { weekday: 'short', day: 'numeric', month: 'short' });
  return (
    <Page title={t('nav.calendar')} note={<span className={ui.quiet}>{format.range(days[0] ?? '', next)}</span>} controls={
      <>
        <Select hideLabel label={t('calendar.who')} value={search.who ?? ''} onChange={(v) => go({ who: v || undefined })} options={[{ value: '', label: t('calendar.all') }, ...staff.map((u) => ({ value: u.id, label: String(u.fields.name) }))]} />
        <span className={css.steps}>
          <button type="button" className={ui.button} aria-label={t('calendar.before')} onClick={() => go({ d: first.subtract({ days: 7 }).toString() })}><ChevronLeft size={15} className={css.turn} aria-hidden /></button>
          <button type="button" className={ui.button} onClick={() => go({ d: undefined })}>{t('calendar.today')}</button>
          <button type="button" className={ui.button} aria-label={t('calendar.after')} onClick={() => go({ d: next })}><ChevronRight size={15} className={css.turn} aria-hidden /></button>
        </span>
        {may.create && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => add(days.includes(workspace.today) ? workspace.today : days[0] ?? workspace.today, 10 * 60)}><Plus size={15} aria-hidden />{t('form.add')}</button>}
      </>
    }>
      {problem && <p role="alert" className={css.problem}>{problem}</p>}
      {adding && booking && <RecordForm object={booking} start={adding} titles={{ user: String(staff.find((u) => u.id === search.who)?.fields.name ?? '') }} onDone={() => setAdding(undefined)} />}
      {list.error ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data ? <Loading /> : (
        <>
          {list.data.total > MOST && <p className={ui.quiet}>{intl.formatMessage({ id: 'calendar.many' }, { shown: format.number(MOST), total: format.number(list.data.total) })}</p>}
          <div className={`${ui.panel} ${css.week}`} tabIndex={0} role="region" aria-label={t('nav.calendar')}>
            <div className={css.hours} aria-hidden>{Array.from({ length: closes - opens }, (_, i) => <span key={i} className="num" style={{ top: i * HOUR }}>{format.hour(opens + i)}</span>)}</div>
            {days.map((day) => (
              <section key={day} className={css.day} aria-label={name(day)} data-today={day === workspace.today || undefined}>
                <h2>{name(day)}</h2>
                <div className={css.grid} style={{ height: (closes - opens) * HOUR }} onDragOver={(e) => e.preventDefault()} onDrop={drop(day)} onClick={(e) => { if (may.create && (e.target as HTMLElement).closest('a') === null) add(day, Math.floor(minuteOf(e) / 30) * 30); }}>
                  {shut(day).map(([from, to]) => <span key={from} className={css.shut} style={{ top: (from - opens * 60) * HOUR / 60, height: (to - from) * HOUR / 60 }} />)}
                  {lanes(blocks.filter((b) => b.day === day)).map((b) => (
                    <Link key={b.item.id} to="/records/$object/$id" params={{ object: 'bookings', id: b.item.id }} className={css.block} data-status={String(b.item.fields.status)} draggable={may.change}
                      onDragStart={(e) => { e.dataTransfer.setData('text/plain', `${b.item.id} ${e.clientY - e.currentTarget.getBoundingClientRect().top}`); e.dataTransfer.effectAllowed = 'move'; }}
                      style={{ top: Math.max(0, (b.from - opens * 60) * HOUR / 60), height: Math.max(18, (Math.min(b.to, closes * 60) - Math.max(b.from, opens * 60)) * HOUR / 60 - 2), insetInlineStart: `${b.lane / b.lanes * 100}%`, width: `${100 / b.lanes}%` }}>
                      <strong>{b.item.titles.customer ?? '…'}</strong>
                      <span className="num">{format.time(String(b.item.fields.starts_at))}</span>
                      <span>{[b.item.titles.product, search.who ? '' : b.item.titles.user].filter(Boolean).join(' · ')}</span>
                    </Link>
                  ))}
                </div>
              </section>
            ))}
          </div>
          <div className={css.agenda}>
            {days.map((day) => [day, blocks.filter((b) => b.day === day)] as const).filter(([, own]) => own.length > 0).map(([day, own]) => (
              <section key={day} className={`${ui.panel} ${ui.pad}`}>
                <h2 className={ui.title}>{name(day)}</h2>
                {own.map((b) => <Link key={b.item.id} className={css.entry} to="/records/$object/$id" params={{ object: 'bookings', id: b.item.id }}><span className="num">{format.time(String(b.item.fields.starts_at))}</span><strong>{b.item.titles.customer ?? '…'}</strong><span className={ui.quiet}>{[b.item.titles.product, b.item.titles.user, label(`option.${String(b.item.fields.status)}`)].filter(Boolean).join(' · ')}</span></Link>)}
              </section>
            ))}
            {blocks.length === 0 && <p className={ui.quiet}>{t('day.free')}</p>}
          </div>
        </>
      )}
    </Page>
  );
}
