// A value that is changed where it stands: shown at once, taken back if the server refuses it.
import { useQueryClient } from '@tanstack/react-query';
import { Check, Pencil, X } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import { send, type FieldInfo, type Item, type ObjectInfo } from '../lib/api';
import { isNumeric, useCell } from '../lib/cell';
import { useMay } from '../lib/data';
import { useReason } from '../lib/reason';
import { show } from '../lib/write';
import { leadTo, wrongWith } from './check';
import { Field } from './Field';
import css from './inline.module.css';

/** Kinds that need more room than a line has. */
const ROOM = ['json', 'refs', 'long_text', 'shares', 'tags'];
const KEPT = ['id', 'external_id', 'created_at', 'updated_at', 'merged_into'];

export function Inline({ object, field, item, children }: { object: ObjectInfo; field: FieldInfo; item: Item; children?: React.ReactNode }) {
  const intl = useIntl();
  const cell = useCell();
  const client = useQueryClient();
  const reason = useReason();
  const may = useMay(object.name);
  const [typed, setTyped] = useState<{ value: unknown }>();
  const [problem, setProblem] = useState('');
  const [tries, setTries] = useState(0);
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => { if (tries > 0 && form.current) leadTo(form.current, { [field.name]: true }); }, [tries, field.name]);
  const shown = children ?? cell(field, item);
  if (field.derived || !may.change || may.read_only.includes(field.name) || ROOM.includes(field.type) || KEPT.includes(field.name)) return <>{shown}</>;
  const close = () => { setTyped(undefined); setProblem(''); };
  const refuse = (why: string) => { setProblem(why); setTries((n) => n + 1); };
  const save = async (value: unknown) => {
    const odd = wrongWith(field, value);
    if (odd) { refuse(intl.formatMessage({ id: `form.wrong.${odd}` }, { field: field.label })); return; }
    show(client, item, { [field.name]: value });
    try {
      await send(`/api/records/${object.plural}/${item.id}`, 'PATCH', { [field.name]: value }, { 'if-match': `"${item.version}"` });
      close();
    } catch (error) {
      show(client, item, { [field.name]: item.fields[field.name] });
      refuse(reason(error));
    }
    await client.invalidateQueries({ queryKey: ['live'] });
  };
  if (!typed) {
    return (
      <span className={css.value} data-end={isNumeric(field) || undefined}>
        {shown ?? <span className={css.none}>–</span>}
        <button type="button" className={css.open} aria-label={intl.formatMessage({ id: 'inline.change' }, { field: field.label })} onClick={() => setTyped({ value: item.fields[field.name] ?? null })}><Pencil size={13} aria-hidden /></button>
      </span>
    );
  }
  return (
    <form ref={form} noValidate className={css.edit} onSubmit={(e) => { e.preventDefault(); void save(typed.value); }} onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); close(); } }}>
      <Field field={field} value={typed.value} title={item.titles[field.name]} error={problem} autoFocus onChange={(value) => setTyped({ value })} />
      {problem && <span key={tries} className="sr" role="alert">{problem}</span>}
      <button type="submit" className={css.act} aria-label={intl.formatMessage({ id: 'form.save' })}><Check size={15} aria-hidden /></button>
      <button type="button" className={css.act} aria-label={intl.formatMessage({ id: 'form.cancel' })} onClick={close}><X size={15} aria-hidden /></button>
    </form>
  );
}
