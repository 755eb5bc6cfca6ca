// What was said on a ticket, and the answer to it: to the customer, or for colleagues alone. Northing sends nothing: a reply
// is logged once it was given elsewhere, and a draft counts for nothing until then.
import { useQuery } from '@tanstack/react-query';
import { ClipboardCheck, Lock, PencilLine, StickyNote } from 'lucide-react';
import { useId, useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { get, type Item, type Page } from '../lib/api';
import { useLabel, useMay, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Inline } from '../forms/Inline';
import { Moment } from '../forms/Moment';
import { Offers, tasksFor, useStaff } from '../forms/Note';
import { Panel, Select } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './conversation.module.css';

const SHOWN = 200;
/** What is being written, by ticket: leaving a ticket loses nothing. `of` is the kept draft that it goes on from. */
const drafts = new Map<string, { text: string; of?: Item }>();
/** Ways in which replies are given, as interactions have them. */
const WAYS = ['email', 'call', 'chat', 'sms', 'visit'];
/** Clocks of browsers and servers differ by so much. */
const SLACK = 60_000;

export function Conversation({ ticket }: { ticket: Item }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const messages = useQuery({ queryKey: ['live', 'messages', ticket.id], queryFn: () => get<Page>('/api/records/messages', { filter: `ticket = ${quote(ticket.id)}`, sort: '-at', limit: SHOWN }) });
  const items = [...(messages.data?.items ?? [])].reverse();
  const model = useModel();
  const object = model?.objects.find((o) => o.name === 'ticket');
  // A draft that somebody goes on with.
  const [taken, setTaken] = useState<Item>();
  const quick = ['status', 'priority', 'assignee'].map((name) => object?.fields.find((f) => f.name === name)).filter((f) => f !== undefined);
  return (
    <Panel title={intl.formatMessage({ id: 'desk.conversation' })}>
      {object && <dl className={css.quick}>{quick.map((f) => <div key={f.name}><dt>{f.label}</dt><dd><Inline object={object} field={f} item={ticket} /></dd></div>)}</dl>}
      <ol className={css.talk}>
        {items.map((m) => {
          const inside = m.fields.is_public === false;
          const staff = m.fields.author !== 'customer';
          const draft = m.fields.is_draft === true;
          return (
            <li key={m.id} className={css.message} data-from={staff ? 'staff' : 'customer'} data-inside={inside || undefined} data-draft={draft || undefined}>
              <span className={css.by}>
                <strong>{staff ? m.titles.user ?? label(`option.${String(m.fields.author)}`) : ticket.titles.customer ?? label('option.customer')}</strong>
                {inside && <span className={css.lock}><Lock size={12} aria-hidden />{intl.formatMessage({ id: 'desk.note' })}</span>}
                {draft && <span className={css.lock}><PencilLine size={12} aria-hidden />{intl.formatMessage({ id: 'desk.draft.is' })}</span>}
                {!draft && typeof m.fields.channel === 'string' && <span className={ui.quiet}>{m.fields.channel}</span>}
                <span className={`${ui.quiet} num`}>{format.instant(String(m.fields.at))}</span>
              </span>
              <p dir="auto">{String(m.fields.body ?? '')}</p>
              {draft && <button type="button" className={`${ui.button} ${css.use}`} onClick={() => setTaken(m)}>{intl.formatMessage({ id: 'desk.draft.use' })}</button>}
            </li>
          );
        })}
      </ol>
      {items.length === 0 && messages.data && <p className={ui.quiet}>{intl.formatMessage({ id: 'desk.silent' })}</p>}
      <Composer key={`${ticket.id} ${taken?.id ?? ''}`} ticket={ticket} taken={taken} onDone={() => setTaken(undefined)} />
    </Panel>
  );
}

function Composer({ ticket, taken, onDone }: { ticket: Item; taken?: Item; onDone(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const write = useWrite();
  const reason = useReason();
  const { user, may } = useSession();
  const begun = drafts.get(ticket.id);
  const kept = taken ?? begun?.of;
  // What was typed before a draft is gone on with stays with it.
  const [text, setText] = useState(taken && begun?.of?.id !== taken.id ? [begun?.text, taken.fields.body].filter(Boolean).join('\n\n') : begun?.text ?? '');
  const [inside, setInside] = useState(false);
  const [how, setHow] = useState('');
  const [when, setWhen] = useState<string | null>(null);
  const id = useId();
  const [then, setThen] = useState('');
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const staff = useStaff();
  const canned = useQuery({ queryKey: ['live', 'canned'], queryFn: () => get<Page>('/api/records/canned_replies', { sort: 'name', limit: 200 }), enabled: 'canned_reply' in may });
  const changeable = useMay('ticket').change;
  if (!may.message?.create) return null;
  const type = (next: string) => { setText(next); if (next) drafts.set(ticket.id, { text: next, of: kept }); else drafts.delete(ticket.id); };
  const done = () => { type(''); drafts.delete(ticket.id); setProblem(''); setThen(''); setHow(''); setWhen(null); onDone(); };
  const draft = () => {
    const fields = { ticket: ticket.id, at: new Date().toISOString(), author: 'staff', is_public: true, is_draft: true, body: text.trim(), ...(user && { user }) };
    write([kept ? { op: 'update', object: 'messages', id: kept.id, fields, version: kept.version } : { op: 'create', object: 'messages', fields }]).then(done, (error: unknown) => setProblem(reason(error)));
  };
  const say = (e: FormEvent) => {
    e.preventDefault();
    const at = inside || !when ? new Date().toISOString() : when;
    if (Date.parse(at) > Date.now() + SLACK) { setProblem(t('desk.future')); return; }
    const given = !inside && { channel: how.trim(), is_draft: false };
    const message = { ticket: ticket.id, at, author: 'staff', is_public: !inside, body: text.trim(), ...given, ...(user && { user }) };
    const record = !inside && kept ? { op: 'update' as const, object: 'messages', id: kept.id, fields: message, version: kept.version } : { op: 'create' as const, object: 'messages', fields: message };
    // Who answers a ticket that nobody has takes it.
    const more = { ...(then && then !== ticket.fields.status && { status: then }), ...(user && !ticket.fields.assignee && !inside && { assignee: user }) };
    const named = inside && may.task?.create ? tasksFor(text, staff, user, { customer: ticket.fields.customer }) : [];
    write([record, ...named, ...(Object.keys(more).length > 0 && changeable ? [{ op: 'update' as const, object: 'tickets', id: ticket.id, fields: more }] : [])])
      .then(done, (error: unknown) => setProblem(reason(error)));
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
      {!inside && <p id={`${id}-unsent`} className={css.unsent}>{t('desk.unsent')}</p>}
      <textarea aria-describedby={inside ? undefined : `${id}-unsent`} className={`${ui.field} ${css.text}`} dir="auto" rows={4} required aria-label={t(inside ? 'desk.note' : 'desk.reply')} placeholder={t(inside ? 'desk.note.hint' : 'desk.reply.hint')} value={text} onChange={(e) => type(e.target.value)}
        onKeyDown={(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) e.currentTarget.form?.requestSubmit(); }} />
      {inside && <Offers text={text} staff={staff} onChoose={type} />}
      {!inside && (
        <span className={css.given}>
          <label><span>{t('desk.how')}</span><input className={ui.field} dir="auto" list={`${id}-ways`} required maxLength={100} value={how} onChange={(e) => setHow(e.target.value)} /></label>
          <datalist id={`${id}-ways`}>{[...new Set([ticket.fields.channel, ...WAYS.map((w) => label(`option.${w}`))].filter((w): w is string => typeof w === 'string'))].map((w) => <option key={w} value={w} />)}</datalist>
          <span><span id={`${id}-when`}>{t('desk.when')}</span><Moment labelled={`${id}-when`} day={false} value={when ?? ''} onChange={setWhen} /></span>
        </span>
      )}
      {problem && <p role="alert" className={css.problem}>{problem}</p>}
      <span className={css.line}>
        {changeable ? <Select label={t('desk.then')} value={then} onChange={setThen} options={statuses.map((s) => ({ value: s, label: s ? label(`option.${s}`) : t('desk.asis') }))} /> : <span />}
        <span className={css.acts}>
          {!inside && <button type="button" className={ui.button} disabled={!text.trim()} onClick={draft}><PencilLine size={14} aria-hidden />{t('desk.draft')}</button>}
          <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={!text.trim()} title="Ctrl + Enter">{inside ? <StickyNote size={14} aria-hidden /> : <ClipboardCheck size={14} aria-hidden />}{t(inside ? 'desk.send' : 'desk.log')}</button>
        </span>
      </span>
    </form>
  );
}
