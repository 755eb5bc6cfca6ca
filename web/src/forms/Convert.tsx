// A lead becomes a customer, new or known already, with a deal: all of it or nothing.
import { useQuery } from '@tanstack/react-query';
import { UserRoundCheck } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type Item, type Page } from '../lib/api';
import { useLabel, useMay } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite, type Change } from '../lib/write';
import { Select } from '../ui/Parts';
import { Ask } from './Ask';
import { Figure } from './Figure';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

interface Found { object: string; id: string; title: string; by: string | null }
const text = (v: unknown) => (typeof v === 'string' ? v : '');

export function Convert({ lead, onDone }: { lead: Item; onDone(customer: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const write = useWrite();
  const reason = useReason();
  const [open, setOpen] = useState(false);
  const [known, setKnown] = useState('');
  const [problem, setProblem] = useState('');
  const [typed, setTyped] = useState<{ customer?: string; deal?: string; amount?: string; stage?: string }>({});
  const may = { customer: useMay('customer').create, deal: useMay('deal').create, lead: useMay('lead').change };
  const name = text(lead.fields.company) || text(lead.fields.name);
  // Who has this address, number or name already?
  const words = [lead.fields.email, lead.fields.phone, name].map(text).filter((w) => w.length > 2);
  const twins = useQuery({ queryKey: ['twins', ...words], enabled: open && words.length > 0, queryFn: async () => {
    const found = await Promise.all(words.map((q) => get<{ found: Found[] }>('/api/search', { q })));
    const customers = found.flatMap((f) => f.found).filter((f) => f.object === 'customer');
    return [...new Map(customers.map((f) => [f.id, f])).values()];
  } });
  const stages = useQuery({ queryKey: ['stages'], enabled: open, queryFn: () => get<Page>('/api/records/stages', { filter: "kind = 'open'", sort: 'position', limit: 50 }) });
  const stage = typed.stage ?? stages.data?.items[0]?.id ?? '';
  const t = (id: string) => intl.formatMessage({ id });
  const save = async () => {
    const customer = known || 'new:customer';
    const copy = (fields: string[]) => Object.fromEntries(fields.filter((f) => lead.fields[f] != null).map((f) => [f, lead.fields[f]]));
    const kind = lead.fields.company ? 'company' : 'person';
    const changes: Change[] = [
      ...(known ? [] : [{ op: 'create' as const, object: 'customers', id: 'new:customer', fields: { name: typed.customer ?? name, kind, ...copy(['email', 'phone', 'country', 'segment', 'owner']), ...(lead.fields.source != null && { acquisition_source: lead.fields.source }), ...(lead.fields.channel != null && { acquisition_channel: lead.fields.channel }) } }]),
      ...(may.deal && stage ? [{ op: 'create' as const, object: 'deals', fields: { name: typed.deal ?? name, customer, lead: lead.id, stage, ...(typed.amount && { amount: typed.amount }), ...copy(['owner', 'source', 'channel', 'campaign', 'product']) } }] : []),
      { op: 'update', object: 'leads', id: lead.id, version: lead.version, fields: { customer, status: 'converted', ...(lead.fields.qualified_at == null && { qualified_at: new Date().toISOString() }) } },
    ];
    try {
      const done = await write(changes);
      onDone(known || done.new['new:customer'] || '');
    } catch (error) {
      setProblem(reason(error));
    }
  };
  if (lead.fields.customer || !may.customer || !may.lead) return null;
  const field = (key: 'customer' | 'deal', title: string, begin: string, more: React.InputHTMLAttributes<HTMLInputElement> = {}) => (
    <label className={css.field}><span>{title}</span><input className={ui.field} dir="auto" value={typed[key] ?? begin} onChange={(e) => setTyped({ ...typed, [key]: e.target.value })} {...more} /></label>
  );
  return (
    <>
      <button type="button" className={ui.button} onClick={() => setOpen(true)}><UserRoundCheck size={15} aria-hidden />{t('lead.convert')}</button>
      <Ask title={t('lead.convert')} problem={problem} open={open} go={t('lead.convert')} onClose={() => setOpen(false)} onGo={() => void save()}>
          {(twins.data?.length ?? 0) > 0 && (
            <fieldset className={css.twins}>
              <legend>{t('lead.twins')}</legend>
              <label><input type="radio" name="known" checked={!known} onChange={() => setKnown('')} />{t('lead.new')}</label>
              {twins.data?.map((f) => <label key={f.id}><input type="radio" name="known" checked={known === f.id} onChange={() => setKnown(f.id)} /><span dir="auto">{f.title}{f.by && ` · ${f.by}`}</span></label>)}
            </fieldset>
          )}
          {!known && field('customer', label('one.customer'), name, { required: true })}
          {may.deal && <>{field('deal', label('one.deal'), name, { required: true })}<label className={css.field}><span>{label('field.amount')}</span><Figure value={typed.amount ?? ''} onChange={(amount) => setTyped({ ...typed, amount })} /></label>
            <Select label={label('field.stage')} value={stage} onChange={(s) => setTyped({ ...typed, stage: s })} options={(stages.data?.items ?? []).map((s) => ({ value: s.id, label: text(s.fields.name) }))} /></>}
      </Ask>
    </>
  );
}
