// One's own day: what is late, what is due, who comes, which tickets and deals wait; and the clock that runs.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Play, Plus, Square } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { get, type Item, type Page as ListPage } from '../lib/api';
import { titleOf } from '../lib/cell';
import { useLabel, useMay, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { addDays } from '../lib/period';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Loading, Panel } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import { dueOf } from './Inbox';
import css from './day.module.css';

function useList(plural: string, filter: string, sort: string, limit = 50) {
  const { may } = useSession();
  const object = useModel()?.objects.find((o) => o.plural === plural);
  return useQuery({ queryKey: ['live', 'day', plural, filter, sort], queryFn: () => get<ListPage>(`/api/records/${plural}`, { filter, sort, limit }), enabled: !!object && object.name in may });
}

export function Day() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const write = useWrite();
  const reason = useReason();
  const { user, workspace: { today, zone } } = useSession();
  const may = useMay('task');
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const mine = (field: string) => (user ? ` and ${field} = ${quote(user)}` : '');
  const tomorrow = addDays(today, 1);
  const tasks = useList('tasks', `done_at is null and (due_at is null or due_at < ${quote(addDays(today, 8))})${mine('owner')}`, 'due_at', 200);
  const running = useList('time_entries', `ended_at is null${mine('user')}`, '-started_at', 20);
  const bookings = useList('bookings', `starts_at >= ${quote(today)} and starts_at < ${quote(tomorrow)} and status <> 'cancelled'${mine('user')}`, 'starts_at');
  const tickets = useList('tickets', `status <> 'solved' and status <> 'closed' and merged_into is null and resolution_due_at < ${quote(tomorrow)}${mine('assignee')}`, 'resolution_due_at');
  const deals = useList('deals', `outcome = 'open' and expected_close < ${quote(tomorrow)}${mine('owner')}`, 'expected_close');
  const attempt = (work: Promise<unknown>) => void work.then(() => setProblem(''), (e: unknown) => setProblem(reason(e)));
  const add = (e: FormEvent) => {
    e.preventDefault();
    attempt(write([{ op: 'create', object: 'tasks', fields: { name: text.trim(), due_at: `${today}T20:00:00Z`, ...(user && { owner: user }) } }]).then(() => setText('')));
  };
  const done = (task: Item) => attempt(write([{ op: 'update', object: 'tasks', id: task.id, fields: { done_at: task.fields.done_at ? null : new Date().toISOString() } }]));
  const begin = (task: Item) => attempt(write([{ op: 'create', object: 'time_entries', fields: { task: task.id, customer: task.fields.customer ?? null, task_type: task.fields.task_type ?? null, is_routine: task.fields.is_routine === true, started_at: new Date().toISOString(), ...(user && { user }) } }]));
  const stop = (entry: Item) => attempt(write([{ op: 'update', object: 'time_entries', id: entry.id, fields: { ended_at: new Date().toISOString() } }]));
  const due = (task: Item) => String(task.fields.due_at ?? '');
  // Days are the workspace's.
  const local = (iso: string) => new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(new Date(iso));
  const all = tasks.data?.items ?? [];
  const groups: [string, Item[]][] = [
    ['late', all.filter((x) => due(x) && local(due(x)) < today)], ['today', all.filter((x) => due(x) && local(due(x)) === today)],
    ['soon', all.filter((x) => due(x) && local(due(x)) > today)], ['someday', all.filter((x) => !due(x))],
  ];
  const timed = may.create;
  const rows = (list: typeof deals, plural: string, more: (item: Item) => string) => list.data && list.data.items.length > 0 && (
    <Rows plural={plural} items={list.data.items} more={more} />
  );
  return (
    <Page title={t('nav.day')} note={<span className={ui.quiet}>{format.day(today, { weekday: 'long', day: 'numeric', month: 'long' })}</span>}>
      {problem && <p role="alert" className={css.problem}>{problem}</p>}
      {(running.data?.items ?? []).map((entry) => (
        <div key={entry.id} className={`${ui.panel} ${css.clock}`}>
          <span role="status">{entry.titles.task ?? String(entry.fields.task_type ?? label('object.time_entry'))} <span className={ui.quiet}>{format.relative(String(entry.fields.started_at))}</span></span>
          <button type="button" className={ui.button} onClick={() => stop(entry)}><Square size={13} aria-hidden />{t('day.stop')}</button>
        </div>
      ))}
      <div className={css.two}>
        <Panel title={label('object.task')}>
          {may.create && (
            <form className={css.add} onSubmit={add}>
              <input className={ui.field} dir="auto" required aria-label={t('day.add')} placeholder={t('day.add')} value={text} onChange={(e) => setText(e.target.value)} />
              <button type="submit" className={ui.button} aria-label={t('form.add')}><Plus size={15} aria-hidden /></button>
            </form>
          )}
          {!tasks.data ? <Loading /> : all.length === 0 ? <p className={ui.quiet}>{t('day.free')}</p> : groups.filter(([, items]) => items.length > 0).map(([name, items]) => (
            <section key={name} className={css.group}>
              <h3 data-late={name === 'late' || undefined}>{t(`day.${name}`)} <span className="num">{format.number(items.length)}</span></h3>
              {items.map((task) => (
                <div key={task.id} className={css.task}>
                  {may.change && <input type="checkbox" aria-label={intl.formatMessage({ id: 'day.done' }, { name: String(task.fields.name) })} checked={false} onChange={() => done(task)} />}
                  <span className={css.what}>
                    <Link dir="auto" to="/records/$object/$id" params={{ object: 'tasks', id: task.id }}>{String(task.fields.name)}</Link>
                    {task.titles.customer && <span className={ui.quiet}>{task.titles.customer}</span>}
                    {due(task) && name !== 'today' && <span className={`${ui.quiet} num`}>{format.day(local(due(task)), { day: 'numeric', month: 'short' })}</span>}
                  </span>
                  {timed && <button type="button" className={css.play} aria-label={intl.formatMessage({ id: 'day.start' }, { name: String(task.fields.name) })} onClick={() => begin(task)}><Play size={13} aria-hidden /></button>}
                </div>
              ))}
            </section>
          ))}
        </Panel>
        <div className={css.side}>
          <Panel title={label('object.booking')} aside={<Link className={ui.quiet} to="/calendar">{t('nav.calendar')}</Link>}>{rows(bookings, 'bookings', (b) => format.time(String(b.fields.starts_at))) || <p className={ui.quiet}>{t('day.free')}</p>}</Panel>
          <Panel title={label('object.ticket')} aside={<Link className={ui.quiet} to="/inbox">{t('nav.inbox')}</Link>}>{rows(tickets, 'tickets', (x) => { const d = dueOf(x); return d ? format.relative(d.at) : ''; }) || <p className={ui.quiet}>{t('day.free')}</p>}</Panel>
          <Panel title={label('object.deal')} aside={<Link className={ui.quiet} to="/board">{t('nav.board')}</Link>}>{rows(deals, 'deals', (d) => String(d.fields.next_step ?? '') || format.day(String(d.fields.expected_close), { day: 'numeric', month: 'short' })) || <p className={ui.quiet}>{t('day.free')}</p>}</Panel>
        </div>
      </div>
    </Page>
  );
}

function Rows({ plural, items, more }: { plural: string; items: Item[]; more(item: Item): string }) {
  const object = useModel()?.objects.find((o) => o.plural === plural);
  return <>{items.slice(0, 12).map((item) => (
    <div key={item.id} className={css.task}>
      <span className={css.what}>
        <Link dir="auto" to="/records/$object/$id" params={{ object: plural, id: item.id }}>{object ? titleOf(object, item) : '…'}</Link>
        {item.titles.customer && object?.title !== 'customer' && <span className={ui.quiet}>{item.titles.customer}</span>}
      </span>
      <span className={`${ui.quiet} num`} dir="auto">{more(item)}</span>
    </div>
  ))}</>;
}
