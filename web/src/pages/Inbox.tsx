// The service desk: open tickets by what is due first, and the one that is being answered beside them.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { RecordForm } from '../forms/RecordForm';
import { get, type Item, type Page as ListPage } from '../lib/api';
import { useLabel, useMay, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { Failure, Loading } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import { Conversation } from './Conversation';
import { now } from './Related';
import css from './inbox.module.css';

export interface InboxSearch { view?: string; t?: string }
const OPEN = "status <> 'solved' and status <> 'closed' and merged_into is null and not is_spam";
const SHOWN = 200;
/** Hours within which a ticket that nothing was promised about is looked at; it stands among the others by these. */
const HOURS: Record<string, number> = { urgent: 1, high: 2, normal: 8, low: 16 };

/** What must happen next, and by when: the first answer, then the solution. */
export function dueOf(ticket: Item): { what: 'reply' | 'solve'; at: string } | undefined {
  const { first_reply_at, first_reply_due_at, resolution_due_at } = ticket.fields;
  if (!first_reply_at && first_reply_due_at) return { what: 'reply', at: String(first_reply_due_at) };
  return resolution_due_at ? { what: 'solve', at: String(resolution_due_at) } : undefined;
}

const instant = (ticket: Item) => {
  const due = dueOf(ticket)?.at;
  return due ? Date.parse(due) : Date.parse(String(ticket.fields.received_at ?? ticket.fields.opened_at)) + (HOURS[String(ticket.fields.priority)] ?? HOURS.normal!) * 3_600_000;
};

/** What is due first stands first; an urgent ticket without a promise does not sink below every dated one. */
export const byDue = (a: Item, b: Item) => instant(a) - instant(b);

export function Inbox() {
  const intl = useIntl();
  const { user } = useSession();
  const search = useSearch({ strict: false }) as InboxSearch;
  const navigate = useNavigate();
  const may = useMay('ticket');
  const ticket = useModel()?.objects.find((o) => o.name === 'ticket');
  const [adding, setAdding] = useState(false);
  const views = [...(user ? ['mine'] : []), 'nobody', 'open', 'waiting', 'solved'];
  const view = search.view && views.includes(search.view) ? search.view : 'open';
  const filters: Record<string, string> = {
    mine: `${OPEN} and assignee = ${quote(user ?? '')}`, nobody: `${OPEN} and assignee is null`, open: OPEN,
    waiting: `${OPEN} and (status = 'pending' or status = 'on_hold')`, solved: "status = 'solved'",
  };
  const list = useQuery({ queryKey: ['live', 'inbox', view], queryFn: () => get<ListPage>('/api/records/tickets', { filter: filters[view], sort: view === 'solved' ? '-solved_at' : 'resolution_due_at', limit: SHOWN }) });
  const items = view === 'solved' ? list.data?.items ?? [] : [...(list.data?.items ?? [])].sort(byDue);
  const go = (next: InboxSearch) => void navigate({ to: '/inbox', search: next });
  const open = useQuery({ queryKey: ['live', 'record', 'tickets', search.t], queryFn: () => get<Item>(`/api/records/tickets/${search.t}`), enabled: !!search.t });
  const t = (id: string) => intl.formatMessage({ id });
  return (
    <Page title={t('nav.inbox')} note={list.data && <span className={ui.quiet}>{intl.formatMessage({ id: 'records.count' }, { count: list.data.total })}</span>}
      controls={may.create && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => setAdding(true)}><Plus size={15} aria-hidden />{t('form.add')}</button>}>
      {adding && ticket && <RecordForm object={ticket} start={now(ticket)} onDone={(id) => { setAdding(false); if (id) go({ view, t: id }); }} />}
      <div className={css.views} role="group" aria-label={t('nav.inbox')}>
        {views.map((v) => <button key={v} type="button" className={css.view} aria-pressed={v === view} onClick={() => go({ view: v })}>{t(`desk.${v}`)}</button>)}
      </div>
      <div className={css.desk} data-open={!!search.t || undefined}>
        <div className={`${ui.panel} ${css.list}`}>
          {list.error ? <Failure error={list.error} /> : !list.data ? <Loading /> : items.length === 0 ? <div className={ui.state}>{t('desk.empty')}</div> : items.map((item) => <Row key={item.id} item={item} current={item.id === search.t} onOpen={() => go({ view, t: item.id })} />)}
        </div>
        {search.t && (
          <div className={css.open}>
            {open.error ? <Failure error={open.error} /> : !open.data ? <Loading /> : (
              <>
                <header className={css.title}>
                  <h2 dir="auto"><Link to="/records/$object/$id" params={{ object: 'tickets', id: open.data.id }}>{String(open.data.fields.subject)}</Link></h2>
                  {open.data.titles.customer && <Link className={ui.quiet} to="/records/$object/$id" params={{ object: 'customers', id: String(open.data.fields.customer) }}>{open.data.titles.customer}</Link>}
                  <button type="button" className={`${ui.button} ${css.back}`} onClick={() => go({ view })}>{t('desk.back')}</button>
                </header>
                <Conversation ticket={open.data} />
              </>
            )}
          </div>
        )}
      </div>
    </Page>
  );
}

function Row({ item, current, onOpen }: { item: Item; current: boolean; onOpen(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const due = ['solved', 'closed'].includes(String(item.fields.status)) ? undefined : dueOf(item);
  const late = due && Date.parse(due.at) < Date.now();
  const priority = String(item.fields.priority ?? 'normal');
  return (
    <button type="button" className={css.row} aria-current={current || undefined} onClick={onOpen}>
      <span className={css.subject} dir="auto">{String(item.fields.subject)}</span>
      <span className={css.meta}>
        {item.titles.customer && <span className={css.who}>{item.titles.customer}</span>}
        <span>{label(`option.${String(item.fields.status)}`)}</span>
        {priority !== 'normal' && <span className={css.priority} data-priority={priority}>{label(`option.${priority}`)}</span>}
        {item.fields.kind === 'complaint' && <span className={css.priority} data-priority="high">{label('option.complaint')}</span>}
        {due && <span className={late ? css.late : undefined}>{intl.formatMessage({ id: `desk.due.${due.what}` }, { when: format.relative(due.at) })}</span>}
      </span>
    </button>
  );
}
