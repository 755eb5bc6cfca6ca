// A condition on what records say themselves, clicked together; one that says more than that is written.
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useIntl } from 'react-intl';
import { get, type Page } from '../lib/api';
import { useModel } from '../lib/data';
import { conditionsIn, filterOf, operatorsOf, type Condition } from '../lib/filter';
import ui from '../ui/ui.module.css';
import { Filters } from './Filters';
import css from './forms.module.css';

/** `on` is the object, `children` the field in which it is written. */
export function Rule({ on, labelled, wrong, value, onChange, children }: { on: string; labelled: string; wrong?: string; value: string; onChange(value: string | null): void; children: ReactNode }) {
  const intl = useIntl();
  const object = useModel()?.objects.find((o) => o.name === on);
  const told = object && { ...object, fields: object.fields.filter((f) => !f.derived && f.type !== 'ref' && f.name !== 'id') };
  const first = told?.fields.find((f) => f.filterable && operatorsOf(f)[0] === 'contains' && f.name !== told.title);
  const begin = (): Condition[] => (first ? [{ field: first.name, op: 'is', value: '' }] : []);
  const [conditions, setConditions] = useState(() => (told && value ? conditionsIn(told, value) : begin()));
  // What was typed into it may not be complete yet; only what is counts.
  const holding = useQuery({ queryKey: ['live', 'rule', on, value], queryFn: () => get<Page>(`/api/records/${object?.plural}`, { filter: value, limit: 1 }), enabled: !!object && !!value, retry: false }).data?.total;
  const known = told && value ? conditionsIn(told, value) : begin();
  const set = (next: Condition[]) => { setConditions(next); onChange((told && filterOf(told, next)) ?? null); };
  return (
    <div className={css.rule} role="group" aria-labelledby={labelled} aria-describedby={wrong}>
      {told && conditions ? <Filters object={told} conditions={conditions} onChange={set} /> : children}
      {holding !== undefined && <span className={`${ui.quiet} num`} role="status">{intl.formatMessage({ id: 'rule.now' }, { count: holding })}</span>}
      {told && (conditions || known) && <button type="button" className={ui.button} onClick={() => setConditions(conditions ? undefined : known)}>{intl.formatMessage({ id: conditions ? 'rule.write' : 'rule.click' })}</button>}
    </div>
  );
}
