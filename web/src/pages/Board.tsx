// Deals by stage: dragged or, by keyboard, moved with the card's own menu. Sums come from the pipeline's metrics.
import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { useState, type DragEvent } from 'react';
import { useIntl } from 'react-intl';
import { Ask } from '../forms/Ask';
import { Field } from '../forms/Field';
import { RecordForm } from '../forms/RecordForm';
import { get, send, type FieldInfo, type Item, type Page as ListPage } from '../lib/api';
import { askQuery, useLabel, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useFormat } from '../lib/format';
import { daysSince } from '../lib/period';
import { addDays } from '../lib/period';
import { Failure, Loading, Select } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './board.module.css';

interface Stage { id: string; name: string; kind: string; pipeline?: string }
const SHOWN = 40;

export function Board() {
  const intl = useIntl();
  const label = useLabel();
  const client = useQueryClient();
  const { workspace } = useSession();
  const deal = useModel()?.objects.find((o) => o.name === 'deal');
  const [chosen, setChosen] = useState('');
  const [adding, setAdding] = useState<Stage>();
  const [losing, setLosing] = useState<{ item: Item; stage: Stage }>();
  const [problem, setProblem] = useState<unknown>();
  const found = useQuery({ queryKey: ['live', 'stages'], queryFn: () => get<ListPage>('/api/records/stages', { sort: 'position', limit: 200 }) });
  const all: Stage[] = (found.data?.items ?? []).map((s) => ({ id: s.id, name: String(s.fields.name), kind: String(s.fields.kind), pipeline: s.fields.pipeline as string | undefined }));
  const names = new Map((found.data?.items ?? []).map((s) => [String(s.fields.pipeline ?? ''), s.titles.pipeline ?? '']));
  const pipeline = chosen || all[0]?.pipeline || '';
  const stages = all.filter((s) => (s.pipeline ?? '') === pipeline);
  const open = stages.filter((s) => s.kind === 'open');
  const closed = stages.filter((s) => s.kind === 'won' || s.kind === 'lost');
  const lists = useQueries({ queries: open.map((s) => ({ queryKey: ['live', 'board', s.id], queryFn: () => get<ListPage>('/api/records/deals', { filter: `stage = ${quote(s.id)}`, sort: '-created_at', limit: SHOWN }) })) });
  const tomorrow = addDays(workspace.today, 1);
  const sums = useQuery({ ...askQuery({ metrics: 'pipeline_value,pipeline_value:weighted', from: workspace.today, to: tomorrow, by: 'stage' }), enabled: open.length > 0 });
  const sum = (stage: Stage, i: number) => sums.data?.metrics[i]?.buckets.find((b) => b.by_id?.stage === stage.id)?.value ?? null;

  const move = async (item: Item, stage: Stage, more: Record<string, unknown> = {}) => {
    if (item.fields.stage === stage.id) return;
    // The card is where it was put at once; what the server says comes after.
    const moved = { ...item, fields: { ...item.fields, stage: stage.id } };
    for (const s of open) {
      client.setQueryData<ListPage>(['live', 'board', s.id], (was) => was && { ...was,
        items: s.id === stage.id ? [moved, ...was.items] : was.items.filter((x) => x.id !== item.id),
        total: was.total + (s.id === stage.id ? 1 : was.items.some((x) => x.id === item.id) ? -1 : 0) });
    }
    setProblem(undefined);
    await send(`/api/records/deals/${item.id}`, 'PATCH', { stage: stage.id, ...more }, { 'if-match': `"${item.version}"` }).catch(setProblem);
    await client.invalidateQueries({ queryKey: ['live'] });
  };
  const to = (item: Item, stage: Stage) => (stage.kind === 'lost' ? setLosing({ item, stage }) : void move(item, stage));
  const cards = lists.flatMap((l) => l.data?.items ?? []);
  const drop = (stage: Stage) => ({
    onDragOver: (e: DragEvent) => { e.preventDefault(); e.currentTarget.setAttribute('data-over', ''); },
    onDragLeave: (e: DragEvent) => e.currentTarget.removeAttribute('data-over'),
    onDrop: (e: DragEvent) => {
      e.preventDefault();
      e.currentTarget.removeAttribute('data-over');
      const item = cards.find((c) => c.id === e.dataTransfer.getData('text/plain'));
      if (item) to(item, stage);
    },
  });
  const controls = (
    <>
      {names.size > 1 && <Select hideLabel label={label('object.pipeline')} value={pipeline} onChange={setChosen} options={[...names].map(([value, name]) => ({ value, label: name || '–' }))} />}
      {open[0] && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => setAdding(open[0])}><Plus size={15} aria-hidden />{intl.formatMessage({ id: 'form.add' })}</button>}
    </>
  );
  return (
    <Page title={intl.formatMessage({ id: 'nav.board' })} controls={controls}>
      {!!problem && <Failure error={problem} />}
      {found.error ? <Failure error={found.error} /> : !found.data || !deal ? <Loading /> : stages.length === 0 ? <div className={ui.state}>{intl.formatMessage({ id: 'board.empty' })}</div> : (
        <div className={css.board} tabIndex={0} role="region" aria-label={intl.formatMessage({ id: 'nav.board' })}>
          {open.map((stage, i) => (
            <section key={stage.id} className={css.column} aria-label={stage.name} {...drop(stage)}>
              <Head name={stage.name} total={lists[i]?.data?.total} value={sum(stage, 0)} weighted={sum(stage, 1)} />
              {(lists[i]?.data?.items ?? []).map((item) => <Card key={item.id} item={item} stages={[...open, ...closed]} onMove={(s) => to(item, s)} />)}
            </section>
          ))}
          {closed.map((stage) => (
            <section key={stage.id} className={`${css.column} ${css.end}`} data-kind={stage.kind} aria-label={stage.name} {...drop(stage)}>
              <strong>{stage.name}</strong>
              <span className={ui.quiet}>{intl.formatMessage({ id: 'board.drop' })}</span>
            </section>
          ))}
        </div>
      )}
      {adding && deal && <RecordForm object={deal} start={{ stage: adding.id, pipeline: adding.pipeline ?? null }} titles={{ stage: adding.name, pipeline: names.get(adding.pipeline ?? '') ?? '' }} onDone={() => setAdding(undefined)} />}
      {losing && <Lost reason={deal?.fields.find((f) => f.name === 'lost_reason')} title={String(losing.item.fields.name)} onDone={(reason) => { if (reason !== undefined) void move(losing.item, losing.stage, reason ? { lost_reason: reason } : {}); setLosing(undefined); }} />}
    </Page>
  );
}

function Head({ name, total, value, weighted }: { name: string; total?: number; value: number | null; weighted: number | null }) {
  const intl = useIntl();
  const format = useFormat();
  return (
    <header className={css.head}>
      <strong>{name}</strong>
      <span className={`${ui.quiet} num`}>{total === undefined ? '…' : format.number(total)}</span>
      {value !== null && <span className="num">{format.money(value, true)}</span>}
      {weighted !== null && weighted > 0 && <span className={`${ui.quiet} num`}>{intl.formatMessage({ id: 'board.weighted' }, { value: format.money(weighted, true) })}</span>}
    </header>
  );
}

function Card({ item, stages, onMove }: { item: Item; stages: Stage[]; onMove(stage: Stage): void }) {
  const intl = useIntl();
  const format = useFormat();
  const { workspace } = useSession();
  const money = item.fields.amount as { amount: string; currency: string } | undefined;
  const due = item.fields.expected_close as string | undefined;
  const late = due !== undefined && due < workspace.today;
  const { staged_at, stalls_at, next_step } = item.fields as { staged_at?: string; stalls_at?: string; next_step?: string };
  const stalled = stalls_at !== undefined && daysSince(stalls_at, workspace.zone, workspace.today) >= 0;
  const days = staged_at === undefined ? undefined : Math.max(0, daysSince(staged_at, workspace.zone, workspace.today));
  return (
    <article className={css.card} draggable onDragStart={(e) => { e.dataTransfer.setData('text/plain', item.id); e.dataTransfer.effectAllowed = 'move'; }}>
      <Link to="/records/$object/$id" params={{ object: 'deals', id: item.id }} className={css.name}>{String(item.fields.name)}</Link>
      {item.titles.customer && <span className={ui.quiet}>{item.titles.customer}</span>}
      <span className={css.line}>
        {money && <span className="num">{format.number(Number(money.amount), { style: 'currency', currency: money.currency, currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 })}</span>}
        {due && <span className={`${late ? css.late : ui.quiet} num`}>{late && <span className="sr">{intl.formatMessage({ id: 'board.late' })} </span>}{format.day(due, { day: 'numeric', month: 'short' })}</span>}
      </span>
      {next_step && <span className={css.next} dir="auto">{next_step}</span>}
      <span className={css.line}>
        {days !== undefined && <span className={`${ui.quiet} num`}>{intl.formatMessage({ id: 'board.days' }, { days })}</span>}
        {stalled && <span className={css.late}>{intl.formatMessage({ id: 'board.stalled' })}</span>}
      </span>
      <label className={css.move}>
        <span className="sr">{intl.formatMessage({ id: 'board.move' }, { title: String(item.fields.name) })}</span>
        <select value={String(item.fields.stage)} onChange={(e) => { const stage = stages.find((s) => s.id === e.target.value); if (stage) onMove(stage); }}>
          {stages.map((s) => <option key={s.id} value={s.id}>{s.name}</option>)}
        </select>
      </label>
    </article>
  );
}

function Lost({ reason, title, onDone }: { reason?: FieldInfo; title: string; onDone(reason?: string): void }) {
  const intl = useIntl();
  const [text, setText] = useState('');
  return (
    <Ask title={intl.formatMessage({ id: 'board.lost' }, { title })} onClose={() => onDone()} onGo={() => onDone(text.trim())}>
      {reason && <Field field={reason} value={text} autoFocus onChange={(v) => setText(String(v ?? ''))} />}
    </Ask>
  );
}
