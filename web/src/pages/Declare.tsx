// A metric of one's own: a form that writes the declaration, the declaration itself, and what it says right now.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useId, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import { leadTo } from '../forms/check';
import { ApiError, send, type Answer } from '../lib/api';
import { useCatalogue, useLabel, useModel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Chart } from '../ui/Chart';
import { Failure, Panel, Select } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { usePeriod } from './Overview';
import css from './metric.module.css';

interface Draft { name: string; from: string; time: string; value: string; where: string; share: string; good: string }

const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', ' ')}"`;
/** A name of one's own (they begin with x_) out of words in any script, that no metric has yet. */
export function identifier(name: string, taken: string[]): string {
  const plain = name.toLowerCase().replaceAll('ł', 'l').normalize('NFKD').replace(/[\u0300-\u036f]/g, '').replace(/[^a-z0-9]+/g, '_').slice(0, 36).replace(/^_+|_+$/g, '') || 'own';
  for (let n = 1; ; n += 1) {
    const id = `x_${plain}${n > 1 ? `_${n}` : ''}`;
    if (!taken.includes(id)) return id;
  }
}

/** The declaration that a draft stands for. */
export function declaration(d: Draft, isMoney: boolean, taken: string[] = []): string {
  const measure = (where: string) => `{ from = ${quoted(d.from)}, ${d.value ? `agg = "sum", value = ${quoted(d.value)}, ` : ''}time = ${quoted(d.time)}${where ? `, where = ${quoted(where)}` : ''} }`;
  const both = d.where && d.share ? `(${d.where}) and (${d.share})` : d.share;
  const lines = [
    `[${identifier(d.name, taken)}]`, `name = ${quoted(d.name || 'My metric')}`, `kind = ${d.share ? '"ratio"' : '"flow"'}`,
    `unit = ${d.share ? '"ratio"' : d.value && isMoney ? '"money"' : '"count"'}`, `good = ${quoted(d.good)}`, 'group = "own"',
    `num = [${measure(d.share ? both : d.where)}]`,
  ];
  if (d.share) lines.push(`den = [${measure(d.where)}]`);
  return `${lines.join('\n')}\n`;
}

export function Declare() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const model = useModel();
  const catalogue = useCatalogue();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { range, calendar } = usePeriod();
  const [draft, setDraft] = useState<Draft>({ name: '', from: 'order', time: 'confirmed_at', value: '', where: '', share: '', good: 'up' });
  const [own, setOwn] = useState<string | null>(null);
  const object = model?.objects.find((o) => o.name === draft.from);
  const fields = object?.fields.filter((f) => f.filterable) ?? [];
  const text = own ?? declaration(draft, fields.find((f) => f.name === draft.value)?.type === 'money', (catalogue ?? []).map((m) => m.id));
  const tried = useDeferredValue(text);
  const answer = useQuery({
    queryKey: ['live', 'try', tried, range, calendar], retry: false,
    queryFn: () => send<Answer>('/api/metrics/try', 'POST', { toml: tried, ...range, calendar, grain: 'month' }),
  });
  const keep = useMutation({
    // What is kept is what stood here when it was asked for: once it is known, the next free name is another.
    mutationFn: (body: string) => send('/api/records/definitions', 'POST', { kind: 'metric', name: draft.name || 'metric', body }),
    onSuccess: async (_, body) => {
      await client.invalidateQueries();
      const id = /^\[(\w+)\]/m.exec(body)?.[1];
      if (id) void navigate({ to: '/metrics/$id', params: { id } });
    },
  });
  const set = (next: Partial<Draft>) => { setDraft({ ...draft, ...next }); setOwn(null); };
  const m = (id: string) => intl.formatMessage({ id });
  const choice = (value: string, words: string) => ({ value, label: words });
  const refused = answer.error instanceof ApiError ? answer.error.problem.detail : null;
  const why = useId();
  const form = useRef<HTMLDivElement>(null);
  // The condition that the refusal names a part of, else the declaration as a whole.
  const named = /'([^']+)'/.exec(refused ?? '')?.[1];
  const fault = refused === null ? undefined : (['where', 'share'] as const).find((key) => own === null && named && draft[key].includes(named)) ?? 'text';
  const at = (key: string) => (fault === key ? { 'aria-invalid': true, 'aria-describedby': why } : {});
  const save = () => { if (fault) { if (form.current) leadTo(form.current, { [fault]: true }); } else keep.mutate(text); };
  const input = (key: keyof Draft, hint?: string) => (
    <label className={css.entry} data-field={key}>{m(`declare.${key}`)}<input {...at(key)} className={ui.field} value={draft[key]} placeholder={hint} dir={hint ? 'ltr' : undefined} onChange={(e) => set({ [key]: e.target.value })} /></label>
  );
  const metric = answer.data?.metrics[0];
  return (
    <Page title={m('declare.title')}>
      <div className={css.two}>
        <Panel title={m('declare.form')}>
          <div ref={form}>
          <div className={css.form}>
            {input('name')}
            <Select label={m('declare.from')} value={draft.from} onChange={(from) => set({ from, time: model?.objects.find((o) => o.name === from)?.fields.find((f) => f.type === 'datetime')?.name ?? 'created_at', value: '' })}
              options={(model?.objects ?? []).map((o) => choice(o.name, o.label))} />
            <Select label={m('declare.time')} value={draft.time} onChange={(time) => set({ time })} options={fields.filter((f) => f.type === 'datetime').map((f) => choice(f.name, f.label))} />
            <Select label={m('declare.value')} value={draft.value} onChange={(value) => set({ value })}
              options={[choice('', m('declare.count')), ...fields.filter((f) => ['money', 'int', 'decimal', 'duration'].includes(f.type)).map((f) => choice(f.name, f.label))]} />
            {input('where', "source = 'Search'")}
            {input('share', "status = 'confirmed'")}
            <Select label={m('declare.good')} value={draft.good} onChange={(good) => set({ good })} options={['up', 'down', 'neutral'].map((g) => choice(g, m(`declare.good.${g}`)))} />
          </div>
          <details className={table.more} open={fault === 'text' ? true : undefined}><summary>{m('declare.text')}</summary>
          <div data-field="text"><textarea {...at('text')} className={`${ui.field} ${css.source}`} aria-label={m('declare.text')} spellCheck={false} rows={9} value={text} onChange={(e) => setOwn(e.target.value)} /></div>
          </details>
          </div>
        </Panel>
        <Panel title={m('declare.preview')}>
          {refused !== null ? <p id={why} role="alert" className={css.refused}>{refused}</p> : answer.error ? <Failure error={answer.error} /> : metric && (
            <>
              <div className={css.figure}><span className={`${css.value} num`}>{metric.total.value === null ? '–' : format.value(metric.unit, metric.total.value)}</span>
                <span className={ui.quiet}>{metric.total.value === null ? label(`reason.${metric.total.reason ?? 'no_data'}`) : intl.formatMessage({ id: 'cell.n' }, { count: metric.total.n })}</span></div>
              <Chart buckets={metric.buckets} unit={metric.unit} grain="month" label={m('declare.preview')} />
            </>
          )}
          {keep.error && <Failure error={keep.error} />}
          <p className={css.actions}>
            <button type="button" className={ui.button} disabled={(!metric && !fault) || keep.isPending} onClick={save}>{m('declare.keep')}</button>
            <Link to="/metrics" className={ui.button}>{m('declare.cancel')}</Link>
          </p>
        </Panel>
      </div>
    </Page>
  );
}
