// A record in a dialog: a new one, or changes of one. What was typed stays until it is saved or given up.
import { useQueryClient } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { Button, Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { X } from 'lucide-react';
import { useIntl } from 'react-intl';
import { ApiError, get, send, type FieldInfo, type Item, type ObjectInfo } from '../lib/api';
import { useLabel, useMay } from '../lib/data';
import { Field } from './Field';
import { useSuggested } from './suggested';
import { Times } from './Times';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

/** Kept by Northing itself, or of no use in a form. */
const HIDDEN = ['id', 'external_id', 'updated_at', 'merged_into', 'is_test'];
/** Fields shown at first; the others on demand. */
const FIRST = 9;

interface Props {
  object: ObjectInfo;
  /** The record to change; without it a new one is made. */
  item?: Item;
  /** Values to begin with, and what the records among them are called. */
  start?: Record<string, unknown>;
  titles?: Record<string, string>;
  onDone(id?: string): void;
}

export function RecordForm({ object, item, start = {}, titles = {}, onDone }: Props) {
  const intl = useIntl();
  const label = useLabel();
  const client = useQueryClient();
  const [typed, setTyped] = useState<Record<string, unknown>>({});
  const [version, setVersion] = useState(item?.version);
  const [wrong, setWrong] = useState<{ field?: string; text: string }>();
  const [saving, setSaving] = useState(false);
  const [all, setAll] = useState(false);
  // What a press filled in, and how often that was: those fields show it anew.
  const [taken, setTaken] = useState({ round: 0, titles: {} as Record<string, string>, names: [] as string[] });
  const suggested = useSuggested(object, !item);
  const { read_only: fixed } = useMay(object.name);
  const fields = order(object).filter((f) => !fixed.includes(f.name));
  const required = fields.filter((f) => f.required);
  const shown = all ? fields : [...new Set([...required, ...fields])].slice(0, Math.max(FIRST, required.length));
  const begin = (f: FieldInfo): unknown => item ? item.fields[f.name] : (start[f.name] ?? f.default ?? suggested[f.name]?.id ?? null);
  const value = (f: FieldInfo) => (f.name in typed ? typed[f.name] : begin(f));
  const changed = Object.keys(typed).length > 0;
  const save = async () => {
    setSaving(true);
    setWrong(undefined);
    try {
      const body = item ? typed : Object.fromEntries(fields.map((f) => [f.name, value(f)]).filter(([, v]) => v !== null && v !== undefined && v !== ''));
      const done = item
        ? await send<{ id: string }>(`/api/records/${object.plural}/${item.id}`, 'PATCH', body, { 'if-match': `"${version}"` })
        : await send<{ id: string }>(`/api/records/${object.plural}`, 'POST', body);
      await client.invalidateQueries({ queryKey: ['live'] });
      onDone(done.id);
    } catch (error) {
      if (error instanceof ApiError && error.problem.status === 412 && item) {
        // Somebody was faster: show theirs behind what was typed, and let the writer decide.
        const fresh = await get<Item>(`/api/records/${object.plural}/${item.id}`).catch(() => undefined);
        if (fresh) setVersion(fresh.version);
        const theirs = fresh ? fields.filter((f) => f.name in typed && JSON.stringify(fresh.fields[f.name]) !== JSON.stringify(item.fields[f.name])).map((f) => f.label) : [];
        setWrong({ text: intl.formatMessage({ id: 'form.conflict' }, { fields: theirs.join(', ') || '–' }) });
      } else if (error instanceof ApiError) {
        setWrong({ field: error.problem.field, text: error.problem.detail || error.problem.title || intl.formatMessage({ id: 'form.offline' }) });
        if (error.problem.field) setAll((was) => was || !shown.some((f) => f.name === error.problem.field));
      } else setWrong({ text: String(error) });
    } finally {
      setSaving(false);
    }
  };
  const take = (given: Record<string, unknown>, called: Record<string, string>) => {
    setTyped((was) => ({ ...was, ...given }));
    setTaken({ round: taken.round + 1, titles: called, names: Object.keys(given) });
  };
  const leave = () => { if (!changed || confirm(intl.formatMessage({ id: 'form.leave' }))) onDone(); };
  return (
    <ModalOverlay isOpen isDismissable={!changed} onOpenChange={(open) => { if (!open) leave(); }} className={css.overlay ?? ''}>
      <Modal className={css.modal ?? ''}>
        <Dialog className={css.dialog ?? ''} aria-label={object.label}>
          <form onSubmit={(e) => { e.preventDefault(); void save(); }}>
            <header className={css.head}>
              <Heading slot="title">{intl.formatMessage({ id: item ? 'form.edit' : 'form.new' }, { object: label(`one.${object.name}`, object.label) })}</Heading>
              <Button className={ui.button} aria-label={intl.formatMessage({ id: 'form.cancel' })} onPress={leave}><X size={15} aria-hidden /></Button>
            </header>
            <div className={css.body}>
              {wrong && !wrong.field && <p className={css.problem} role="alert">{wrong.text}</p>}
              <div className={css.grid}>
                {shown.map((f, i) => (
                  <Fragment key={`${f.name} ${taken.names.includes(f.name) ? taken.round : ''}`}>
                    <Field field={f} value={value(f)} title={taken.titles[f.name] ?? item?.titles[f.name] ?? titles[f.name] ?? (f.name in start ? undefined : suggested[f.name]?.title)} error={wrong?.field === f.name ? wrong.text : undefined} autoFocus={i === 0}
                      onChange={(v) => setTyped((was) => ({ ...was, [f.name]: v }))} />
                    {f.name === object.exclusive?.of && <Times object={object} value={(name) => { const g = object.fields.find((o) => o.name === name); return g && value(g); }} onTake={take} />}
                  </Fragment>
                ))}
              </div>
              {!all && shown.length < fields.length && <button type="button" className={ui.button} onClick={() => setAll(true)}>{intl.formatMessage({ id: 'form.more' }, { count: fields.length - shown.length })}</button>}
            </div>
            <footer className={css.foot}>
              <Button className={ui.button} onPress={leave}>{intl.formatMessage({ id: 'form.cancel' })}</Button>
              <button type="submit" className={`${ui.button} ${ui.primary}`} disabled={saving || (!!item && !changed)}>{intl.formatMessage({ id: saving ? 'form.saving' : 'form.save' })}</button>
            </footer>
          </form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

/** The declared list's fields first, then the others as declared. */
function order(object: ObjectInfo): FieldInfo[] {
  const own = object.fields.filter((f) => !f.derived && !HIDDEN.includes(f.name) && f.name !== 'created_at');
  const place = (f: FieldInfo) => { const i = object.list.indexOf(f.name); return i < 0 ? object.list.length : i; };
  return [...own].sort((a, b) => place(a) - place(b));
}
