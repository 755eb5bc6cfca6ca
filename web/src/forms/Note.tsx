// A text for colleagues in which they can be named: whoever is, finds it among their tasks.
import { StickyNote } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import type { Item } from '../lib/api';
import { useSession, useUsers } from '../lib/data';
import { completed, mentioned, offered, type Colleague } from '../lib/mentions';
import { useReason } from '../lib/reason';
import { useWrite, type Change } from '../lib/write';
import ui from '../ui/ui.module.css';
import css from './note.module.css';

export function useStaff(): Colleague[] {
  return useUsers().filter((u) => u.fields.active !== false).map((u) => ({ id: u.id, name: String(u.fields.name) }));
}

/** A task for everybody whom a text names; `about` says where it was written. */
export function tasksFor(text: string, staff: Colleague[], self: string | null, about: { customer?: unknown; deal?: unknown }): Change[] {
  const line = text.trim().split('\n')[0] ?? '';
  const fields = { name: line.length > 120 ? `${line.slice(0, 119)}…` : line, note: `${text.trim()}\n\n${location.pathname}${location.search}`, due_at: new Date().toISOString(), ...(about.customer ? { customer: about.customer } : {}), ...(about.deal ? { deal: about.deal } : {}) };
  return mentioned(text, staff).filter((c) => c.id !== self).map((c) => ({ op: 'create' as const, object: 'tasks', fields: { ...fields, owner: c.id } }));
}

export function Offers({ text, staff, onChoose }: { text: string; staff: Colleague[]; onChoose(text: string): void }) {
  const intl = useIntl();
  const names = offered(text, staff);
  if (names.length === 0) return null;
  return <span className={css.offers} role="group" aria-label={intl.formatMessage({ id: 'note.who' })}>{names.map((c) => <button key={c.id} type="button" className={ui.button} onClick={() => onChoose(completed(text, c.name))}>@{c.name}</button>)}</span>;
}

export function Note({ object, item }: { object: string; item: Item }) {
  const intl = useIntl();
  const write = useWrite();
  const reason = useReason();
  const staff = useStaff();
  const { user, may } = useSession();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  if (!may.interaction?.create) return null;
  const save = (e: FormEvent) => {
    e.preventDefault();
    const line = text.trim().split('\n')[0] ?? '';
    const about = { customer: object === 'customer' ? item.id : item.fields.customer, deal: object === 'deal' ? item.id : undefined };
    const note = { at: new Date().toISOString(), kind: 'note', subject: line.slice(0, 120), body: text.trim(), [object]: item.id, ...(user && { user }) };
    write([{ op: 'create', object: 'interactions', fields: note }, ...(may.task?.create ? tasksFor(text, staff, user, about) : [])])
      .then(() => { setText(''); setProblem(''); }, (error: unknown) => setProblem(reason(error)));
  };
  return (
    <form className={css.note} onSubmit={save}>
      <textarea className={`${ui.field} ${css.text}`} dir="auto" rows={2} required aria-label={t('note.title')} placeholder={t('note.hint')} value={text} onChange={(e) => setText(e.target.value)} onKeyDown={(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) e.currentTarget.form?.requestSubmit(); }} />
      <Offers text={text} staff={staff} onChoose={setText} />
      {problem && <p role="alert" className={css.problem}>{problem}</p>}
      {text.trim() && <button type="submit" className={`${ui.button} ${ui.primary}`} title="Ctrl + Enter"><StickyNote size={14} aria-hidden />{t('note.save')}</button>}
    </form>
  );
}
