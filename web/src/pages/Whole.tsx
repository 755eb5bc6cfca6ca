// A change of everything that a list has found: how far it is, stopping it, taking it back.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Undo2, X } from 'lucide-react';
import { useEffect } from 'react';
import { useIntl } from 'react-intl';
import { get, send } from '../lib/api';
import { useFormat } from '../lib/format';
import ui from '../ui/ui.module.css';
import css from './selection.module.css';

interface Progress { state: 'running' | 'done' | 'cancelled' | 'failed' | 'undoing' | 'undone'; total: number; done: number; changed: number; refused: number; why: string | null }

export function Whole({ id, onClose }: { id: string; onClose(): void }) {
  const intl = useIntl();
  const format = useFormat();
  const client = useQueryClient();
  const path = `/api/bulk/${id}`;
  const key = ['bulk', id];
  const { data } = useQuery({ queryKey: key, queryFn: () => get<Progress>(path), refetchInterval: (q) => (['running', 'undoing', undefined].includes(q.state.data?.state) ? 400 : false) });
  const going = !data || data.state === 'running' || data.state === 'undoing';
  useEffect(() => { if (!going) void client.invalidateQueries({ queryKey: ['live'] }); }, [going, client]);
  const t = (name: string, values?: Record<string, string | number>) => intl.formatMessage({ id: name }, values);
  const tell = (method: string, to = path) => void send(to, method, method === 'POST' ? {} : undefined).then(() => client.invalidateQueries({ queryKey: key }));
  if (!data) return null;
  if (going) {
    return (
      <>
        <span role="status">{t(data.state === 'undoing' ? 'select.undoing' : 'select.running', { done: format.number(data.done), total: format.number(data.total) })}</span>
        <progress className={css.progress} max={data.total} value={data.state === 'undoing' ? undefined : data.done} aria-label={t('select.title')} />
        {data.state === 'running' && <button type="button" className={ui.button} onClick={() => tell('DELETE')}>{t('import.stop')}</button>}
      </>
    );
  }
  return (
    <>
      <span role="status">{t(data.state === 'undone' ? 'select.undone' : 'select.done', { count: data.state === 'undone' ? data.changed - data.refused : data.changed })}{data.refused > 0 && ` · ${t('select.refused', { count: data.refused })}`}</span>
      {data.why && <span role="alert" className={css.problem} dir="auto">{data.why}</span>}
      {data.state !== 'undone' && data.changed > 0 && <button type="button" className={ui.button} onClick={() => tell('POST', `${path}/undo`)}><Undo2 size={14} aria-hidden />{t('select.undo')}</button>}
      <button type="button" className={ui.button} aria-label={t('form.cancel')} onClick={onClose}><X size={14} aria-hidden /></button>
    </>
  );
}
