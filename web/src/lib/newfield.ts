// A field of one's own for a column that none stands for: its type by how the values look. It knows nothing of screens.

/** The type that a column's values are of. */
export function typeOf(values: string[]): string {
  const given = values.map((v) => v.trim()).filter(Boolean);
  const all = (test: RegExp) => given.length > 0 && given.every((v) => test.test(v));
  if (all(/^[^\s@]+@[^\s@]+\.[^\s@]+$/)) return 'email';
  if (all(/^https?:\/\//i)) return 'url';
  if (all(/^(true|false|yes|no|tak|nie|да|нет|是|否|igen|nem|بله|خیر)$/i)) return 'bool';
  if (all(/^\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}/)) return 'datetime';
  if (all(/^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})$/)) return 'date';
  // Zeros in front and long rows of digits are names of things, not amounts of them.
  if (all(/^-?(0|[1-9]\d{0,11})$/)) return 'int';
  if (all(/^(?=.*\d)(?=.*[$€£¥₽₺₴]|.*\b(zł|Ft|kr|Kč|[A-Z]{3})\b)[^a-z]*[-\d.,\s]+.*$/)) return 'money';
  if (all(/^-?\d{1,12}[.,]\d{1,6}$/)) return 'decimal';
  if (given.some((v) => v.length > 120)) return 'long_text';
  return given.length >= 6 && new Set(given).size * 2 <= given.length ? 'label' : 'text';
}
