// Contact cards (RFC 6350, and what phones write of the older kinds): read into a table for the import, and written of
// a record.
import type { Item } from './api';

interface Line { name: string; value: string }

const unescaped = (text: string) => text.replace(/\\([nN,;\\])/g, (_, c: string) => (c === 'n' || c === 'N' ? '\n' : c));
const escaped = (text: string) => text.replace(/[\\,;]/g, (c) => `\\${c}`).replace(/\r?\n/g, '\\n');
/** The parts of a value between semicolons that are not escaped. */
const parts = (value: string) => value.split(/(?<!\\);/).map(unescaped);

function quotedPrintable(text: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const code = text[i] === '=' ? parseInt(text.slice(i + 1, i + 3), 16) : NaN;
    if (Number.isNaN(code)) bytes.push(...new TextEncoder().encode(text[i]));
    else { bytes.push(code); i += 2; }
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

function lines(text: string): Line[] {
  // A line goes on where the next begins with a space, or after a quoted-printable line's last sign.
  const whole = text.replace(/\r\n?/g, '\n').replace(/\n[ \t]/g, '').replace(/=\n/g, '');
  return whole.split('\n').flatMap((line) => {
    const at = line.search(/:/);
    if (at < 1) return [];
    const [head = '', ...options] = line.slice(0, at).split(';');
    const value = line.slice(at + 1);
    const quoted = options.some((o) => /^(ENCODING=)?QUOTED-PRINTABLE$/i.test(o));
    return [{ name: (head.split('.').at(-1) ?? '').toUpperCase(), value: quoted ? quotedPrintable(value) : value }];
  });
}

export const COLUMNS = ['name', 'company', 'email', 'phone', 'role', 'city', 'country', 'website', 'note'] as const;

/** The cards of a file, a row each; a card without any name is left out. */
export function cards(text: string): Record<(typeof COLUMNS)[number], string>[] {
  const found: Line[][] = [];
  for (const line of lines(text)) {
    if (line.name === 'BEGIN') found.push([]);
    else found.at(-1)?.push(line);
  }
  return found.map((card) => {
    const get = (name: string) => card.find((l) => l.name === name && l.value.trim())?.value.trim() ?? '';
    const [family = '', given = '', more = ''] = parts(get('N'));
    const address = parts(get('ADR'));
    const company = parts(get('ORG')).filter(Boolean).join(', ');
    const name = unescaped(get('FN')) || [given, more, family].filter(Boolean).join(' ') || company;
    return { name, company, email: unescaped(get('EMAIL')), phone: get('TEL').replace(/^tel:/i, ''), role: unescaped(get('TITLE')), city: address[3] ?? '', country: address[6] ?? '', website: unescaped(get('URL')), note: unescaped(get('NOTE')) };
  }).filter((card) => card.name);
}

const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
export const table = (text: string) => [COLUMNS.join(','), ...cards(text).map((card) => COLUMNS.map((c) => cell(card[c])).join(','))].join('\n');

/** A record as a card. */
export function cardOf(item: Item, title: string): string {
  const text = (name: string) => (typeof item.fields[name] === 'string' ? item.fields[name] : '');
  const company = item.fields.kind === 'company' ? title : item.titles.customer ?? text('company');
  const of: [string, string][] = [
    ['FN', escaped(title)], ['N', `${escaped(title)};;;;`], ['ORG', escaped(company)], ['EMAIL', escaped(text('email'))], ['TEL', text('phone')], ['TITLE', escaped(text('role'))],
    ['ADR', text('city') || text('country') ? `;;;${escaped(text('city'))};;;${escaped(text('country'))}` : ''], ['URL', escaped(text('website'))],
  ];
  return ['BEGIN:VCARD', 'VERSION:4.0', ...of.filter(([, value]) => value).map(([name, value]) => `${name}:${value.replace(/[\r\n]/g, ' ')}`), 'END:VCARD', ''].join('\r\n');
}
