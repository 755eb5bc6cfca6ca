// A record in a dialog: a new one, or changes of one. What was typed stays until it is saved or given up.
import { useQueryClient } from '@tanstack/react-query';
import { Fragment, useLayoutEffect, useRef, useState } from 'react';
import { Button, Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { X } from 'lucide-react';
import { useIntl } from 'react-intl';
import { ApiError, get, send, type FieldInfo, type Item, type ObjectInfo } from '../lib/api';
import { useLabel, useMay } from '../lib/data';
import { leadTo, unfinished, wrongWith } from './check';
import { Field } from './Field';
import { Troubles } from './Troubles';
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
  // What is wrong with fields, by their names, and with the whole.
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [refused, setRefused] = useState<string>();
  // Counts refusals: each leads to the first field at fault once that is drawn.
  const [tries, setTries] = useState(0);
  const formRef = useRef<HTMLFormElement>(null);
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
  const refuse = (errors: Record<string, string>, whole?: string) => {
    // Folded fields are shown where one of them is at fault.
    if (fields.some((f) => f.name in errors && !shown.includes(f))) setAll(true);
    setWrong(errors);
    setRefused(whole);
    setTries((n) => n + 1);
  };
  useLayoutEffect(() => { if (tries > 0 && formRef.current) leadTo(formRef.current, wrong); }, [tries]); // eslint-disable-line react-hooks/exhaustive-deps -- once a refusal
  const save = async () => {
    const odd = fields.map((f) => [f.name, wrongWith(f, value(f))] as const).filter(([name, w]) => w && (!item || name in typed));
    const errors = { ...(formRef.current && unfinished(formRef.current)), ...Object.fromEntries(odd.map(([name, w]) => [name, intl.formatMessage({ id: `form.wrong.${w}` }, { field: fields.find((f) => f.name === name)?.label })])) };
    if (Object.keys(errors).length > 0) { refuse(errors); return; }
    setSaving(true);
    setWrong({});
    setRefused(undefined);
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
        refuse({}, intl.formatMessage({ id: 'form.conflict' }, { fields: theirs.join(', ') || '–' }));
      } else if (error instanceof ApiError) {
        const { field, detail, title } = error.problem;
        const text = detail || title || intl.formatMessage({ id: 'form.offline' });
        // A field that this form does not have cannot be led to: then it is said of the whole.
        if (field && fields.some((f) => f.name === field)) refuse({ [field]: text });
        else refuse({}, text);
      } else refuse({}, String(error));
    } finally {
      setSaving(false);
    }
  };
  const change = (name: string, v: unknown) => {
    setTyped((was) => ({ ...was, [name]: v }));
    if (name in wrong) setWrong(({ [name]: _, ...rest }) => rest);
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
          <form ref={formRef} noValidate onSubmit={(e) => { e.preventDefault(); void save(); }}>
            <header className={css.head}>
              <Heading slot="title">{intl.formatMessage({ id: item ? 'form.edit' : 'form.new' }, { object: label(`one.${object.name}`, object.label) })}</Heading>
              <Button className={ui.button} aria-label={intl.formatMessage({ id: 'form.cancel' })} onPress={leave}><X size={15} aria-hidden /></Button>
            </header>
            {/* Outside of what scrolls: it stays in sight while the field at fault is led to. */}
            <div className={css.notice}><Troubles tries={tries} whole={refused} fields={fields.filter((f) => f.name in wrong)} onGo={(name) => formRef.current && leadTo(formRef.current, { [name]: true })} /></div>
            <div className={css.body}>
              <div className={css.grid}>
                {shown.map((f, i) => (
                  <Fragment key={`${f.name} ${taken.names.includes(f.name) ? taken.round : ''}`}>
                    <Field field={f} value={value(f)} title={taken.titles[f.name] ?? item?.titles[f.name] ?? titles[f.name] ?? (f.name in start ? undefined : suggested[f.name]?.title)} error={wrong[f.name]} autoFocus={i === 0}
                      onChange={(v) => change(f.name, v)} />
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
