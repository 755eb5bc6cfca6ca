// Choosing another record by what it is called: type, and the list narrows; what is not there yet can be made at once, where
// a name is all that it needs.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useDeferredValue, useState, type KeyboardEvent } from 'react';
import { Button, ComboBox, Input, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { ChevronDown } from 'lucide-react';
import { useIntl } from 'react-intl';
import { ApiError, get, send, type Page } from '../lib/api';
import { titleOf } from '../lib/cell';
import { useMay, useModel } from '../lib/data';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

/** Stands for one that is to be made. */
const NEW = 'new';

/** Enter chooses and never saves the form: the list may have closed just now, since what is behind it scrolled. */
const stay = (e: KeyboardEvent) => { if (e.key === 'Enter' && !e.nativeEvent.isComposing) e.preventDefault(); };

interface Props { id?: string; to: string; value: string | null; title?: string; labelled: string; required?: boolean; wrong?: string; onChange(value: string | null, title?: string): void }

export function Pick({ id, to, value, title = '', labelled, required, wrong, onChange }: Props) {
  const intl = useIntl();
  const object = useModel()?.objects.find((o) => o.name === to);
  const client = useQueryClient();
  const may = useMay(to);
  // What it is called by whoever opened the form, until somebody types.
  const [typed, setText] = useState<string>();
  const text = typed ?? title;
  const [made, setMade] = useState<{ id: string; name: string }>();
  const [failed, setFailed] = useState('');
  const named = text === title ? '' : text.trim();
  const asked = useDeferredValue(named);
  const { data } = useQuery({
    queryKey: ['live', 'pick', to, asked],
    queryFn: () => get<Page>(`/api/records/${object?.plural}`, { search: asked || undefined, limit: 20 }),
    enabled: !!object,
  });
  // Until what was typed is answered nothing is offered: an arrow and Enter must not take what stood there before.
  const answered = asked === named && !!data;
  const items = (answered ? data.items : []).map((item) => ({ id: item.id, name: object ? titleOf(object, item) : '…' }));
  if (value && !items.some((i) => i.id === value)) items.unshift({ id: value, name: (made?.id === value ? made.name : title) || '…' });
  const byName = !!object && may.create && object.fields.every((f) => !f.required || f.default !== null || (f.name === object.title && f.type === 'text'));
  if (byName && answered && named && !items.some((i) => i.name.toLowerCase() === named.toLowerCase())) items.push({ id: NEW, name: intl.formatMessage({ id: 'form.create' }, { name: named }) });
  const make = async (name: string) => {
    setText(name);
    try {
      const { id } = await send<{ id: string }>(`/api/records/${object?.plural}`, 'POST', { [object?.title ?? '']: name });
      setMade({ id, name });
      onChange(id, name);
      await client.invalidateQueries({ queryKey: ['live'] });
    } catch (error) {
      setFailed(error instanceof ApiError ? error.problem.detail : String(error));
    }
  };
  return (
    <ComboBox aria-labelledby={labelled} items={items} inputValue={text} selectedKey={value} menuTrigger="focus" allowsEmptyCollection isRequired={required ?? false}
      onInputChange={(next) => { setText(next); setFailed(''); if (!next && value) onChange(null); }}
      onSelectionChange={(key) => {
        if (key === NEW) { void make(named); return; }
        const chosen = items.find((i) => i.id === key);
        if (chosen) { setText(chosen.name); onChange(chosen.id, chosen.name); }
      }}
      defaultFilter={() => true}>
      <span className={css.pick} onKeyDownCapture={stay}>
        <Input id={id} className={ui.field} aria-describedby={wrong} aria-invalid={!!wrong} />
        <Button className={css.arrow} aria-label={intl.formatMessage({ id: 'form.choose' })}><ChevronDown size={14} aria-hidden /></Button>
      </span>
      <Popover className={`${ui.popover} ${css.options}`}>
        <ListBox<{ id: string; name: string }> className={ui.menu} renderEmptyState={() => <span className={ui.choice}>{answered ? intl.formatMessage({ id: 'form.nothing' }) : '…'}</span>}>
          {(item) => <ListBoxItem id={item.id} textValue={item.name} className={`${ui.choice} ${css.option}`}>{item.name}</ListBoxItem>}
        </ListBox>
      </Popover>
      {failed && <span className={css.wrong} role="alert">{failed}</span>}
    </ComboBox>
  );
}
