// In which encoding a list's bytes are: Unicode where they say so, else the one of the old code pages in whose letters the
// text makes words. It knows nothing of screens.
import type { Language } from './prefs';

/** What lists of these languages were mostly written in before Unicode. */
export const ENCODINGS: Record<Language, string> = { en: 'windows-1252', pl: 'windows-1250', hu: 'windows-1250', ru: 'windows-1251', fa: 'windows-1256', zh: 'gb18030' };

export function decoded(bytes: ArrayBuffer, encoding: string): string | null {
  try { return new TextDecoder(encoding, { fatal: encoding === 'utf-8' }).decode(bytes); } catch { return null; }
}

/** Letters that words of Central and of Western Europe are written with, beside the ones of ASCII. */
const CENTRAL = 'ąćęłńóśźżáéíöőúüűčďěňřšťůýžđäĺľŕô';
const WESTERN = 'àâäáãåæçèéêëìíîïñòóôöøœùúüÿß';

/** How much of a text looks like words in these letters: letters count, what stands amid letters and is none counts against. */
function looks(text: string, letters: string): number {
  let sum = 0;
  // One byte is the õ of Portuguese, which stands before e there, and the ő of Hungarian, which hardly ever does.
  const chars = [...text.replaceAll(/[õő]e/g, 'e')];
  chars.forEach((c, i) => {
    if (c < '\u0080') return;
    const amid = /\p{L}/u.test(chars[i - 1] ?? '') || /\p{L}/u.test(chars[i + 1] ?? '');
    if (letters.includes(c.toLowerCase())) sum += /\p{Lu}/u.test(c) && /\p{Ll}/u.test(chars[i - 1] ?? '') ? -1 : 1;
    else if (/\p{L}/u.test(c)) sum -= 1;
    else if (amid && !/[\u00a0–—’‘“”„…\s]/u.test(c)) sum -= 2;
  });
  return sum;
}

/** The share of the letters beyond ASCII that are of one script. */
function share(text: string, script: RegExp): number {
  const all = [...text].filter((c) => c >= '\u0080' && /[\p{L}\p{S}\p{N}]/u.test(c));
  return all.length ? all.filter((c) => script.test(c)).length / all.length : 0;
}

/** The encoding of a list; of several that fit alike, the one of the reader's language. */
export function encodingOf(bytes: ArrayBuffer, lang: Language): string {
  const head = new Uint8Array(bytes.slice(0, 2));
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  if (decoded(bytes, 'utf-8') !== null) return 'utf-8';
  const some = bytes.slice(0, 200_000);
  const as = (encoding: string) => decoded(some, encoding) ?? '';
  const own = ENCODINGS[lang];
  if (own === 'windows-1251' && share(as(own), /\p{Script=Cyrillic}/u) > 0.9) return own;
  if (own === 'windows-1256' && share(as(own), /\p{Script=Arabic}/u) > 0.9) return own;
  if (own === 'gb18030' && share(as(own), /\p{Script=Han}/u) > 0.9) return own;
  const central = looks(as('windows-1250'), CENTRAL);
  const western = looks(as('windows-1252'), WESTERN);
  if (central !== western && Math.max(central, western) > 0) return central > western ? 'windows-1250' : 'windows-1252';
  return own === 'windows-1250' ? own : lang === 'en' ? 'windows-1252' : own;
}
