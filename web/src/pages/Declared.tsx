// What is one's own, as a list; and the question before something of it is changed: what becomes of what was entered.
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useIntl } from 'react-intl';
import { Ask } from '../forms/Ask';
import { send } from '../lib/api';
import { useLabel } from '../lib/data';
import { useReason } from '../lib/reason';
import { Panel, Select, Table } from '../ui/Parts';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { typed } from './Customize';
import css from './metric.module.css';

export interface Wish { op: 'add_object' | 'add_field' | 'change' | 'drop' | 'restore'; object?: string; field?: string; label?: string; one?: string; type?: string; to?: string; options?: string[]; customer?: boolean; owner?: boolean }
export interface Preview { object: string; known: boolean; records: number; values?: number; refused?: number; examples?: { id: string; title: string; value: string; why: string }[] }
interface OwnField { object: string; name: string; label: string | null; type: string; to: string | null; options: string[]; dropped: boolean; values: number; title: boolean; aside: string | null }
interface OwnObject { name: string; label: string | null; one: string | null; dropped: boolean; records: number; aside: string | null }
export interface OwnList { objects: OwnObject[]; fields: OwnField[]; metrics: { id: string; name: string | null; definition: string; aside: string | null }[] }
/** What the question is about: a wish to begin with, how it is called now, and the record of a metric's declaration. */
export interface Changed { wanted: Wish; name: string; one?: string; field?: OwnField; definition?: string }
type Choice = { value: string; label: string };

const TYPES = ['text', 'long_text', 'label', 'choice', 'int', 'decimal', 'money', 'percent', 'date', 'datetime', 'bool', 'email', 'phone', 'url', 'ref'];

/** What a field holds: its type, and what that needs. */
export function Holds({ objects, value, onChange }: { objects: Choice[]; value: { type: string; options: string; to: string }; onChange(value: { type: string; options: string; to: string }): void }) {
  const intl = useIntl();
  const t = (id: string) => intl.formatMessage({ id });
  const types = TYPES.includes(value.type) ? TYPES : [...TYPES, value.type];
  const word = (type: string) => (`own.type.${type}` in intl.messages ? t(`own.type.${type}`) : type.replaceAll('_', ' '));
  return (
    <>
      <Select label={t('own.type')} value={value.type} onChange={(type) => onChange({ ...value, type })} options={types.map((type) => ({ value: type, label: word(type) }))} />
      {value.type === 'choice' && <label className={css.entry}>{t('own.options')}<textarea className={`${ui.field} ${css.source}`} required rows={4} dir="auto" value={value.options} onChange={(e) => onChange({ ...value, options: e.target.value })} /></label>}
      {['ref', 'refs'].includes(value.type) && <Select label={t('own.to')} value={value.to} onChange={(to) => onChange({ ...value, to })} options={objects} />}
    </>
  );
}

export function Declared({ own, objects, onWish, onOpen }: { own: OwnList; objects: Choice[]; onWish(wanted: Wish): void; onOpen(changed: Changed): void }) {
  const intl = useIntl();
  const word = useLabel();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  if (own.objects.length + own.fields.length + own.metrics.length === 0) return null;
  const gone = new Set(own.objects.filter((o) => o.dropped).map((o) => o.name));
  const labelOf = (name: string) => objects.find((o) => o.value === name)?.label ?? own.objects.find((o) => o.name === name)?.label ?? name;
  const button = (word: string, name: string, go: () => void, disabled = false) => <button type="button" className={ui.button} aria-label={`${t(word)}: ${name}`} disabled={disabled} onClick={go}>{t(word)}</button>;
  const state = (dropped: boolean, aside: string | null, holds: string) => <td className={aside ? undefined : ui.quiet} dir={aside ? 'ltr' : undefined}>{aside ?? (dropped ? `${t('own.dropped')} · ${holds}` : holds)}</td>;
  return (
    <Panel title={t('own.all')}>
      <Table label={t('own.all')}>
        <tbody>
          {own.objects.map((o) => {
            const name = o.label ?? o.name;
            return (
              <tr key={o.name}>
                <td>{t('own.kind.object')}</td><td dir="auto">{name}</td><td />{state(o.dropped, o.aside, t('records.count', { count: o.records }))}
                <td className={table.right}><span className={css.row}>
                  {o.dropped ? button('own.back', name, () => onWish({ op: 'restore', object: o.name }))
                    : <>{button('own.change', name, () => onOpen({ wanted: { op: 'change', object: o.name }, name, one: o.one ?? '' }))}{button('own.drop', name, () => onOpen({ wanted: { op: 'drop', object: o.name }, name }))}</>}
                </span></td>
              </tr>
            );
          })}
          {own.fields.filter((f) => !gone.has(f.object)).map((f) => {
            const name = f.label ?? word(`field.${f.name}`, f.name.replace(/^x_/, ''));
            const type = `own.type.${f.type}` in intl.messages ? t(`own.type.${f.type}`) : f.type.replaceAll('_', ' ');
            return (
              <tr key={`${f.object} ${f.name}`}>
                <td>{t('own.kind.fields')}</td><td><bdi>{labelOf(f.object)}</bdi> · <bdi>{name}</bdi></td><td>{type}</td>{state(f.dropped, f.aside, t('own.values', { count: f.values }))}
                <td className={table.right}><span className={css.row}>
                  {f.dropped ? button('own.back', name, () => onWish({ op: 'restore', object: f.object, field: f.name }))
                    : <>{button('own.change', name, () => onOpen({ wanted: { op: 'change', object: f.object, field: f.name }, name, field: f }))}{button('own.drop', name, () => onOpen({ wanted: { op: 'drop', object: f.object, field: f.name }, name }), f.title)}</>}
                </span></td>
              </tr>
            );
          })}
          {own.metrics.map((m) => (
            <tr key={m.id}>
              <td>{t('own.kind.metric')}</td><td dir="auto">{m.name ?? m.id}</td><td />{state(false, m.aside, '')}
              <td className={table.right}><span className={css.row}>{button('own.drop', m.name ?? m.id, () => onOpen({ wanted: { op: 'drop' }, name: m.name ?? m.id, definition: m.definition }))}</span></td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Panel>
  );
}

/** Asks before something is changed, dropped or brought back, with what becomes of what was entered. */
export function ChangeOwn({ changed, objects, onGo, onClose }: { changed: Changed; objects: Choice[]; onGo(wanted: Wish): Promise<void>; onClose(): void }) {
  const intl = useIntl();
  const reason = useReason();
  const { wanted, name, field, definition } = changed;
  const [label, setLabel] = useState(name);
  const [one, setOne] = useState(changed.one ?? '');
  const [holds, setHolds] = useState({ type: field?.type ?? '', options: (field?.options ?? []).join('\n'), to: field?.to ?? 'customer' });
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const whole: Wish = wanted.op !== 'change' ? wanted : { ...wanted, label: label.trim(), ...(changed.one !== undefined && { one: one.trim() }), ...(field && typed(holds)) };
  const tried = useDeferredValue(JSON.stringify(whole));
  const told = useQuery({ queryKey: ['live', 'own', 'preview', tried], queryFn: () => send<Preview>('/api/own/preview', 'POST', JSON.parse(tried) as Wish), enabled: !definition && (wanted.op !== 'change' || !!label.trim()), retry: false });
  const go = () => {
    setBusy(true);
    onGo(whole).catch((e: unknown) => { setProblem(reason(e)); setBusy(false); });
  };
  const found = told.data;
  const entered = found?.values ?? found?.records ?? 0;
  const drop = wanted.op === 'drop';
  return (
    <Ask title={t(drop ? 'own.drop.title' : wanted.op === 'change' ? 'own.change.title' : 'own.back.title', { name })} problem={problem || (told.error ? reason(told.error) : '')} disabled={busy || !!told.error}
      go={drop ? t('own.drop') : wanted.op === 'change' ? undefined : t('own.back')} onClose={onClose} onGo={go}>
      {wanted.op === 'change' && (
        <>
          <label className={css.entry}>{t(changed.one === undefined ? 'own.name' : 'own.many')}<input className={ui.field} required maxLength={60} dir="auto" value={label} onChange={(e) => setLabel(e.target.value)} /></label>
          {changed.one !== undefined && <label className={css.entry}>{t('own.one')}<input className={ui.field} required maxLength={60} dir="auto" value={one} onChange={(e) => setOne(e.target.value)} /></label>}
          {field && <Holds objects={objects} value={holds} onChange={setHolds} />}
        </>
      )}
      {drop && !definition && found && <p>{t('own.drop.kept', { count: entered })}</p>}
      {!drop && found?.values !== undefined && found.values > 0 && (
        <div role="status" aria-live="polite">
          {wanted.op === 'add_field' && <p>{t('own.known')}</p>}
          <p>{found.refused ? t('own.unread', { refused: found.refused, values: found.values }) : t('own.read', { count: found.values })}</p>
          {!!found.refused && (
            <ul className={css.list}>
              {found.examples?.map((e) => <li key={e.id}><bdi>{e.title || e.id}</bdi>: <bdi>{e.value}</bdi></li>)}
            </ul>
          )}
        </div>
      )}
    </Ask>
  );
}
