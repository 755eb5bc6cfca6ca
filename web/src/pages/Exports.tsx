// What went out of the workspace: alarms to deal with, and who took how much of what.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { Ask } from '../forms/Ask';
import { ApiError, send } from '../lib/api';
import { useActor, useLabel } from '../lib/data';
import { useFormat } from '../lib/format';
import { useAlarmText, useOutflow, type AlarmInfo } from '../lib/outflow';
import { Failure, Loading, Panel, Table } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import css from './account.module.css';

export function Exports() {
  const intl = useIntl();
  const format = useFormat();
  const label = useLabel();
  const actor = useActor();
  const { data, error, refetch } = useOutflow();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  if (error) return <Page title={t('nav.exports')}><Failure error={error} retry={() => void refetch()} /></Page>;
  if (!data) return <Page title={t('nav.exports')}><Loading /></Page>;
  return (
    <Page title={t('nav.exports')} controls={<Link to="/records/$object" params={{ object: 'workspaces' }} className={ui.button}>{t('alarm.limit')}</Link>}>
      <Panel title={t('alarm.title')}>
        {data.alarms.length === 0 && <p className={ui.quiet}>{t('alarm.none', { limit: format.number(data.limit), screens: format.number(data.limit * data.screens) })}</p>}
        <ul className={css.list}>{data.alarms.map((a) => <Row key={a.id} alarm={a} />)}</ul>
      </Panel>
      <Panel title={t('out.title', { days: format.number(data.days) })}>
        {data.taken.length === 0 ? <p className={ui.quiet}>{t('out.none')}</p> : (
          <Table label={t('out.title', { days: format.number(data.days) })}>
            <thead><tr><th>{t('out.who')}</th><th>{t('out.way')}</th><th>{t('out.what')}</th><th className={table.right}>{t('groups.count')}</th><th className={table.right}>{t('out.times')}</th><th>{t('out.last')}</th></tr></thead>
            <tbody>
              {data.taken.map((o) => (
                <tr key={`${o.actor} ${o.way} ${o.program} ${o.object} ${o.at}`}>
                  <td dir="auto">{actor(o.name, o.actor)}</td>
                  <td>{t(`out.${o.way}`)}{o.program && <> · <bdi>{o.program}</bdi></>}</td>
                  <td>{label(`object.${o.object}`)}</td>
                  <td className={`${table.right} num`}>{format.number(o.rows)}</td>
                  <td className={`${table.right} num`}>{format.number(o.times)}</td>
                  <td className="num">{format.instant(o.at)}</td>
                </tr>
              ))}
            </tbody>
          </Table>
        )}
      </Panel>
    </Page>
  );
}

function Row({ alarm }: { alarm: AlarmInfo }) {
  const intl = useIntl();
  const format = useFormat();
  const actor = useActor();
  const client = useQueryClient();
  const text = useAlarmText();
  const [ending, setEnding] = useState(false);
  const t = (id: string, values?: Record<string, string>) => intl.formatMessage({ id }, values);
  const name = actor(alarm.name, alarm.actor);
  const deal = useMutation({
    mutationFn: (end: boolean) => send(`/api/outflow/alarms/${alarm.id}`, 'PUT', { end }),
    onSuccess: () => { setEnding(false); return client.invalidateQueries({ queryKey: ['outflow'] }); },
  });
  const problem = deal.error instanceof ApiError ? deal.error.problem.detail : deal.error ? String(deal.error) : undefined;
  return (
    <li>
      <span>
        <strong dir="auto">{text(alarm)}</strong><br />
        <span className={`${ui.quiet} num`}>{format.instant(alarm.at)}{alarm.seen && ` · ${t('alarm.seen', { name: actor(alarm.seen.name, alarm.seen.by), at: format.instant(alarm.seen.at) })}`}</span>
        {problem && !ending && <><br /><span role="alert" className={css.wrong}>{problem}</span></>}
      </span>
      {!alarm.seen && (
        <div className={table.actions}>
          <button type="button" className={ui.button} disabled={deal.isPending} onClick={() => deal.mutate(false)}>{t('alarm.right')}</button>
          <button type="button" className={ui.button} disabled={deal.isPending} onClick={() => setEnding(true)}>{t('alarm.end', { name })}</button>
        </div>
      )}
      {ending && <Ask title={t('alarm.end', { name })} go={t('account.end')} problem={problem} disabled={deal.isPending} onClose={() => setEnding(false)} onGo={() => deal.mutate(true)}><p className={ui.quiet}>{t('alarm.end.hint')}</p></Ask>}
    </li>
  );
}
