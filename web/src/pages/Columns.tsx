// Which columns a list shows, in the order they were chosen, and by what its rows are kept together.
import { Columns3Cog } from 'lucide-react';
import { Button, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import { useIntl } from 'react-intl';
import type { ObjectInfo } from '../lib/api';
import { Select } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './saved.module.css';

const GROUPED = ['choice', 'label', 'ref', 'bool', 'currency'];

export function Columns({ object, shown, group, onShow, onGroup }: { object: ObjectInfo; shown: string[]; group?: string; onShow(names: string[]): void; onGroup(name?: string): void }) {
  const intl = useIntl();
  const t = (id: string) => intl.formatMessage({ id });
  const fields = object.fields.filter((f) => !['json', 'refs', 'merged_into'].includes(f.type) && f.name !== 'merged_into');
  const sorted = [...fields].sort((a, b) => Number(shown.includes(b.name)) - Number(shown.includes(a.name)) || a.label.localeCompare(b.label));
  return (
    <DialogTrigger>
      <Button className={ui.button} aria-label={t('columns.title')}><Columns3Cog size={15} aria-hidden /></Button>
      <Popover className={ui.popover} placement="bottom end">
        <Dialog className={css.box ?? ''} aria-label={t('columns.title')}>
          <Select label={t('columns.group')} value={group ?? ''} onChange={(v) => onGroup(v || undefined)} options={[{ value: '', label: t('columns.none') }, ...fields.filter((f) => f.filterable && GROUPED.includes(f.type)).map((f) => ({ value: f.name, label: f.label }))]} />
          {sorted.map((f) => (
            <label key={f.name} className={css.check}>
              <input type="checkbox" checked={shown.includes(f.name)} disabled={shown.length === 1 && shown[0] === f.name} onChange={(e) => onShow(e.target.checked ? [...shown, f.name] : shown.filter((n) => n !== f.name))} />{f.label}
            </label>
          ))}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
