// Lists kept to be seen again: one's own, or everybody's.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Bookmark, Trash2 } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { Button, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import { useIntl } from 'react-intl';
import { get, send, type Page } from '../lib/api';
import { useMay, useSession } from '../lib/data';
import { useReason } from '../lib/reason';
import type { ListSearch } from './Records';
import ui from '../ui/ui.module.css';
import css from './saved.module.css';

export function Saved({ plural, search, onChoose }: { plural: string; search: ListSearch; onChoose(search: ListSearch): void }) {
  const intl = useIntl();
  const client = useQueryClient();
  const reason = useReason();
  const { user } = useSession();
  const may = useMay('saved_list');
  const [open, setOpen] = useState(false);
  const [name, setName] = useState('');
  const [everybody, setEverybody] = useState(!user);
  const [problem, setProblem] = useState('');
  const t = (id: string, values?: Record<string, string>) => intl.formatMessage({ id }, values);
  const lists = useQuery({ queryKey: ['live', 'saved', plural], queryFn: () => get<Page>('/api/records/saved_lists', { filter: `of = '${plural}'`, sort: 'name', limit: 100 }) });
  const run = (work: Promise<unknown>) => void work.then(() => { setProblem(''); setName(''); return client.invalidateQueries({ queryKey: ['live', 'saved'] }); }, (e: unknown) => setProblem(reason(e)));
  const save = (e: FormEvent) => {
    e.preventDefault();
    run(send('/api/records/saved_lists', 'POST', { name, of: plural, search: JSON.stringify(search), ...(!everybody && user && { owner: user }) }));
  };
  const items = lists.data?.items ?? [];
  return (
    <DialogTrigger isOpen={open} onOpenChange={setOpen}>
      <Button className={ui.button} aria-label={t('saved.title')}><Bookmark size={15} aria-hidden /></Button>
      <Popover className={ui.popover} placement="bottom end">
        <Dialog className={css.box ?? ''} aria-label={t('saved.title')}>
          {items.length === 0 && <p className={ui.quiet}>{t('saved.none')}</p>}
          {items.map((item) => (
            <div key={item.id} className={css.row}>
              <button type="button" className={ui.choice} onClick={() => { onChoose(JSON.parse(String(item.fields.search ?? '{}')) as ListSearch); setOpen(false); }}>
                <span dir="auto">{String(item.fields.name)}</span>{item.fields.owner == null && <span className={ui.quiet}>{t('saved.all')}</span>}
              </button>
              {may.delete && <button type="button" className={ui.button} aria-label={t('saved.drop', { name: String(item.fields.name) })} onClick={() => run(send(`/api/records/saved_lists/${item.id}`, 'DELETE'))}><Trash2 size={14} aria-hidden /></button>}
            </div>
          ))}
          {may.create && (
            <form className={css.form} onSubmit={save}>
              <input className={ui.field} value={name} onChange={(e) => setName(e.target.value)} required maxLength={100} placeholder={t('saved.name')} aria-label={t('saved.name')} />
              {user && <label className={css.check}><input type="checkbox" checked={everybody} onChange={(e) => setEverybody(e.target.checked)} />{t('saved.all')}</label>}
              {problem && <p role="alert" className={css.wrong}>{problem}</p>}
              <button type="submit" className={`${ui.button} ${ui.primary}`}>{t('saved.save')}</button>
            </form>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
