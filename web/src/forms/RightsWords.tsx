// A role's rights as a line of words.
import { useIntl } from 'react-intl';
import { useLabel } from '../lib/data';

interface Said { see?: string; change?: string; delete?: string; create?: boolean; export?: boolean; hide?: string[] }

export function RightsWords({ value }: { value: string }) {
  const intl = useIntl();
  const label = useLabel();
  let role: Record<string, Said | boolean>;
  try { role = JSON.parse(value) as Record<string, Said | boolean>; } catch { return <>{value}</>; }
  const t = (id: string) => intl.formatMessage({ id });
  const one = (said: Said) => [
    ...(['see', 'change', 'delete'] as const).filter((k) => said[k]).map((k) => `${t(`rights.${k}`)}: ${t(`rights.${said[k] ?? 'none'}`)}`),
    ...(['create', 'export'] as const).filter((k) => said[k] !== undefined).map((k) => `${t(`rights.${k}`)}: ${t(said[k] ? 'rights.yes' : 'rights.no')}`),
    ...(said.hide?.length ? [`${t('rights.hide')}: ${said.hide.map((f) => label(`field.${f}`)).join(', ')}`] : []),
  ].join(' · ');
  const parts = Object.entries(role).filter((e): e is [string, Said] => typeof e[1] === 'object').map(([name, said]) => (name === '*' ? one(said) : `${label(`object.${name}`)} – ${one(said)}`));
  return <>{[...parts, ...(role.settings === true ? [t('rights.settings')] : [])].join(' | ')}</>;
}
