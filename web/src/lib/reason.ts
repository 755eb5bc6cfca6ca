// What went wrong, in words for whoever tried.
import { useIntl } from 'react-intl';
import { ApiError } from './api';

/** What the server said; that it was not reached; or what the program says of itself. */
export function useReason() {
  const intl = useIntl();
  return (error: unknown): string => (error instanceof ApiError ? error.problem.detail || intl.formatMessage({ id: 'form.offline' }) : error instanceof Error ? error.message : String(error));
}
