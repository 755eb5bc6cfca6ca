// Choosing another record by what it is called: type, and the list narrows.
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { Button, ComboBox, Input, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { ChevronDown } from 'lucide-react';
import { useIntl } from 'react-intl';
import { get, type Page } from '../lib/api';
import { titleOf } from '../lib/cell';
import { useModel } from '../lib/data';
import { containing } from '../lib/filter';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

interface Props { id?: string; to: string; value: string | null; title?: string; labelled: string; required?: boolean; wrong?: string; onChange(value: string | null, title?: string): void }

export function Pick({ id, to, value, title = '', labelled, required, wrong, onChange }: Props) {
  const intl = useIntl();
  const object = useModel()?.objects.find((o) => o.name === to);
  const [text, setText] = useState(title);
  const asked = useDeferredValue(text === title ? '' : text.trim());
  const filter = object && asked ? containing(object, asked) : undefined;
  const { data } = useQuery({
    queryKey: ['live', 'pick', to, filter],
    queryFn: () => get<Page>(`/api/records/${object?.plural}`, { filter, limit: 20 }),
    enabled: !!object,
  });
  const items = (data?.items ?? []).map((item) => ({ id: item.id, name: object ? titleOf(object, item) : '…' }));
  if (value && !items.some((i) => i.id === value)) items.unshift({ id: value, name: title || '…' });
  return (
    <ComboBox aria-labelledby={labelled} items={items} inputValue={text} selectedKey={value} menuTrigger="focus" allowsEmptyCollection isRequired={required ?? false}
      onInputChange={(next) => { setText(next); if (!next && value) onChange(null); }}
      onSelectionChange={(key) => {
        const chosen = items.find((i) => i.id === key);
        if (chosen) { setText(chosen.name); onChange(chosen.id, chosen.name); }
      }}
      defaultFilter={() => true}>
      <span className={css.pick}>
        <Input id={id} className={ui.field} aria-describedby={wrong} aria-invalid={!!wrong} />
        <Button className={css.arrow} aria-label={intl.formatMessage({ id: 'form.choose' })}><ChevronDown size={14} aria-hidden /></Button>
      </span>
      <Popover className={`${ui.popover} ${css.options}`}>
        <ListBox<{ id: string; name: string }> className={ui.menu} renderEmptyState={() => <span className={ui.choice}>{intl.formatMessage({ id: 'form.nothing' })}</span>}>
          {(item) => <ListBoxItem id={item.id} textValue={item.name} className={`${ui.choice} ${css.option}`}>{item.name}</ListBoxItem>}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
