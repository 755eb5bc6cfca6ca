// What is done with the chosen rows of a list: a field set in all of them, or all deleted; either is taken back.
import { Pencil, Trash2, Undo2, X } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import { Ask } from '../forms/Ask';
import { leadTo, wrongWith } from '../forms/check';
import { Field } from '../forms/Field';
import { ApiError, send, type FieldInfo, type Item, type ObjectInfo } from '../lib/api';
import { useMay } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite, type Change } from '../lib/write';
import { Select } from '../ui/Parts';
import { Whole } from './Whole';
import ui from '../ui/ui.module.css';
import css from './selection.module.css';

interface Props {
  object: ObjectInfo;
  /** The chosen rows; with `whole` all that the list has found by its filter is meant instead. */
  items: Item[];
  total: number;
  filter?: string;
  whole: boolean;
  onWhole(on: boolean): void;
  onDone(): void;
}

export function Selection({ object, items, total, filter, whole, onWhole, onDone }: Props) {
  const intl = useIntl();
  const write = useWrite();
  const reason = useReason();
  const may = useMay(object.name);
  const [editing, setEditing] = useState(false);
  const [name, setName] = useState('');
  const [value, setValue] = useState<unknown>(null);
  const [problem, setProblem] = useState('');
  // What is wrong with the value itself stands at it.
  const [wrong, setWrong] = useState('');
  const [tries, setTries] = useState(0);
  const cell = useRef<HTMLDivElement>(null);
  // The change of a whole list that is under way.
  const [job, setJob] = useState<string>();
  const [undo, setUndo] = useState<{ changes: Change[]; count: number }>();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const settable = object.fields.filter((f) => !f.derived && !may.read_only.includes(f.name) && !['id', 'external_id', 'updated_at', 'created_at', 'merged_into', 'is_test'].includes(f.name) && !['refs', 'json', 'long_text'].includes(f.type) && f.name !== object.title);
  const field: FieldInfo | undefined = settable.find((f) => f.name === name) ?? settable[0];
  useLayoutEffect(() => { if (tries > 0 && cell.current) leadTo(cell.current, { [field?.name ?? '']: true }); }, [tries]); // eslint-disable-line react-hooks/exhaustive-deps -- once a refusal
  const atField = (why: string) => { setProblem(''); setWrong(why); setTries((n) => n + 1); };
  const refused = (error: unknown) => { if (editing && error instanceof ApiError && error.problem.field === field?.name) atField(reason(error)); else { setWrong(''); setProblem(reason(error)); } };
  const run = async (changes: Change[], back?: Change[]) => {
    try {
      await write(changes);
      setProblem('');
      setEditing(false);
      setUndo(back && { changes: back, count: changes.length });
      onDone();
    } catch (error) {
      refused(error);
    }
  };
  const count = whole ? total : items.length;
  const leave = () => { onWhole(false); onDone(); };
  const begin = (op: 'update' | 'delete', fields?: Record<string, unknown>) => send<{ id: string }>('/api/bulk', 'POST', { object: object.plural, filter, op, fields })
    .then(({ id }) => { setJob(id); setProblem(''); setEditing(false); leave(); }, refused);
  const each = (op: Change['op'], more: (item: Item) => Partial<Change>) => items.map((item) => ({ op, object: object.plural, id: item.id, ...more(item) }));
  const change = () => {
    const odd = field && wrongWith({ ...field, required: false }, value);
    if (odd) atField(t(`form.wrong.${odd}`, { field: field.label }));
    else if (field) void (whole ? begin('update', { [field.name]: value }) : run(each('update', (item) => ({ fields: { [field.name]: value }, version: item.version })), each('update', (item) => ({ fields: { [field.name]: item.fields[field.name] ?? null } }))));
  };
  const remove = () => { if (confirm(t('select.delete.sure', { count }))) void (whole ? begin('delete') : run(each('delete', (item) => ({ version: item.version })), each('restore', () => ({})))); };
  if (items.length === 0 && !undo && !problem && !job) return null;
  return (
    <div className={css.bar} role="region" aria-label={t('select.title')}>
      {problem && <span role="alert" className={css.problem}>{problem}</span>}
      {items.length > 0 ? (
        <>
          <strong>{t('select.count', { count })}</strong>
          {may.change && <button type="button" className={ui.button} onClick={() => setEditing(true)}><Pencil size={14} aria-hidden />{t('form.change')}</button>}
          {may.delete && <button type="button" className={ui.button} onClick={remove}><Trash2 size={14} aria-hidden />{t('form.delete')}</button>}
          {/* It stays where it is when pressed: what stands beside it deletes. */}
          {total > items.length && <button type="button" className={ui.button} aria-pressed={whole} onClick={() => onWhole(!whole)}>{t('select.whole', { count: total })}</button>}
          <button type="button" className={ui.button} aria-label={t('select.none')} onClick={leave}><X size={14} aria-hidden /></button>
        </>
      ) : job ? <Whole id={job} onClose={() => setJob(undefined)} /> : undo && (
        <>
          <span role="status">{t('select.done', { count: undo.count })}</span>
          <button type="button" className={ui.button} onClick={() => void run(undo.changes)}><Undo2 size={14} aria-hidden />{t('select.undo')}</button>
          <button type="button" className={ui.button} aria-label={t('form.cancel')} onClick={() => { setUndo(undefined); setProblem(''); }}><X size={14} aria-hidden /></button>
        </>
      )}
      <Ask title={t('select.change', { count })} problem={problem} noValidate open={editing} onClose={() => setEditing(false)} onGo={change}>
        <Select label={t('select.field')} value={field?.name ?? ''} onChange={(n) => { setName(n); setValue(null); setWrong(''); }} options={settable.map((f) => ({ value: f.name, label: f.label }))} />
        {field && <div ref={cell}><Field key={field.name} field={{ ...field, required: false }} value={value} error={wrong || undefined} onChange={(v) => { setValue(v); setWrong(''); }} /></div>}
        {wrong && <span key={tries} className="sr" role="alert">{wrong}</span>}
      </Ask>
    </div>
  );
}
