// What was said on a ticket, and the answer to it: to the customer, or for colleagues alone.
import { useQuery } from '@tanstack/react-query';
import { Lock, Send } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { get, type Item, type Page } from '../lib/api';
import { useLabel, useMay, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Inline } from '../forms/Inline';
import { Offers, tasksFor, useStaff } from '../forms/Note';
import { Panel, Select } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './conversation.module.css';

const SHOWN = 200;
/** Drafts by ticket: leaving a ticket loses nothing. */
const drafts = new Map<string, string>();

export function Conversation({ ticket }: { ticket: Item }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const messages = useQuery({ queryKey: ['live', 'messages', ticket.id], queryFn: () => get<Page>('/api/records/messages', { filter: `ticket = ${quote(ticket.id)}`, sort: '-at', limit: SHOWN }) });
  const items = [...(messages.data?.items ?? [])].reverse();
  const model = useModel();
  const object = model?.objects.find((o) => o.name === 'ticket');
  const quick = ['status', 'priority', 'assignee'].map((name) => object?.fields.find((f) => f.name === name)).filter((f) => f !== undefined);
  return (
    <Panel title={intl.formatMessage({ id: 'desk.conversation' })}>
      {object && <dl className={css.quick}>{quick.map((f) => <div key={f.name}><dt>{f.label}</dt><dd><Inline object={object} field={f} item={ticket} /></dd></div>)}</dl>}
      <ol className={css.talk}>
        {items.map((m) => {
          const inside = m.fields.is_public === false;
          const staff = m.fields.author !== 'customer';
          return (
            <li key={m.id} className={css.message} data-from={staff ? 'staff' : 'customer'} data-inside={inside || undefined}>
              <span className={css.by}>
                <strong>{staff ? m.titles.user ?? label(`option.${String(m.fields.author)}`) : ticket.titles.customer ?? label('option.customer')}</strong>
                {inside && <span className={css.lock}><Lock size={12} aria-hidden />{intl.formatMessage({ id: 'desk.note' })}</span>}
                <span className={`${ui.quiet} num`}>{format.instant(String(m.fields.at))}</span>
              </span>
              <p dir="auto">{String(m.fields.body ?? '')}</p>
            </li>
          );
        })}
      </ol>
      {items.length === 0 && messages.data && <p className={ui.quiet}>{intl.formatMessage({ id: 'desk.silent' })}</p>}
      <Composer key={ticket.id} ticket={ticket} />
    </Panel>
  );
}

function Composer({ ticket }: { ticket: Item }) {
  const intl = useIntl();
  const label = useLabel();
  const write = useWrite();
  const reason = useReason();
  const { user, may } = useSession();
  const [text, setText] = useState(drafts.get(ticket.id) ?? '');
  const [inside, setInside] = useState(false);
  const [then, setThen] = useState('');
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const staff = useStaff();
  const canned = useQuery({ queryKey: ['live', 'canned'], queryFn: () => get<Page>('/api/records/canned_replies', { sort: 'name', limit: 200 }), enabled: 'canned_reply' in may });
  const changeable = useMay('ticket').change;
  if (!may.message?.create) return null;
  const type = (next: string) => { setText(next); drafts.set(ticket.id, next); };
  const say = (e: FormEvent) => {
    e.preventDefault();
    const message = { ticket: ticket.id, at: new Date().toISOString(), author: 'staff', is_public: !inside, body: text.trim(), ...(user && { user }) };
    // Who answers a ticket that nobody has takes it.
    const more = { ...(then && then !== ticket.fields.status && { status: then }), ...(user && !ticket.fields.assignee && !inside && { assignee: user }) };
    const named = inside && may.task?.create ? tasksFor(text, staff, user, { customer: ticket.fields.customer }) : [];
    write([{ op: 'create', object: 'messages', fields: message }, ...named, ...(Object.keys(more).length > 0 && changeable ? [{ op: 'update' as const, object: 'tickets', id: ticket.id, fields: more }] : [])])
      .then(() => { type(''); setProblem(''); setThen(''); }, (error: unknown) => setProblem(reason(error)));
  };
  const insert = (id: string) => { const body = canned.data?.items.find((c) => c.id === id)?.fields.body; if (body) type(text ? `${text}\n${String(body)}` : String(body)); };
  const statuses = ['', 'open', 'pending', 'on_hold', 'solved'];
  return (
    <form className={css.composer} data-inside={inside || undefined} onSubmit={say}>
      <span className={css.line}>
        <span className={css.tabs} role="group" aria-label={t('desk.to')}>
          {[false, true].map((x) => <button key={String(x)} type="button" className={css.tab} aria-pressed={inside === x} onClick={() => setInside(x)}>{x && <Lock size={13} aria-hidden />}{t(x ? 'desk.note' : 'desk.reply')}</button>)}
        </span>
        {(canned.data?.items.length ?? 0) > 0 && <Select hideLabel label={label('object.canned_reply')} value="" onChange={insert} options={[{ value: '', label: label('object.canned_reply') }, ...(canned.data?.items ?? []).map((c) => ({ value: c.id, label: String(c.fields.name) }))]} />}
      </span>
      <textarea className={`${ui.field} ${css.text}`} dir="auto" rows={4} required aria-label={t(inside ? 'desk.note' : 'desk.reply')} placeholder={t(inside ? 'desk.note.hint' : 'desk.reply.hint')} value={text} onChange={(e) => type(e.target.value)}
        onKeyDown={(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) e.currentTarget.form?.requestSubmit(); }} />
      {inside && <Offers text={text} staff={staff} onChoose={type} />}
      {problem && <p role="alert" className={css.problem}>{problem}</p>}
      <span className={css.line}>
        {changeable ? <Select label={t('desk.then')} value={then} onChange={setThen} options={statuses.map((s) => ({ value: s, label: s ? label(`option.${s}`) : t('desk.asis') }))} /> : <span />}
        <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={!text.trim()} title="Ctrl + Enter"><Send size={14} aria-hidden />{t('desk.send')}</button>
      </span>
    </form>
  );
}
