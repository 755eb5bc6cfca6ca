// Fields and objects of one's own: declared, called otherwise, made to hold something else, dropped and brought back, in
// words. What a declaration is made of and what becomes of the values that are there, the server says.
import { useQuery } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useIntl } from 'react-intl';
import { get, send } from '../lib/api';
import { useModel } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import { Panel, Select } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './metric.module.css';
import { ChangeOwn, Declared, Holds, type Changed, type Wish } from './Declared';
import type { OwnList, Preview } from './Declared';

const CLOSED = ['definition', 'import_run', 'workspace'];

export function Customize() {
  const intl = useIntl();
  const model = useModel();
  const write = useWrite();
  const reason = useReason();
  const [problem, setProblem] = useState('');
  const [open, setOpen] = useState<Changed | null>(null);
  const t = (id: string) => intl.formatMessage({ id });
  const own = useQuery({ queryKey: ['live', 'own'], queryFn: () => get<OwnList>('/api/own') });
  const run = (work: Promise<unknown>) => work.then(() => own.refetch()).then(() => { setProblem(''); return true; }, (e: unknown) => { setProblem(reason(e)); return false; });
  const wish = (wanted: Wish) => run(send('/api/own', 'POST', wanted));
  const objects = (model?.objects ?? []).filter((o) => !o.derived && !CLOSED.includes(o.name)).map((o) => ({ value: o.name, label: o.label }));
  /** One that was there before comes back with its values: what becomes of them is shown first. */
  const add = async (wanted: Wish) => {
    try {
      const found = await send<Preview>('/api/own/preview', 'POST', wanted);
      if (!found.known || !found.values) return await wish(wanted);
      setProblem('');
      setOpen({ wanted, name: wanted.label ?? '' });
      return true;
    } catch (e) {
      setProblem(reason(e));
      return false;
    }
  };
  return (
    <Page title={t('nav.customize')}>
      {problem && <p role="alert" className={css.refused}>{problem}</p>}
      <div className={css.two}>
        <FieldForm objects={objects} onSave={add} />
        <ObjectForm onSave={wish} />
      </div>
      {own.data && <Declared own={own.data} objects={objects} onWish={(wanted) => void wish(wanted)} onOpen={setOpen} />}
      {open && (
        <ChangeOwn key={JSON.stringify(open)} changed={open} objects={objects} onClose={() => setOpen(null)}
          onGo={async (wanted) => {
            const work = open.definition ? write([{ op: 'delete', object: 'definitions', id: open.definition }]) : send('/api/own', 'POST', wanted);
            await work;
            await own.refetch();
            setOpen(null);
          }} />
      )}
    </Page>
  );
}

function FieldForm({ objects, onSave }: { objects: { value: string; label: string }[]; onSave(wanted: Wish): Promise<boolean> }) {
  const intl = useIntl();
  const [object, setObject] = useState('customer');
  const [label, setLabel] = useState('');
  const [holds, setHolds] = useState({ type: 'text', options: '', to: 'customer' });
  const t = (id: string) => intl.formatMessage({ id });
  const save = (e: FormEvent) => {
    e.preventDefault();
    void onSave({ op: 'add_field', object, label, ...typed(holds) }).then((fine) => { if (fine) { setLabel(''); setHolds({ ...holds, options: '' }); } });
  };
  return (
    <Panel title={t('own.field')}>
      <form className={css.form} onSubmit={save}>
        <Select label={t('own.of')} value={object} onChange={setObject} options={objects} />
        <label className={css.entry}>{t('own.name')}<input className={ui.field} required maxLength={60} dir="auto" value={label} onChange={(e) => setLabel(e.target.value)} /></label>
        <Holds objects={objects} value={holds} onChange={setHolds} />
        <p className={css.actions}><button type="submit" className={`${ui.button} ${ui.primary}`}><Plus size={15} aria-hidden />{t('own.add')}</button></p>
      </form>
    </Panel>
  );
}

/** What a field holds, as the server is told of it. */
export function typed({ type, options, to }: { type: string; options: string; to: string }): Partial<Wish> {
  const list = options.split('\n').map((o) => o.trim()).filter(Boolean);
  return { type, ...(type === 'choice' && { options: [...new Set(list)] }), ...(['ref', 'refs'].includes(type) && { to }) };
}

function ObjectForm({ onSave }: { onSave(wanted: Wish): Promise<boolean> }) {
  const intl = useIntl();
  const [label, setLabel] = useState('');
  const [one, setOne] = useState('');
  const [customer, setCustomer] = useState(true);
  const [owner, setOwner] = useState(true);
  const t = (id: string) => intl.formatMessage({ id });
  const save = (e: FormEvent) => {
    e.preventDefault();
    void onSave({ op: 'add_object', label, one, customer, owner }).then((fine) => { if (fine) { setLabel(''); setOne(''); } });
  };
  return (
    <Panel title={t('own.object')}>
      <form className={css.form} onSubmit={save}>
        <label className={css.entry}>{t('own.many')}<input className={ui.field} required maxLength={60} dir="auto" value={label} onChange={(e) => setLabel(e.target.value)} /></label>
        <label className={css.entry}>{t('own.one')}<input className={ui.field} required maxLength={60} dir="auto" value={one} onChange={(e) => setOne(e.target.value)} /></label>
        <label className={css.tick}><input type="checkbox" checked={customer} onChange={(e) => setCustomer(e.target.checked)} />{t('own.customer')}</label>
        <label className={css.tick}><input type="checkbox" checked={owner} onChange={(e) => setOwner(e.target.checked)} />{t('own.owner')}</label>
        <p className={css.actions}><button type="submit" className={`${ui.button} ${ui.primary}`}><Plus size={15} aria-hidden />{t('own.add')}</button></p>
      </form>
    </Panel>
  );
}
