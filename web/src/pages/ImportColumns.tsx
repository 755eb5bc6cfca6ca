// What each column of a list fills, what is open about it, and what importing it would come to: tried without writing.
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useIntl } from 'react-intl';
import { get, send, type ModelInfo } from '../lib/api';
import { useLabel, useModel } from '../lib/data';
import { useFormat } from '../lib/format';
import { typeOf } from '../lib/newfield';
import { Failure, Panel, Select, Table } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './import.module.css';

export interface Mapping {
  object: string; fields: Record<string, string>; key: string | null; find: string | null; dates: string | null; decimal: string | null; currency: string | null; known: string | null;
  values: Record<string, Record<string, string>>; constants: Record<string, string>; missing: Record<string, 'reject' | 'leave' | 'make'>;
}
export interface Upload { id: string; name: string; rows: number; headings: string[]; sample: string[][]; mapping: Mapping | null; objects: string[]; told: Record<string, string[]>; makeable: Record<string, string[]>; plan: string | null; sheets?: string[]; sheet?: string }
export interface Reject { row: number; column: string; reason: string; values: string[] }
export interface Report {
  rows: number; done: number; created: number; changed: number; unchanged: number; rejected: number; rejects: Reject[]; headings: string[];
  left_out: number; left: Reject[]; undated: Record<string, number>; currencies: Record<string, number>;
}
interface Question { about: 'object' | 'required' | 'dates' | 'currency' | 'words' | 'closed' | 'column'; column: string; field: string; options: string[]; words: string[] }
interface Tried extends Report { questions: Question[]; problem: string | null }

const DATES: [format: string, example: string][] = [['', '2026-11-22'], ['%d.%m.%Y', '22.11.2026'], ['%d/%m/%Y', '22/11/2026'], ['%m/%d/%Y', '11/22/2026'], ['%d-%m-%Y', '22-11-2026'], ['%Y/%m/%d', '2026/11/22']];
/** Fields that may take several columns: texts are joined, numbers added, of days the first that is given counts. */
const JOINED = ['text', 'long_text', 'label', 'phone', 'int', 'decimal', 'money', 'percent', 'date', 'datetime'];

export const numbers = ({ created, changed, unchanged, rejected }: Report) => ({ created, changed, unchanged, rejected });

export function Columns({ upload, mapping, onChange, onInto, onRun }: { upload: Upload; mapping?: Mapping; onChange(next: Mapping): void; onInto(object: string): void; onRun(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const model = useModel();
  const client = useQueryClient();
  const [problem, setProblem] = useState<unknown>();
  const object = model?.objects.find((o) => o.name === mapping?.object);
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const told = upload.told[mapping?.object ?? ''] ?? [];
  const own = (object?.fields ?? []).filter((f) => (!f.derived || told.includes(f.name)) && !['external_id', 'updated_at', 'merged_into', 'id'].includes(f.name) && !['json', 'refs', 'shares'].includes(f.type));
  const currencies = own.filter((f) => f.type === 'money' && !own.some((o) => o.name === 'currency')).map((f) => ({ value: `${f.name}.currency`, label: t('import.currency.of', { field: f.label }) }));
  const tried = useDeferredValue(mapping);
  const check = useQuery({ queryKey: ['import-check', upload.id, tried], queryFn: () => send<Tried>(`/api/imports/${upload.id}/check`, 'POST', { mapping: tried }), enabled: !!tried && Object.keys(tried.fields).length > 0, placeholderData: keepPreviousData, retry: false, staleTime: Infinity });
  const set = (heading: string, to: string) => {
    if (!mapping) return;
    const next = Object.fromEntries(Object.entries(mapping.fields).filter(([h]) => h !== heading));
    onChange({ ...mapping, key: to === '#' ? heading : mapping.key === heading ? null : mapping.key, fields: to && to !== '#' ? { ...next, [heading]: to } : next });
  };
  // A field for a column that none stands for, declared as any other of one's own.
  const make = async (heading: string, column: number) => {
    if (!mapping || !object) return;
    const known = object.fields.map((f) => f.name);
    await send('/api/own', 'POST', { op: 'add_field', object: object.name, label: heading.trim().slice(0, 60), type: typeOf(upload.sample.map((row) => row[column] ?? '')) });
    const fresh = await get<ModelInfo>('/api/model', {});
    const made = fresh.objects.find((o) => o.name === object.name)?.fields.find((f) => !known.includes(f.name) && f.label === heading.trim().slice(0, 60));
    await client.invalidateQueries({ queryKey: ['live'] });
    if (made) set(heading, made.name);
  };
  const choose = (heading: string, column: number, to: string) => { setProblem(undefined); if (to === '+') make(heading, column).catch(setProblem); else set(heading, to); };
  const texts = Object.values(mapping?.fields ?? {}).filter((name, i, all) => all.indexOf(name) === i && own.some((f) => f.name === name && ['text', 'email', 'phone'].includes(f.type)));
  const makeable = mapping ? (upload.makeable[mapping.object] ?? []).filter((name) => Object.values(mapping.fields).includes(name)) : [];
  const refs = mapping ? own.filter((f) => f.type === 'ref' && Object.values(mapping.fields).includes(f.name)) : [];
  const whole = (check.data?.created ?? 0) + (check.data?.changed ?? 0);
  const ready = check.data && !check.isPlaceholderData;
  return (
    <Panel title={intl.formatMessage({ id: 'records.count' }, { count: upload.rows })} aside={
      <Select label={t('import.into')} value={mapping?.object ?? ''} onChange={onInto} options={[...(mapping ? [] : [{ value: '', label: '–' }]), ...upload.objects.map((o) => ({ value: o, label: label(`object.${o}`) })).sort((a, b) => a.label.localeCompare(b.label))]} />
    }>
      {upload.plan && !mapping && <p role="status">{t('import.connector')}</p>}
      {!upload.plan && !mapping && <p role="status">{t('import.unknown')}</p>}
      {mapping && object && (
        <>
          {mapping.known && <p className={ui.quiet}>{t('import.known', { list: mapping.known })}</p>}
          <div className={css.how}>
            <Select label={t('import.find')} value={mapping.find ?? ''} onChange={(find) => onChange({ ...mapping, find: find || null })} options={[{ value: '', label: t('import.find.none') }, ...texts.map((f) => ({ value: f, label: own.find((x) => x.name === f)?.label ?? f }))]} />
            <Select label={t('import.dates')} value={mapping.dates ?? ''} onChange={(dates) => onChange({ ...mapping, dates: dates || null })} options={DATES.map(([value, name]) => ({ value, label: name }))} />
            <Select label={t('import.decimal')} value={mapping.decimal ?? '.'} onChange={(decimal) => onChange({ ...mapping, decimal })} options={['.', ','].map((value) => ({ value, label: `1234${value}50` }))} />
            {refs.map((f) => (
              <Select key={f.name} label={t('import.missing', { field: f.label })} value={mapping.missing[f.name] ?? (f.name === 'stage' ? 'make' : 'leave')} onChange={(to) => onChange({ ...mapping, missing: { ...mapping.missing, [f.name]: to as 'make' } })} options={['leave', ...(makeable.includes(f.name) ? ['make'] : []), 'reject'].map((value) => ({ value, label: t(`import.missing.${value}`) }))} />
            ))}
          </div>
          {!!problem && <Failure error={problem} />}
          {ready && check.data && check.data.questions.length > 0 && <Questions questions={check.data.questions} mapping={mapping} headings={upload.headings} labelOf={(name) => own.find((f) => f.name === name)?.label ?? name} onChange={onChange} onInto={onInto} onFill={set} />}
          <Table label={t('import.column')}>
            <thead><tr><th>{t('import.column')}</th><th>{t('import.field')}</th><th>{t('import.values')}</th></tr></thead>
            <tbody>
              {upload.headings.map((heading, i) => (
                <tr key={heading} data-open={check.data?.questions.some((q) => q.column === heading) || undefined}>
                  <td dir="auto">{heading || '–'}</td>
                  <td><Select hideLabel label={`${t('import.field')}: ${heading}`} value={mapping.key === heading ? '#' : mapping.fields[heading] ?? ''} onChange={(to) => choose(heading, i, to)} options={[{ value: '', label: t('import.skip') }, { value: '#', label: t('import.key') }, ...own.filter((f) => JOINED.includes(f.type) || mapping.fields[heading] === f.name || !Object.values(mapping.fields).includes(f.name)).map((f) => ({ value: f.name, label: `${f.label}${f.required ? ' *' : ''}` })), ...currencies, { value: '+', label: t('import.new') }]} /></td>
                  <td className={ui.quiet} dir="auto">{upload.sample.map((row) => row[i] ?? '').filter(Boolean).slice(0, 3).join(' · ')}</td>
                </tr>
              ))}
            </tbody>
          </Table>
          {check.error ? <Failure error={check.error} /> : (
            <div className={css.would}>
              <span role="status">{!ready ? t('import.looking') : check.data.problem ? t('import.ask') : t('import.would', numbers(check.data))}</span>
              <button type="button" className={`${ui.button} ${ui.primary}`} disabled={!ready || whole === 0} onClick={onRun}>{t('import.go', { count: whole })}</button>
            </div>
          )}
          {check.data && !check.data.problem && <Told report={check.data} />}
          {check.data && check.data.rejects.length > 0 && <Faults title={t('import.mend')} rejects={check.data.rejects.slice(0, 8)} />}
        </>
      )}
    </Panel>
  );
}

/** What is open about a list, each with its answer beside it. */
function Questions({ questions, mapping, headings, labelOf, onChange, onInto, onFill }: { questions: Question[]; mapping: Mapping; headings: string[]; labelOf(field: string): string; onChange(next: Mapping): void; onInto(object: string): void; onFill(heading: string, field: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const free = headings.filter((h) => h !== mapping.key).map((h) => ({ value: h, label: h }));
  const answer = (q: Question) => {
    const named = { column: q.column, field: labelOf(q.field) };
    const choose = (name: string, options: { value: string; label: string }[], onPick: (value: string) => void, chosen = '') => <Select label={name} value={chosen} onChange={onPick} options={[{ value: '', label: '–' }, ...options]} />;
    switch (q.about) {
      case 'object': return choose(t('import.ask.object'), q.options.map((o) => ({ value: o, label: label(`object.${o}`) })), onInto);
      case 'dates': return choose(t('import.ask.dates', named), [['%d/%m/%Y', '31/12/2026'], ['%m/%d/%Y', '12/31/2026']].map(([value = '', name = '']) => ({ value, label: name })), (dates) => onChange({ ...mapping, dates }));
      case 'currency': return choose(t('import.ask.currency', named), q.options.map((o) => ({ value: o, label: o })), (currency) => onChange({ ...mapping, currency }));
      case 'closed': return choose(t('import.ask.closed'), free, (heading) => onFill(heading, q.field));
      case 'required': return choose(t('import.ask.required', named), free, (heading) => onFill(heading, q.field));
      case 'column': return <span>{t('import.ask.column', { ...named, words: q.words.join(' · ') })} <button type="button" className={ui.button} onClick={() => onFill(q.column, '')}>{t('import.skip')}</button></span>;
      default: return (
        <span className={css.words}>
          {t('import.ask.words', named)}
          {q.words.map((word) => <Select key={word} label={word} value={mapping.values[q.field]?.[word] ?? '?'} onChange={(to) => onChange({ ...mapping, values: { ...mapping.values, [q.field]: { ...mapping.values[q.field], [word]: to } } })} options={[{ value: '?', label: '–' }, ...q.options.map((o) => ({ value: o, label: label(`option.${o}`) })), ...(q.field === 'outcome' ? [] : [{ value: '', label: t('import.skip') }])]} />)}
        </span>
      );
    }
  };
  return (
    <section className={css.questions} aria-label={t('import.ask')}>
      <strong>{t('import.ask')}</strong>
      <ul>{questions.map((q) => <li key={`${q.about} ${q.column} ${q.field}`}>{answer(q)}</li>)}</ul>
    </section>
  );
}

/** What is left out of records that go in, what is closed since nobody knows when, which currencies there are. */
export function Told({ report }: { report: Report }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const codes = Object.entries(report.currencies);
  return (
    <>
      {Object.entries(report.undated).map(([object, count]) => <p key={object} role="status" className={css.undated}>{t('import.undated', { count, objects: label(`object.${object}`) })}</p>)}
      {codes.length > 0 && <p className={ui.quiet}>{t('import.currencies', { list: codes.map(([code, n]) => `${code}: ${format.number(n)}`).join(' · ') })}</p>}
      {report.left_out > 0 && <Faults title={t('import.left', { count: report.left_out })} rejects={report.left} />}
    </>
  );
}

function Faults({ title, rejects }: { title: string; rejects: Reject[] }) {
  const intl = useIntl();
  const format = useFormat();
  const t = (id: string) => intl.formatMessage({ id });
  return (
    <>
      <p><strong>{title}</strong></p>
      <Table label={title}>
        <thead><tr><th>{t('import.row')}</th><th>{t('import.column')}</th><th>{t('import.why')}</th></tr></thead>
        <tbody>{rejects.map((r, i) => <tr key={`${r.row} ${r.column} ${i}`}><td className="num">{format.number(r.row)}</td><td dir="auto">{r.column}</td><td dir="auto">{r.reason}</td></tr>)}</tbody>
      </Table>
    </>
  );
}
