// The catalogue: every metric with its current value, by group, with search.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { askQuery, useCatalogue, useLabel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Failure, Loading } from '../ui/Parts';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import { usePeriod } from './Overview';
import css from './metric.module.css';

/** The order in which a business reads them; groups of one's own come last. */
const GROUPS = ['sales', 'marketing', 'customers', 'service', 'perception', 'adoption'];

export function Metrics() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const { search, range, calendar } = usePeriod();
  const [text, setText] = useState('');
  const catalogue = useCatalogue();
  const values = useQuery({ ...askQuery({ ...range, calendar, metrics: catalogue?.map((m) => m.id).join(',') ?? '' }), enabled: !!catalogue });
  const found = catalogue?.filter((m) => `${m.name} ${m.id} ${m.explanation}`.toLowerCase().includes(text.toLowerCase())) ?? [];
  const place = (group: string) => (GROUPS.includes(group) ? GROUPS.indexOf(group) : GROUPS.length);
  const groups = [...new Set(found.map((m) => m.group))].sort((a, b) => place(a) - place(b));
  const control = <><Link to="/quality" search={search} className={ui.button}>{intl.formatMessage({ id: 'quality.title' })}</Link><Link to="/declare" search={search} className={ui.button}>{intl.formatMessage({ id: 'declare.title' })}</Link><input className={ui.field} type="search" value={text} onChange={(e) => setText(e.target.value)} placeholder={intl.formatMessage({ id: 'metric.search' })} aria-label={intl.formatMessage({ id: 'metric.search' })} /></>;
  return (
    <Page title={intl.formatMessage({ id: 'nav.metrics' })} controls={control}>
      {values.error && <Failure error={values.error} retry={() => void values.refetch()} />}
      {!catalogue && <Loading />}
      {groups.map((group) => (
        <section key={group} aria-label={label(`group.${group}`)}>
          <h2 className={css.group}>{label(`group.${group}`)}</h2>
          <div className={css.catalogue}>
            {found.filter((m) => m.group === group).map((m) => {
              const total = values.data?.metrics.find((a) => a.id === m.id)?.total;
              return (
                <Link key={m.id} to="/metrics/$id" params={{ id: m.id }} search={search} className={`${ui.panel} ${css.card}`}>
                  <strong>{m.name}</strong>
                  <span className={`${css.value} num`}>{!total ? '…' : total.value === null ? '–' : format.value(m.unit, total.value, true)}</span>
                  <span className={ui.quiet}>{total?.value === null ? label(`reason.${total.reason ?? 'no_data'}`) : m.explanation}</span>
                </Link>
              );
            })}
          </div>
        </section>
      ))}
    </Page>
  );
}
