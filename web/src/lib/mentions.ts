// Colleagues named in a text with an @: who they are, and what is offered while a name is typed.
export interface Colleague { id: string; name: string }

const plain = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

/** Those whose whole name, or first name if nobody else has it, stands after an @. */
export function mentioned(text: string, staff: Colleague[]): Colleague[] {
  const said = plain(text);
  const first = (c: Colleague) => plain(c.name).split(/\s+/)[0] ?? '';
  const stands = (name: string) => name !== '' && new RegExp(`(?<![\\p{L}\\p{N}._-])@${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'u').test(said);
  const whole = staff.filter((c) => stands(plain(c.name)));
  const short = staff.filter((c) => !whole.includes(c) && staff.filter((o) => first(o) === first(c)).length === 1 && stands(first(c)));
  return [...whole, ...short];
}

/** What could be meant by the name that is being typed at the end of a text. */
export function offered(text: string, staff: Colleague[]): Colleague[] {
  const typed = /(?:^|\s)@([\p{L}\p{N}'’-]*(?: [\p{L}\p{N}'’-]*)?)$/u.exec(text)?.[1];
  if (typed === undefined) return [];
  return staff.filter((c) => plain(c.name).startsWith(plain(typed)) && plain(c.name) !== plain(typed)).slice(0, 6);
}

export const completed = (text: string, name: string) => text.replace(/@[^@]*$/u, `@${name} `);
