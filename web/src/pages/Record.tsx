// One record: its fields and everything that happened to it.
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import { get, type Entry, type Item } from '../lib/api';
import { useCell } from '../lib/cell';
import { useLabel, useModel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Failure, Loading, Panel } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';

const words = (v: unknown): string => (v === null || v === undefined ? '–' : typeof v === 'object' ? Object.values(v).join(' ') : String(v));

export function Record() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const cell = useCell();
  const { object: plural, id } = useParams({ strict: false }) as { object: string; id: string };
  const object = useModel()?.objects.find((o) => o.plural === plural);
  const record = useQuery({ queryKey: ['live', 'record', plural, id], queryFn: () => get<Item>(`/api/records/${plural}/${id}`) });
  const history = useQuery({ queryKey: ['live', 'history', plural, id], queryFn: () => get<{ entries: Entry[] }>(`/api/records/${plural}/${id}/history`) });
  if (record.error) return <Page title={object?.label ?? plural}><Failure error={record.error} /></Page>;
  if (!record.data || !object) return <Page title={plural}><Loading /></Page>;
  const item = record.data;
  const title = item.titles[object.title] ?? String(item.fields[object.title] ?? '…');
  const field = (name: string) => object.fields.find((f) => f.name === name);
  const order = [...object.list, ...object.fields.map((f) => f.name)];
  const shown = [...new Set(order)].map(field).filter((f) => f !== undefined).filter((f) => item.fields[f.name] !== undefined && item.fields[f.name] !== null);
  return (
    <Page title={title} note={<Link className={ui.quiet} to="/records/$object" params={{ object: plural }}>{object.label}</Link>}>
      <Panel title={intl.formatMessage({ id: 'record.details' })}>
        <dl className={table.fields}>{shown.map((f) => [<dt key={`${f.name}-t`}>{f.label}</dt>, <dd key={f.name}>{cell(f, item)}</dd>])}</dl>
      </Panel>
      <Panel title={intl.formatMessage({ id: 'record.history' })}>
        {history.data?.entries.map((entry) => (
          <div key={entry.seq} className={table.entry}>
            <span><strong>{entry.actor}</strong> {intl.formatMessage({ id: `record.${entry.op}` })} <span className={`${ui.quiet} num`}>{format.instant(entry.at)}</span></span>
            {entry.op === 'update' && Object.entries(entry.changed).map(([name, c]) => <span key={name} className={ui.quiet}>{field(name)?.label ?? label(`field.${name}`)}: {words(c.from)} → {words(c.to)}</span>)}
          </div>
        ))}
      </Panel>
    </Page>
  );
}
