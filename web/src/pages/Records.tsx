// The list of any object: columns from its declaration, sorting, search in its title, more on demand.
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { ArrowDown, ArrowUp, Download, ListFilter, Plus } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { useIntl } from 'react-intl';
import { RecordForm } from '../forms/RecordForm';
import { get, type FieldInfo, type Page as ListPage } from '../lib/api';
import { isNumeric, Opening, titleOf, useCell } from '../lib/cell';
import { useMay, useModel } from '../lib/data';
import { conditionsOf, containing, filterOf, operatorsOf, type Condition } from '../lib/filter';
import { useFormat } from '../lib/format';
import { usePrefs } from '../lib/prefs';
import { Failure, Loading } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { Filters } from './Filters';
import { now } from './Related';
import { Saved } from './Saved';
import { Selection } from './Selection';

export interface ListSearch { f?: string; sort?: string }

export function Records() {
  const { object: plural } = useParams({ strict: false }) as { object: string };
  return <List key={plural} plural={plural} />;
}

function List({ plural }: { plural: string }) {
  const intl = useIntl();
  const format = useFormat();
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
  const list = useInfiniteQuery({
    queryKey: ['live', 'records', plural, sort, filter],
    queryFn: ({ pageParam }) => get<ListPage>(`/api/records/${plural}`, { sort, filter, cursor: pageParam, limit: 60 }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
  });
  const columns = (object?.list ?? []).map((name) => object?.fields.find((f) => f.name === name)).filter((f): f is FieldInfo => !!f);
  const total = list.data?.pages[0]?.total;
  const loaded = list.data?.pages.flatMap((p) => p.items) ?? [];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
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
  const control = <>{searchable && <input className={ui.field} type="search" value={text} onChange={(e) => setText(e.target.value)} placeholder={intl.formatMessage({ id: 'records.search' })} aria-label={intl.formatMessage({ id: 'records.search' })} />}{object && conditions.length === 0 && <button type="button" className={ui.button} onClick={begin}><ListFilter size={15} aria-hidden />{intl.formatMessage({ id: 'filter.title' })}</button>}{object && <Saved plural={plural} search={asked} onChoose={change} />}{may.export && <a className={ui.button} href={file} download={`${plural}.csv`} aria-label={intl.formatMessage({ id: 'list.export' })} title={intl.formatMessage({ id: 'list.export' })}><Download size={15} aria-hidden /></a>}{may.create && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => setAdding(true)}><Plus size={15} aria-hidden />{intl.formatMessage({ id: 'form.add' })}</button>}</>;
  return (
    <Page title={object?.label ?? plural} note={total !== undefined && <span className={ui.quiet}>{intl.formatMessage({ id: 'records.count' }, { count: total })}</span>} controls={control}>
      {adding && object && <RecordForm object={object} start={now(object)} onDone={(id) => { setAdding(false); if (id) void navigate({ to: '/records/$object/$id', params: { object: plural, id } }); }} />}
      {object && conditions.length > 0 && <Filters object={object} conditions={conditions} onChange={setConditions} />}
      {list.error ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data || !object ? <Loading /> : total === 0 ? <div className={ui.state}>{intl.formatMessage({ id: filter ? 'records.nomatch' : 'records.empty' })}</div> : (
        <div className={ui.panel}>
          <div className={table.scroll} tabIndex={0} role="region" aria-label={object.label}>
            <table className={table.table}>
              <thead><tr>{choosable && <th className={table.pick}><label><input type="checkbox" checked={all} aria-label={intl.formatMessage({ id: 'select.all' })} onChange={(e) => choose(loaded.map((item) => item.id), e.target.checked)} /></label></th>}{columns.map(head)}</tr></thead>
              <tbody>
                {loaded.map((item) => (
                  <tr key={item.id}>
                    {choosable && <td className={table.pick}><label><input type="checkbox" checked={chosen.has(item.id)} aria-label={intl.formatMessage({ id: 'select.one' }, { title: titleOf(object, item) })} onChange={(e) => choose([item.id], e.target.checked)} /></label></td>}
                    {columns.map((field, i) => (
                      <td key={field.name} className={isNumeric(field) ? table.right : undefined}>
                        {i === 0 ? <Opening object={object} field={field} item={item} /> : cell(field, item)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {list.hasNextPage && <div className={ui.pad}><button type="button" className={ui.button} disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{intl.formatMessage({ id: 'records.more' })} ({format.number(total ?? 0)})</button></div>}
        </div>
      )}
      {object && <Selection object={object} items={loaded.filter((item) => chosen.has(item.id))} onDone={() => setChosen(new Set())} />}
    </Page>
  );
}
