// What belongs to a record: for every object that refers to it the newest few, and a way to add one.
import { keepPreviousData, useQueries } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { AddFile } from '../forms/AddFile';
import { Note } from '../forms/Note';
import { RecordForm } from '../forms/RecordForm';
import { get, type FieldInfo, type Item, type ObjectInfo, type Page } from '../lib/api';
import { Opening, useCell } from '../lib/cell';
import { useLabel, useModel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { Panel, Table } from '../ui/Parts';
import { Timeline, WITH_TIMELINE } from './Timeline';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';

/** Facts that Northing derives or machines write: shown where there are some, never offered to be added. */
const BY_MACHINES = ['send', 'send_event', 'user_action', 'user_session', 'survey_invite', 'definition', 'workspace', 'subscription', 'automation_run'];
const SHOWN = 5;
/** Of each kind so many at first for the line of time. */
const STEP = 12;

interface Relation { object: ObjectInfo; field: FieldInfo; at: string }

/** The instant by which records of an object are put in order: what its list is sorted by, else when it was made. */
function timeOf(object: ObjectInfo): string {
  const sorted = object.sort?.[0]?.replace('-', '') ?? '';
  return object.fields.some((f) => f.name === sorted && (f.type === 'datetime' || f.type === 'date') && f.filterable) ? sorted : 'created_at';
}

export function Related({ object, item, title }: { object: ObjectInfo; item: Item; title: string }) {
  const intl = useIntl();
  const label = useLabel();
  const model = useModel();
  const [adding, setAdding] = useState<Relation>();
  const relations: Relation[] = (model?.objects ?? []).filter((o) => !o.derived).flatMap((o) => o.fields.filter((f) => f.type === 'ref' && f.to === object.name && !f.derived && f.filterable && f.name !== 'merged_into').map((field) => ({ object: o, field, at: timeOf(o) })));
  const [most, setMost] = useState(STEP);
  const lists = useQueries({
    queries: relations.map((r) => ({
      queryKey: ['live', 'related', r.object.plural, r.field.name, item.id, most],
      placeholderData: keepPreviousData,
      queryFn: () => get<Page>(`/api/records/${r.object.plural}`, { filter: `${r.field.name} = ${quote(item.id)}`, sort: `-${r.at}`, limit: most }),
    })),
  });
  const { may } = useSession();
  const addable = relations.filter((r) => may[r.object.name]?.create && !BY_MACHINES.includes(r.object.name) && (r.field.name === object.name || (r.field.name === 'parent' && r.object.name === object.name)));
  return (
    <>
      {addable.length > 0 && (
        <Panel title={intl.formatMessage({ id: 'related.add' })}>
          <div className={table.actions}>
            {addable.map((r) => r.object.name === 'attachment' ? <AddFile key="attachment" field={r.field.name} id={item.id} /> : <button key={r.object.name} type="button" className={ui.button} onClick={() => setAdding(r)}><Plus size={14} aria-hidden />{label(`one.${r.object.name}`, r.object.label)}</button>)}
          </div>
        </Panel>
      )}
      {WITH_TIMELINE.includes(object.name) && <Timeline note={object.name === 'contact' ? null : <Note object={object.name} item={item} />} all={relations.map((r, i) => ({ ...r, page: lists[i]?.data }))} onMore={() => setMost(most * 4)} />}
      {relations.map((r, i) => {
        const page = lists[i]?.data;
        return page && page.total > 0 ? <List key={`${r.object.name}.${r.field.name}`} relation={r} page={page} of={object.name} /> : null;
      })}
      {adding && (
        <RecordForm object={adding.object} start={{ [adding.field.name]: item.id, ...now(adding.object) }} titles={{ [adding.field.name]: title }} onDone={() => setAdding(undefined)} />
      )}
    </>
  );
}

/** What is logged has mostly just happened. */
export function now(object: ObjectInfo): Record<string, unknown> {
  const instants = ['at', 'opened_at', 'confirmed_at', 'started_at', 'created_at'];
  const field = object.fields.find((f) => f.type === 'datetime' && f.required && instants.includes(f.name)) ?? object.fields.find((f) => f.name === 'confirmed_at');
  return field ? { [field.name]: new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString() } : {};
}

function List({ relation: { object, field }, page, of }: { relation: Relation; page: Page; of: string }) {
  const intl = useIntl();
  const cell = useCell();
  const columns = object.list.map((name) => object.fields.find((f) => f.name === name)).filter((f): f is FieldInfo => !!f && f.name !== field.name).slice(0, 5);
  return (
    <Panel title={field.name === of ? object.label : `${object.label} · ${field.label}`} aside={<span className={ui.quiet}>{intl.formatMessage({ id: 'records.count' }, { count: page.total })}</span>}>
      <Table label={object.label}>
        <thead><tr>{columns.map((c) => <th key={c.name}>{c.label}</th>)}</tr></thead>
        <tbody>
          {page.items.slice(0, SHOWN).map((row) => (
            <tr key={row.id}>
              {columns.map((c, i) => <td key={c.name}>{i === 0 ? <Opening object={object} field={c} item={row} /> : cell(c, row)}</td>)}
            </tr>
          ))}
        </tbody>
      </Table>
    </Panel>
  );
}
