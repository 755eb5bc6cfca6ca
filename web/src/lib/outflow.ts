// What went out to whom, and the alarms: asked for by those who watch over the whole workspace.
import { useQuery } from '@tanstack/react-query';
import { useIntl } from 'react-intl';
import { get } from './api';
import { useActor, useSession } from './data';
import { useFormat } from './format';

export type Way = 'file' | 'program' | 'screen';
interface Someone { actor: string; name: string | null; way: Way; program: string; rows: number; at: string }
export interface AlarmInfo extends Someone { id: number; seen: { at: string; by: string; name: string | null } | null }
export interface Taken extends Someone { object: string; times: number }
interface Outflow { limit: number; screens: number; days: number; alarms: AlarmInfo[]; taken: Taken[] }

export function useOutflow() {
  const { settings, whole } = useSession();
  return useQuery({ queryKey: ['outflow'], queryFn: () => get<Outflow>('/api/outflow'), enabled: settings && whole });
}

/** An alarm in one sentence. */
export function useAlarmText() {
  const intl = useIntl();
  const actor = useActor();
  const format = useFormat();
  return (a: AlarmInfo) => intl.formatMessage({ id: `alarm.${a.way}` }, { name: actor(a.name, a.actor), program: a.program, rows: format.number(a.rows) });
}
