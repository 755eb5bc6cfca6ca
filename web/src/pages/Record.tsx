// One record: its fields and everything that happened to it.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { ContactRound, CornerDownRight, Download, Merge, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { Again } from '../forms/Again';
import { Convert } from '../forms/Convert';
import { Inline } from '../forms/Inline';
import { Invite } from '../forms/Invite';
import { merge, MergeDialog } from '../forms/Merge';
import { RecordForm } from '../forms/RecordForm';
import { get, send, type Entry, type FieldInfo, type Item } from '../lib/api';
import { titleOf, useCell } from '../lib/cell';
import { useActor, useLabel, useMay, useModel, useSession } from '../lib/data';
import { useFormat } from '../lib/format';
import { cardOf } from '../lib/vcard';
import { Failure, Loading, Panel } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { Conversation } from './Conversation';
import { Purchases } from './Notes';
import { Own } from './Own';
import { now, Related } from './Related';

const words = (v: unknown): string => (v === null || v === undefined ? '–' : typeof v === 'object' ? Object.values(v).join(' ') : String(v));

export function Record() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const actor = useActor();
  const cell = useCell();
  const { object: plural, id } = useParams({ strict: false }) as { object: string; id: string };
  const object = useModel()?.objects.find((o) => o.plural === plural);
  const may = useMay(object?.name);
  const { settings } = useSession();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const [merging, setMerging] = useState(false);
  const [following, setFollowing] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const record = useQuery({ queryKey: ['live', 'record', plural, id], queryFn: () => get<Item>(`/api/records/${plural}/${id}`) });
  const history = useQuery({ queryKey: ['live', 'history', plural, id], queryFn: () => get<{ entries: Entry[] }>(`/api/records/${plural}/${id}/history`) });
  if (record.error) return <Page title={object?.label ?? plural}><Failure error={record.error} /></Page>;
  if (!record.data || !object) return <Page title={plural}><Loading /></Page>;
  const item = record.data;
  const title = titleOf(object, item);
  const field = (name: string) => object.fields.find((f) => f.name === name);
  const order = [...object.list, ...object.fields.map((f) => f.name)];
  const shown = [...new Set(order)].map(field).filter((f) => f !== undefined).filter((f) => (!f.derived && object.list.includes(f.name)) || (item.fields[f.name] !== undefined && item.fields[f.name] !== null));
  const row = (f: FieldInfo) => [<dt key={`${f.name}-t`}>{f.label}</dt>, <dd key={f.name}><Inline object={object} field={f} item={item}>{cell(f, item)}</Inline></dd>];
  // What Northing works out; a flag that is off says nothing.
  const worked = shown.filter((f) => f.derived && item.fields[f.name] !== false);
  const remove = () => {
    if (!confirm(intl.formatMessage({ id: 'form.delete.sure' }, { title }))) return;
    send(`/api/records/${plural}/${id}`, 'DELETE', undefined, { 'if-match': `"${item.version}"` }).then(() => navigate({ to: '/records/$object', params: { object: plural } }), setProblem);
  };
  const survivor = item.fields.merged_into as string | undefined;
  const mergeable = ['customer', 'lead', 'contact', 'ticket'].includes(object.name) && object.fields.some((f) => f.name === 'merged_into');
  const card = ['customer', 'contact', 'lead'].includes(object.name) && (item.fields.email || item.fields.phone);
  const controls = <>{object.name === 'attachment' && <a className={`${ui.button} ${ui.primary}`} href={`/api/records/attachments/${id}/file`} download><Download size={15} aria-hidden />{intl.formatMessage({ id: 'files.save' })}</a>}{object.name === 'lead' && <Convert lead={item} onDone={(customer) => void navigate({ to: '/records/$object/$id', params: { object: 'customers', id: customer } })} />}{object.name === 'user' && settings && <Invite user={id} />}{['expense', 'contract'].includes(object.name) && <Again object={object.name} item={item} fields={object.fields} onMade={(made) => void navigate({ to: '/records/$object/$id', params: { object: plural, id: made } })} />}{card && <a className={ui.button} download={`${title.replace(/[^\p{L}\p{N} ._-]/gu, '')}.vcf`} href={`data:text/vcard;charset=utf-8,${encodeURIComponent(cardOf(item, title))}`} aria-label={intl.formatMessage({ id: 'vcard.save' })} title={intl.formatMessage({ id: 'vcard.save' })}><ContactRound size={15} aria-hidden /></a>}{object.name === 'ticket' && may.create && <button type="button" className={ui.button} onClick={() => setFollowing(true)}><CornerDownRight size={15} aria-hidden />{intl.formatMessage({ id: 'desk.follow' })}</button>}{mergeable && !survivor && may.change && <button type="button" className={ui.button} onClick={() => setMerging(true)}><Merge size={15} aria-hidden />{intl.formatMessage({ id: 'merge.open' })}</button>}{may.delete && <button type="button" className={ui.button} onClick={remove}><Trash2 size={15} aria-hidden />{intl.formatMessage({ id: 'form.delete' })}</button>}{may.change && <button type="button" className={`${ui.button} ${ui.primary}`} onClick={() => setEditing(true)}><Pencil size={15} aria-hidden />{intl.formatMessage({ id: 'form.change' })}</button>}</>;
  return (
    <Page title={title} note={<Link className={ui.quiet} to="/records/$object" params={{ object: plural }}>{object.label}</Link>} controls={controls}>
      {editing && <RecordForm key={item.id} object={object} item={item} onDone={() => setEditing(false)} />}
      {following && <RecordForm object={object} start={{ ...now(object), subject: title, customer: item.fields.customer, follows: id, assignee: item.fields.assignee }} titles={{ customer: item.titles.customer ?? '', follows: title, assignee: item.titles.assignee ?? '' }} onDone={(made) => { setFollowing(false); if (made) void navigate({ to: '/records/$object/$id', params: { object: plural, id: made } }); }} />}
      {merging && <MergeDialog object={object} item={item} title={title} onDone={(into) => { setMerging(false); if (into) void navigate({ to: '/records/$object/$id', params: { object: plural, id: into } }); }} />}
      {survivor && (
        <Panel title={intl.formatMessage({ id: 'merge.merged' }, { title: item.titles.merged_into ?? '…' })} aside={
          <span className={table.actions}>
            <Link className={ui.button} to="/records/$object/$id" params={{ object: plural, id: survivor }}>{item.titles.merged_into ?? '…'}</Link>
            <button type="button" className={ui.button} onClick={() => void merge(object, item, null).then(() => record.refetch(), setProblem)}>{intl.formatMessage({ id: 'merge.undo' })}</button>
          </span>
        }>{null}</Panel>
      )}
      {!!problem && <Failure error={problem} retry={() => { setProblem(undefined); void record.refetch(); }} />}
      {object.name === 'customer' && <Own id={id} />}
      {object.name === 'ticket' && <Conversation ticket={item} />}
      {object.name === 'deal' && item.fields.outcome === 'won' && <Purchases of="won" />}
      <Panel title={intl.formatMessage({ id: 'record.details' })}>
        <dl className={table.fields}>{shown.filter((f) => !f.derived).map(row)}</dl>
        {worked.length > 0 && <details className={table.more}><summary>{intl.formatMessage({ id: 'record.derived' })}</summary><dl className={table.fields}>{worked.map(row)}</dl></details>}
      </Panel>
      <Related object={object} item={item} title={title} />
      <Panel title={intl.formatMessage({ id: 'record.history' })}>
        {history.data?.entries.map((entry) => (
          <div key={`${entry.version}-${entry.op}`} className={table.entry}>
            <span><strong>{actor(entry.who, entry.actor)}</strong> {intl.formatMessage({ id: `record.${entry.op}` })} <span className={`${ui.quiet} num`}>{format.instant(entry.at)}</span></span>
            {entry.op === 'update' && Object.entries(entry.changed).map(([name, c]) => <span key={name} className={ui.quiet}>{field(name)?.label ?? label(`field.${name}`)}: {words(c.from)} → {words(c.to)}</span>)}
          </div>
        ))}
      </Panel>
    </Page>
  );
}
