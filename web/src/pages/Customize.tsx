// Fields and objects of one's own: declared here in words, kept as the declarations that the product's own are made of.
import { useQuery } from '@tanstack/react-query';
import { Plus, Trash2 } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { get, send, type Page as ListPage } from '../lib/api';
import { useModel } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Panel, Select, Table } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import css from './metric.module.css';

const TYPES = ['text', 'long_text', 'label', 'choice', 'int', 'decimal', 'money', 'percent', 'date', 'datetime', 'bool', 'email', 'phone', 'url', 'ref'];

const quoted = (text: string) => JSON.stringify(text.replaceAll(/[\u0000-\u001f\u007f]/g, ' '));

/** A name that the model takes, out of words in any script. */
export function nameOf(words: string, taken: string[]): string {
  const plain = words.toLowerCase().replaceAll('ł', 'l').normalize('NFKD').replace(/[^a-z0-9]+/g, '_').replace(/^[^a-z]+|_+$/g, '').slice(0, 40) || 'own';
  let name = plain;
  for (let n = 2; taken.includes(name); n += 1) name = `${plain}_${n}`;
  return name;
}

export function Customize() {
  const intl = useIntl();
  const model = useModel();
  const write = useWrite();
  const reason = useReason();
  const [problem, setProblem] = useState('');
  const t = (id: string) => intl.formatMessage({ id });
  const own = useQuery({ queryKey: ['live', 'definitions'], queryFn: () => get<ListPage>('/api/records/definitions', { limit: 500, sort: 'name' }) });
  const run = (work: Promise<unknown>) => work.then(() => { setProblem(''); return true; }, (e: unknown) => { setProblem(reason(e)); return false; });
  const declare = (kind: string, name: string, body: string) => run(write([{ op: 'create', object: 'definitions', fields: { kind, name, body } }]));
  const objects = (model?.objects ?? []).filter((o) => !o.derived && !['definition', 'import_run', 'workspace'].includes(o.name));
  const drop = (id: string, name: string) => { if (confirm(intl.formatMessage({ id: 'own.drop.sure' }, { name }))) void run(send(`/api/records/definitions/${id}`, 'DELETE')); };
  return (
    <Page title={t('nav.customize')}>
      {problem && <p role="alert" className={css.refused}>{problem}</p>}
      <div className={css.two}>
        <FieldForm objects={objects.map((o) => ({ name: o.name, label: o.label, fields: o.fields.map((f) => f.name) }))} onSave={(object, body) => declare('fields', object, body)} />
        <ObjectForm taken={(model?.objects ?? []).flatMap((o) => [o.name, o.plural])} onSave={(name, body) => declare('object', name, body)} />
      </div>
      {(own.data?.items.length ?? 0) > 0 && (
        <Panel title={t('own.all')}>
          <Table label={t('own.all')}>
            <tbody>
              {own.data?.items.map((d) => (
                <tr key={d.id}>
                  <td>{t(`own.kind.${String(d.fields.kind)}`)}</td>
                  <td dir="auto">{d.fields.kind === 'fields' ? model?.objects.find((o) => o.name === d.fields.name)?.label ?? String(d.fields.name) : String(d.fields.name)}</td>
                  <td><code className={css.code}>{String(d.fields.body).replaceAll('\n', ' ').slice(0, 120)}</code></td>
                  <td className={table.right}><button type="button" className={ui.button} aria-label={intl.formatMessage({ id: 'saved.drop' }, { name: String(d.fields.name) })} onClick={() => drop(d.id, String(d.fields.name))}><Trash2 size={14} aria-hidden /></button></td>
                </tr>
              ))}
            </tbody>
          </Table>
        </Panel>
      )}
    </Page>
  );
}

function FieldForm({ objects, onSave }: { objects: { name: string; label: string; fields: string[] }[]; onSave(object: string, body: string): Promise<boolean> }) {
  const intl = useIntl();
  const [object, setObject] = useState('customer');
  const [words, setWords] = useState('');
  const [type, setType] = useState('text');
  const [options, setOptions] = useState('');
  const [to, setTo] = useState('customer');
  const t = (id: string) => intl.formatMessage({ id });
  const save = (e: FormEvent) => {
    e.preventDefault();
    const list = options.split('\n').map((o) => o.trim()).filter(Boolean);
    const more = type === 'choice' ? `, options = [${[...new Set(list)].map(quoted).join(', ')}]` : type === 'ref' ? `, to = ${quoted(to)}` : type === 'long_text' ? ', facts = false' : '';
    const name = nameOf(words, objects.find((o) => o.name === object)?.fields ?? []);
    void onSave(object, `${name} = { type = ${quoted(type)}, label = ${quoted(words.trim())}${more} }`).then((fine) => { if (fine) { setWords(''); setOptions(''); } });
  };
  return (
    <Panel title={t('own.field')}>
      <form className={css.form} onSubmit={save}>
        <Select label={t('own.of')} value={object} onChange={setObject} options={objects.map((o) => ({ value: o.name, label: o.label }))} />
        <label className={css.entry}>{t('own.name')}<input className={ui.field} required maxLength={60} dir="auto" value={words} onChange={(e) => setWords(e.target.value)} /></label>
        <Select label={t('own.type')} value={type} onChange={setType} options={TYPES.map((value) => ({ value, label: t(`own.type.${value}`) }))} />
        {type === 'choice' && <label className={css.entry}>{t('own.options')}<textarea className={`${ui.field} ${css.source}`} required rows={4} dir="auto" value={options} onChange={(e) => setOptions(e.target.value)} /></label>}
        {type === 'ref' && <Select label={t('own.to')} value={to} onChange={setTo} options={objects.map((o) => ({ value: o.name, label: o.label }))} />}
        <p className={css.actions}><button type="submit" className={`${ui.button} ${ui.primary}`}><Plus size={15} aria-hidden />{t('own.add')}</button></p>
      </form>
    </Panel>
  );
}

function ObjectForm({ taken, onSave }: { taken: string[]; onSave(name: string, body: string): Promise<boolean> }) {
  const intl = useIntl();
  const [many, setMany] = useState('');
  const [one, setOne] = useState('');
  const [customer, setCustomer] = useState(true);
  const [owner, setOwner] = useState(true);
  const t = (id: string) => intl.formatMessage({ id });
  const save = (e: FormEvent) => {
    e.preventDefault();
    const name = nameOf(one, taken);
    const plural = nameOf(many, [...taken, name]);
    const list = ['name', ...(customer ? ['customer'] : []), ...(owner ? ['owner'] : [])];
    const body = [
      `name = ${quoted(name)}`, `plural = ${quoted(plural)}`, `label = ${quoted(many.trim())}`, `one = ${quoted(one.trim())}`, 'title = "name"', ...(customer ? ['customer = "customer"'] : []), ...(customer || owner ? [] : ['shared = true']),
      `list = [${list.map(quoted).join(', ')}]`, 'sort = ["name"]', '[fields]', 'name = { type = "text", required = true }', ...(customer ? ['customer = { type = "ref", to = "customer" }'] : []), ...(owner ? ['owner = { type = "ref", to = "user" }'] : []), 'note = { type = "long_text", facts = false }', '',
    ].join('\n');
    void onSave(name, body).then((fine) => { if (fine) { setMany(''); setOne(''); } });
  };
  return (
    <Panel title={t('own.object')}>
      <form className={css.form} onSubmit={save}>
        <label className={css.entry}>{t('own.many')}<input className={ui.field} required maxLength={60} dir="auto" value={many} onChange={(e) => setMany(e.target.value)} /></label>
        <label className={css.entry}>{t('own.one')}<input className={ui.field} required maxLength={60} dir="auto" value={one} onChange={(e) => setOne(e.target.value)} /></label>
        <label className={css.tick}><input type="checkbox" checked={customer} onChange={(e) => setCustomer(e.target.checked)} />{t('own.customer')}</label>
        <label className={css.tick}><input type="checkbox" checked={owner} onChange={(e) => setOwner(e.target.checked)} />{t('own.owner')}</label>
        <p className={css.actions}><button type="submit" className={`${ui.button} ${ui.primary}`}><Plus size={15} aria-hidden />{t('own.add')}</button></p>
      </form>
    </Panel>
  );
}
