// Everything that happened with somebody, newest first, of whatever kind it is.
import { useState, type ReactNode } from 'react';
import { Link } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import type { Item, ObjectInfo, Page } from '../lib/api';
import { titleOf } from '../lib/cell';
import { useLabel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Panel, Select } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './timeline.module.css';

/** Whose records have enough going on around them. */
export const WITH_TIMELINE = ['customer', 'lead', 'deal', 'contact'];
/** What a machine writes by the dozen says nothing of its own. */
const QUIET = ['send_event', 'user_action', 'user_session', 'order_line', 'subscription', 'survey_invite', 'consent_event', 'engagement_event'];

interface Part { object: ObjectInfo; at: string; page: Page | undefined }
interface Moment { object: ObjectInfo; item: Item; at: string }

/** The moments that are surely all there: of a kind with more than was asked for, nothing older than its last is shown. */
export function moments(parts: Part[]): { shown: Moment[]; more: boolean } {
  let since = '';
  const all: Moment[] = [];
  const met = new Set<string>();
  for (const { object, at, page } of parts) {
    if (!page || QUIET.includes(object.name)) continue;
    const own = page.items.filter((item) => typeof item.fields[at] === 'string').map((item) => ({ object, item, at: String(item.fields[at]) }));
    for (const moment of own) if (!met.has(moment.item.id)) { met.add(moment.item.id); all.push(moment); }
    const last = own.at(-1);
    if (page.total > page.items.length && last && last.at > since) since = last.at;
  }
  all.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  return { shown: all.filter((m) => m.at >= since), more: since !== '' };
}

export function Timeline({ all, note, onMore }: { all: Part[]; note: ReactNode; onMore(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const [kind, setKind] = useState('');
  const kinds = [...new Map(all.filter((p) => (p.page?.total ?? 0) > 0 && !QUIET.includes(p.object.name)).map((p) => [p.object.name, p.object.label]))];
  const { shown, more } = moments(kind ? all.filter((p) => p.object.name === kind) : all);
  const said = (m: Moment) => [m.item.fields.kind, m.item.fields.status, m.item.fields.outcome].filter((v): v is string => typeof v === 'string').map((v) => label(`option.${v}`, v)).slice(0, 2).join(' · ');
  return (
    <Panel title={intl.formatMessage({ id: 'timeline.title' })} aside={<Select hideLabel label={intl.formatMessage({ id: 'timeline.kind' })} value={kind} onChange={setKind} options={[{ value: '', label: intl.formatMessage({ id: 'timeline.all' }) }, ...kinds.map(([value, name]) => ({ value, label: name }))]} />}>
      {note}
      <ol className={css.line}>
        {shown.map((m) => (
          <li key={m.item.id} className={css.moment}>
            <span className={`${ui.quiet} num ${css.at}`}>{m.at.length > 10 ? format.instant(m.at) : format.day(m.at)}</span>
            <span className={css.what}>
              <span className={css.kind}>{label(`one.${m.object.name}`, m.object.label)}</span>
              <Link dir="auto" to="/records/$object/$id" params={{ object: m.object.plural, id: m.item.id }}>{titleOf(m.object, m.item)}</Link>
              <span className={ui.quiet}>{said(m)}</span>
              {typeof m.item.fields.body === 'string' && <span className={css.body} dir="auto">{m.item.fields.body}</span>}
            </span>
          </li>
        ))}
      </ol>
      {more && <button type="button" className={ui.button} onClick={onMore}>{intl.formatMessage({ id: 'records.more' })}</button>}
    </Panel>
  );
}
