// Going anywhere and finding anything by typing: pages, new records, records. Opened by Ctrl+K or ⌘K.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Search } from 'lucide-react';
import { useDeferredValue, useEffect, useId, useState, type KeyboardEvent } from 'react';
import { Dialog, Modal, ModalOverlay } from 'react-aria-components';
import { useIntl } from 'react-intl';
import { get } from '../lib/api';
import { useCatalogue, useLabel, useModel, useSession } from '../lib/data';
import css from './palette.module.css';
import { placesOf } from './places';
import ui from './ui.module.css';

interface Found { found: { object: string; plural: string; id: string; title: string; by: string | null }[] }
interface Choice { key: string; title: string; note: string; go(): void }

export function Palette({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  const intl = useIntl();
  useEffect(() => {
    const press = (e: globalThis.KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') { e.preventDefault(); onOpenChange(true); }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [onOpenChange]);
  return (
    <ModalOverlay isOpen={open} isDismissable onOpenChange={onOpenChange} className={css.overlay ?? ''}>
      <Modal className={css.modal ?? ''}><Dialog className={css.dialog ?? ''} aria-label={intl.formatMessage({ id: 'search.open' })}><Finder onDone={() => onOpenChange(false)} /></Dialog></Modal>
    </ModalOverlay>
  );
}

export function FindButton({ className, hint, onPress }: { className?: string; hint?: boolean; onPress(): void }) {
  const intl = useIntl();
  return <button type="button" className={className} onClick={onPress}><Search size={hint ? 16 : 18} aria-hidden />{intl.formatMessage({ id: 'search.open' })}{hint && <kbd className={css.key}>Ctrl K</kbd>}</button>;
}

function Finder({ onDone }: { onDone(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const model = useModel();
  const session = useSession();
  const catalogue = useCatalogue();
  const navigate = useNavigate();
  const id = useId();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const words = useDeferredValue(text.trim());
  const { data } = useQuery({ queryKey: ['live', 'search', words], queryFn: () => get<Found>('/api/search', { q: words }), enabled: words.length > 1, placeholderData: keepPreviousData });
  const fits = (title: string) => !words || title.toLowerCase().includes(words.toLowerCase());
  const go = (run: () => unknown) => () => { onDone(); void run(); };
  const pages: Choice[] = [
    ...placesOf(session).map((p) => ({ key: p.to, title: intl.formatMessage({ id: p.name }), note: '', go: go(() => navigate({ to: p.to })) })),
    ...(model?.objects ?? []).filter((o) => !o.derived && o.name in session.may).map((o) => ({ key: o.name, title: o.label, note: intl.formatMessage({ id: 'nav.records' }), go: go(() => navigate({ to: '/records/$object', params: { object: o.plural } })) })),
    ...(words ? (catalogue ?? []).map((m) => ({ key: `m.${m.id}`, title: m.name, note: intl.formatMessage({ id: 'nav.metrics' }), go: go(() => navigate({ to: '/metrics/$id', params: { id: m.id } })) })) : []),
  ].filter((c) => fits(c.title));
  const records: Choice[] = words.length > 1 ? (data?.found ?? []).map((f) => ({ key: f.id, title: f.title, note: [label(`one.${f.object}`, label(`object.${f.object}`)), f.by].filter(Boolean).join(' · '), go: go(() => navigate({ to: '/records/$object/$id', params: { object: f.plural, id: f.id } })) })) : [];
  const choices = [...records, ...pages.slice(0, words ? 8 : 40)];
  const chosen = Math.min(at, choices.length - 1);
  const press = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    if (step && choices.length > 0) { e.preventDefault(); setAt((chosen + step + choices.length) % choices.length); }
    if (e.key === 'Enter') { e.preventDefault(); choices[chosen]?.go(); }
  };
  // Braces matter: newer browsers answer a promise, which is no way to clean up.
  useEffect(() => { document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: 'nearest' }); }, [id, chosen]);
  return (
    <>
      <input className={css.input} autoFocus dir="auto" role="combobox" aria-expanded aria-controls={`${id}-list`} aria-activedescendant={choices.length > 0 ? `${id}-${chosen}` : undefined} aria-autocomplete="list" aria-label={intl.formatMessage({ id: 'search.open' })}
        placeholder={intl.formatMessage({ id: 'search.hint' })} value={text} onChange={(e) => { setText(e.target.value); setAt(0); }} onKeyDown={press} />
      <ul className={css.list} id={`${id}-list`} role="listbox" aria-label={intl.formatMessage({ id: 'search.found' })}>
        {choices.map((c, i) => (
          <li key={c.key} id={`${id}-${i}`} role="option" aria-selected={i === chosen} className={css.choice} onMouseMove={() => setAt(i)} onClick={c.go}>
            <span dir="auto">{c.title}</span>{c.note && <span className={ui.quiet}>{c.note}</span>}
          </li>
        ))}
      </ul>
      {choices.length === 0 && <p className={css.none} role="status">{intl.formatMessage({ id: 'form.nothing' })}</p>}
    </>
  );
}
