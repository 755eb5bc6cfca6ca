// What is wrong with what was typed into a form, field by field, before it is sent; the server has the last word. And where
// the first of it is, so that nobody has to look for it. It knows nothing of how fields are drawn, but that each stands in
// an element that names it.
import type { FieldInfo } from '../lib/api';

/** Keys of the words for what may be wrong. */
export type Wrong = 'missing' | 'email' | 'url' | 'number' | 'length';

const empty = (value: unknown) => value === null || value === undefined || (typeof value === 'string' && !value.trim()) || (Array.isArray(value) && value.length === 0);

export function wrongWith(field: FieldInfo, value: unknown): Wrong | undefined {
  if (empty(value)) return field.required && field.type !== 'bool' ? 'missing' : undefined;
  const text = typeof value === 'string' ? value.trim() : '';
  switch (field.type) {
    case 'email': return /^[^\s@]+@[^ ]*\.[^ ]*$/.test(text) ? undefined : 'email';
    case 'url': return /^https?:\/\/\S+$/i.test(text) ? undefined : 'url';
    case 'int': case 'percent': case 'decimal': return typeof value === 'number' || /^-?(\d+\.?\d*|\.\d+)%?$/.test(text) ? undefined : 'number';
    case 'money': return /^-?(\d+\.?\d*|\.\d+)$/.test(String((value as { amount?: string }).amount ?? '').trim()) ? undefined : 'number';
    case 'duration': return typeof value === 'number' ? undefined : 'length';
    default: return undefined;
  }
}

/** What in a form the browser itself holds for unfinished, such as hours that cannot be read: the words by field. */
export function unfinished(form: ParentNode): Record<string, string> {
  const found: Record<string, string> = {};
  for (const cell of form.querySelectorAll<HTMLElement>('[data-field]')) {
    const control = [...cell.querySelectorAll<HTMLInputElement>('input, textarea, select')].find((c) => c.validity.customError && !c.validity.valueMissing);
    if (control && cell.dataset.field) found[cell.dataset.field] = control.validationMessage;
  }
  return found;
}

const REACHED = 'input:not([type=hidden]):not([disabled]), select, textarea, [role=spinbutton], button';

/** Leads to the first field, in the order of the page, that something is wrong with; answers whether there is one. */
export function leadTo(form: ParentNode, wrong: Record<string, unknown>): boolean {
  const cell = [...form.querySelectorAll<HTMLElement>('[data-field]')].find((c) => (c.dataset.field ?? '') in wrong);
  if (!cell) return false;
  for (let at: Element | null = cell; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
  const control = cell.querySelector<HTMLElement>('[aria-invalid=true]:is(input, select, textarea)') ?? cell.querySelector<HTMLElement>(REACHED);
  control?.focus({ preventScroll: true });
  cell.scrollIntoView({ block: 'nearest' });
  return true;
}
