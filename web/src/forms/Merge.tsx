// Two records of one thing become one: the other stays, this one points to it, and that can be taken back.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { send, type Item, type ObjectInfo } from '../lib/api';
import { useLabel } from '../lib/data';
import { Failure } from '../ui/Parts';
import { Ask } from './Ask';
import { Pick } from './Pick';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

/** `into` null takes a merge back. */
export function merge(object: ObjectInfo, item: Item, into: string | null) {
  return send(`/api/records/${object.plural}/${item.id}/merge`, 'POST', { into }, { 'if-match': `"${item.version}"` });
}

export function MergeDialog({ object, item, title, onDone }: { object: ObjectInfo; item: Item; title: string; onDone(into?: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const client = useQueryClient();
  const [into, setInto] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>();
  const save = () => {
    if (!into) return;
    merge(object, item, into).then(async () => { await client.invalidateQueries({ queryKey: ['live'] }); onDone(into); }, setProblem);
  };
  return (
    <Ask title={intl.formatMessage({ id: 'merge.title' }, { title })} go={intl.formatMessage({ id: 'merge.do' })} disabled={!into || into === item.id} onClose={() => onDone()} onGo={save}>
      <p className={ui.quiet}>{intl.formatMessage({ id: 'merge.about' })}</p>
      {!!problem && <Failure error={problem} />}
      <div className={css.field}><span id="merge-into">{label(`one.${object.name}`, object.label)}</span><Pick labelled="merge-into" to={object.name} value={into} onChange={setInto} /></div>
    </Ask>
  );
}
