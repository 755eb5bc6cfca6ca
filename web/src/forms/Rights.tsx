// What a role may see and do, as choices instead of JSON: for every kind of record, and for single ones.
import { X } from 'lucide-react';
import { useIntl } from 'react-intl';
import { useModel } from '../lib/data';
import ui from '../ui/ui.module.css';
import css from './rights.module.css';

type Level = 'none' | 'own' | 'team' | 'all';
interface Said { see?: Level; change?: Level; delete?: Level; create?: boolean; export?: boolean; hide?: string[]; read_only?: string[] }
type Role = Record<string, Said | boolean | undefined>;

const read = (text: string): Role => { try { return JSON.parse(text || '{}') as Role; } catch { return {}; } };

export function Rights({ value, labelled, wrong, onChange }: { value: string; labelled: string; wrong?: string; onChange(value: string): void }) {
  const intl = useIntl();
  const objects = (useModel()?.objects ?? []).filter((o) => !o.derived);
  const role = read(value);
  const t = (id: string) => intl.formatMessage({ id });
  const put = (next: Role) => onChange(JSON.stringify(next));
  const said = (name: string) => (role[name] ?? {}) as Said;
  const set = (name: string, part: Said) => put({ ...role, [name]: Object.fromEntries(Object.entries({ ...said(name), ...part }).filter(([, v]) => v !== undefined)) as Said });
  const named = Object.keys(role).filter((k) => k !== '*' && k !== 'settings');
  const level = (name: string, key: 'see' | 'change' | 'delete', title: string) => (
    <label><span>{t(`rights.${key}`)}</span>
      <select className={ui.field} aria-label={`${title}: ${t(`rights.${key}`)}`} value={said(name)[key] ?? (name === '*' ? 'none' : '')} onChange={(e) => set(name, { [key]: (e.target.value || undefined) as Level | undefined })}>
        {name !== '*' && <option value="">{t('rights.same')}</option>}
        {(['none', 'own', 'team', 'all'] as const).map((l) => <option key={l} value={l}>{t(`rights.${l}`)}</option>)}
      </select>
    </label>
  );
  const may = (name: string, key: 'create' | 'export', title: string) => (
    <label><span>{t(`rights.${key}`)}</span>
      <select className={ui.field} aria-label={`${title}: ${t(`rights.${key}`)}`} value={said(name)[key] === undefined ? (name === '*' ? 'false' : '') : String(said(name)[key])} onChange={(e) => set(name, { [key]: e.target.value === '' ? undefined : e.target.value === 'true' })}>
        {name !== '*' && <option value="">{t('rights.same')}</option>}
        <option value="true">{t('rights.yes')}</option><option value="false">{t('rights.no')}</option>
      </select>
    </label>
  );
  const fields = (name: string, key: 'hide' | 'read_only', title: string) => {
    const object = objects.find((o) => o.name === name);
    const chosen = said(name)[key] ?? [];
    return (
      <details className={css.fields}>
        <summary>{t(`rights.${key}`)}{chosen.length > 0 && ` (${chosen.length})`}</summary>
        <div role="group" aria-label={`${title}: ${t(`rights.${key}`)}`}>
          {object?.fields.filter((f) => !f.derived && f.name !== object.title).map((f) => (
            <label key={f.name}><input type="checkbox" checked={chosen.includes(f.name)} onChange={(e) => set(name, { [key]: e.target.checked ? [...chosen, f.name] : chosen.filter((c) => c !== f.name) })} />{f.label}</label>
          ))}
        </div>
      </details>
    );
  };
  const block = (name: string, title: string) => (
    <fieldset key={name} className={css.block}>
      <legend>{title}{name !== '*' && <button type="button" className={ui.button} aria-label={`${t('rights.drop')}: ${title}`} onClick={() => put(Object.fromEntries(Object.entries(role).filter(([k]) => k !== name)))}><X size={13} aria-hidden /></button>}</legend>
      <div className={css.levels}>{level(name, 'see', title)}{level(name, 'change', title)}{level(name, 'delete', title)}{may(name, 'create', title)}{may(name, 'export', title)}</div>
      {name !== '*' && <>{fields(name, 'hide', title)}{fields(name, 'read_only', title)}</>}
    </fieldset>
  );
  const others = objects.filter((o) => !named.includes(o.name));
  return (
    <div role="group" aria-labelledby={labelled} aria-describedby={wrong} className={css.rights}>
      <label className={css.settings}><input type="checkbox" checked={role.settings === true} onChange={(e) => put({ ...role, settings: e.target.checked || undefined })} />{t('rights.settings')}</label>
      {block('*', t('rights.every'))}
      {named.map((name) => block(name, objects.find((o) => o.name === name)?.label ?? name))}
      <label><span className={ui.quiet}>{t('rights.add')}</span>
        <select className={ui.field} value="" onChange={(e) => { if (e.target.value) set(e.target.value, {}); }}>
          <option value="">–</option>{others.map((o) => <option key={o.name} value={o.name}>{o.label}</option>)}
        </select>
      </label>
    </div>
  );
}
