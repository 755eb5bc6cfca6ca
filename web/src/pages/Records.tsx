// The list of any object: columns from its declaration or chosen, sorted, grouped, narrowed; a million rows are
// scrolled through, but only those in sight are asked for.
import { useQueries } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { ArrowDown, ArrowUp, Download, ListFilter, Plus } from 'lucide-react';
import { useDeferredValue, useEffect, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import { RecordForm } from '../forms/RecordForm';
import { Inline } from '../forms/Inline';
import { get, type FieldInfo, type Item, type Page as ListPage } from '../lib/api';
import { isNumeric, Opening, titleOf, useCell } from '../lib/cell';
import { useMay, useModel } from '../lib/data';
import { conditionsOf, containing, filterOf, operatorsOf, type Condition } from '../lib/filter';
import { usePrefs } from '../lib/prefs';
import { Failure, Loading } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { useSight } from '../ui/window';
import { Columns } from './Columns';
import { Filters } from '../forms/Filters';
import { now } from './Related';
import { Saved } from './Saved';
import { Groups } from './Groups';
import { Selection } from './Selection';

export interface ListSearch { f?: string; sort?: string; c?: string; g?: string }

const PAGE = 100;

export function Records() {
  const { object: plural } = useParams({ strict: false }) as { object: string };
  return <List key={plural} plural={plural} />;
}

function List({ plural }: { plural: string }) {
  const intl = useIntl();
  const cell = useCell();
  const object = useModel()?.objects.find((o) => o.plural === plural);
  const may = useMay(object?.name);
  const navigate = useNavigate();
  const { lang } = usePrefs();
  const asked = useSearch({ strict: false }) as ListSearch;
  const change = (next: ListSearch) => void navigate({ to: '/records/$object', params: { object: plural }, search: next, replace: true });
  const sort = asked.sort;
  const setSort = (next: string) => change({ ...asked, sort: next });
  const conditions = conditionsOf(asked.f);
  const setConditions = (next: Condition[]) => change({ ...asked, f: next.length > 0 ? JSON.stringify(next) : undefined });
  const [text, setText] = useState('');
  const search = useDeferredValue(text.trim());
  const [adding, setAdding] = useState(false);
  const searchable = !!object && !!containing(object, 'x');
  const parts = object ? [search ? containing(object, search) : undefined, filterOf(object, conditions)].filter((p): p is string => !!p) : [];
  const filter = parts.length > 0 ? parts.join(' and ') : undefined;
  const file = `/api/records/${plural}/export?${new URLSearchParams({ lang, ...(sort && { sort }), ...(filter && { filter }) }).toString()}`;
  const begin = () => { const field = columns.find((f) => f.filterable && f.name !== object?.title) ?? columns[0]; if (field) setConditions([{ field: field.name, op: operatorsOf(field)[0] ?? 'is', value: '' }]); };
  const group = object?.fields.find((f) => f.name === asked.g && f.filterable);
  const order = group ? [group.name, sort ?? object?.sort?.[0]].filter(Boolean).join(',') : sort;
  const [total, setTotal] = useState<number>();
  const height = useRowHeight();
  const { ref, look, sight } = useSight(total ?? PAGE, height);
  const from = Math.floor(sight.first / PAGE);
  const numbers = Array.from({ length: Math.floor((sight.first + Math.max(1, sight.count) - 1) / PAGE) - from + 1 }, (_, i) => from + i);
  const pages = useQueries({
    queries: numbers.map((page) => ({
      queryKey: ['live', 'records', plural, order, filter, page],
      queryFn: () => get<ListPage>(`/api/records/${plural}`, { sort: order, filter, cursor: page > 0 ? `at${page * PAGE}` : undefined, limit: PAGE }),
      // While a filter changes the rows stay; another page's rows are never shown in this one's place.
      placeholderData: (was: ListPage | undefined, query?: { queryKey: readonly unknown[] }) => (query?.queryKey[5] === page && query.queryKey[2] === plural ? was : undefined),
    })),
  });
  const error = pages.find((p) => p.error)?.error;
  const told = pages.find((p) => p.data)?.data?.total;
  useEffect(() => { if (told !== undefined) setTotal(told); }, [told]);
  useEffect(() => { ref.current?.scrollTo({ top: 0 }); }, [filter, order, ref]);
  const at = (index: number): Item | undefined => pages[Math.floor(index / PAGE) - from]?.data?.items[index % PAGE];
  const columns = (asked.c?.split(',') ?? object?.list ?? []).map((name) => object?.fields.find((f) => f.name === name)).filter((f): f is FieldInfo => !!f && f !== group);
  const loaded = pages.flatMap((p) => p.data?.items ?? []);
  const kept = useRef(new Map<string, Item>());
  for (const item of loaded) kept.current.set(item.id, item);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // Everything that this filter finds, not only the chosen rows.
  const [meant, setMeant] = useState<{ filter?: string }>();
  const whole = !!meant && meant.filter === filter;
  const choosable = may.change || may.delete;
  const choose = (ids: string[], on: boolean) => setChosen((was) => { const next = new Set(was); ids.forEach((id) => (on ? next.add(id) : next.delete(id))); return next; });
  const all = loaded.length > 0 && loaded.every((item) => chosen.has(item.id));
  const current = sort ?? object?.sort?.[0];
  const head = (field: FieldInfo) => {
    const down = current === `-${field.name}`;
    const up = current === field.name;
    const Arrow = down ? ArrowDown : ArrowUp;
    return (
      <th key={field.name} className={isNumeric(field) ? table.right : undefined} aria-sort={up ? 'ascending' : down ? 'descending' : undefined}>
        {field.filterable ? <button type="button" className={table.sort} onClick={() => setSort(up ? `-${field.name}` : field.name)}>{field.label} {(up || down) && <Arrow size={12} aria-hidden />}</button> : field.label}
      </th>
    );
  };
  const control = <>{searchable && <input className={ui.field} type="search" value={text} onChange={(e) => setText(e.target.value)} placeholder={intl.formatMessage({ id: 'records.search' })} aria-label={intl.formatMessage({ id: 'records.search' })} />}{object && <Columns object={object} shown={columns.map((f) => f.name)} group={group?.name} onShow={(names) => change({ ...asked, c: names.join(',') })} onGroup={(g) => change({ ...asked, g })} />}{object && conditions.length === 0 && <button type="button" className={ui.button} onClick={begin}><ListFilter size={15} aria-hidden />{intl.formatMessage({ id: 'filter.title' })}</button>}{object && <Saved plural={plural} search={asked} onChoose={change} />}{may.export && ['csv', 'xlsx'].map((format) => <a key={format} className={ui.button} href={`${file}&format=${format}`} download={`${plural}.${format}`} aria-label={`${intl.formatMessage({ id: 'list.export' })} (${format.toUpperCase()})`} title={intl.formatMessage({ id: 'list.export' })}><Download size={15} aria-hidden />{format.toUpperCase()}</a>)}{may.create && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => setAdding(true)}><Plus size={15} aria-hidden />{intl.formatMessage({ id: 'form.add' })}</button>}</>;
  return (
    <Page title={object?.label ?? plural} note={total !== undefined && <span className={ui.quiet}>{intl.formatMessage({ id: 'records.count' }, { count: total })}</span>} controls={control}>
      {adding && object && <RecordForm object={object} start={now(object)} onDone={(id) => { setAdding(false); if (id) void navigate({ to: '/records/$object/$id', params: { object: plural, id } }); }} />}
      {object && conditions.length > 0 && <Filters object={object} conditions={conditions} onChange={setConditions} />}
      {error ? <Failure error={error} retry={() => pages.forEach((p) => void p.refetch())} /> : told === undefined && total === undefined || !object ? <Loading /> : total === 0 ? <div className={ui.state}>{intl.formatMessage({ id: filter ? 'records.nomatch' : 'records.empty' })}</div> : (
        <>
        {group && <Groups object={object} by={group} columns={columns} filter={filter} total={total ?? 0} onOnly={(condition) => setConditions([...conditions, condition])} />}
        <div className={ui.panel}>
          <div ref={ref} onScroll={look} className={`${table.scroll} ${table.tall}`} tabIndex={0} role="region" aria-label={object.label}>
            <table className={table.table} aria-rowcount={(total ?? 0) + 1}>
              <thead><tr aria-rowindex={1}>{choosable && <th className={table.pick}><label><input type="checkbox" checked={all || whole} disabled={whole} aria-label={intl.formatMessage({ id: 'select.all' })} onChange={(e) => choose(loaded.map((item) => item.id), e.target.checked)} /></label></th>}{group && <th>{group.label}</th>}{columns.map(head)}</tr></thead>
              <tbody>
                {sight.before > 0 && <tr aria-hidden><td className={table.gap} style={{ height: sight.before }} /></tr>}
                {Array.from({ length: sight.count }, (_, i) => sight.first + i).filter((i) => i < (total ?? 0)).map((index) => {
                  const item = at(index);
                  if (!item) return <tr key={index} aria-rowindex={index + 2}><td colSpan={columns.length + 2} className={ui.quiet}>…</td></tr>;
                  const before = index > 0 ? at(index - 1) : undefined;
                  return (
                    <tr key={item.id} aria-rowindex={index + 2}>
                      {choosable && <td className={table.pick}><label><input type="checkbox" checked={whole || chosen.has(item.id)} disabled={whole} aria-label={intl.formatMessage({ id: 'select.one' }, { title: titleOf(object, item) })} onChange={(e) => choose([item.id], e.target.checked)} /></label></td>}
                      {group && <td><strong>{index === sight.first || !before || before.fields[group.name] !== item.fields[group.name] ? cell(group, item) ?? '–' : null}</strong></td>}
                      {columns.map((field, i) => (
                        <td key={field.name} className={isNumeric(field) ? table.right : undefined}>
                          {i === 0 ? <Opening object={object} field={field} item={item} /> : <Inline object={object} field={field} item={item}>{cell(field, item)}</Inline>}
                        </td>
                      ))}
                    </tr>
                  );
                })}
                {sight.after > 0 && <tr aria-hidden><td className={table.gap} style={{ height: sight.after }} /></tr>}
              </tbody>
            </table>
          </div>
        </div>
        </>
      )}
      {object && <Selection object={object} total={total ?? 0} filter={filter} whole={whole} onWhole={(on) => setMeant(on ? { filter } : undefined)} items={[...chosen].map((id) => kept.current.get(id)).filter((item): item is Item => !!item)} onDone={() => setChosen(new Set())} />}
    </Page>
  );
}

/** How high a row is: higher where fingers point. */
function useRowHeight(): number {
  const read = () => parseInt(getComputedStyle(document.documentElement).getPropertyValue('--row'), 10) || 36;
  const [height] = useState(read);
  return height;
}
