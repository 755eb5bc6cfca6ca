// A number as people write it where they live: `1 234,50`, `1,234.50`, `۱٬۲۳۴٫۵`. What goes to the server has a point and
// nothing else; what cannot be read as a number goes as it was typed, so that it is refused with a reason.
import { useState, type InputHTMLAttributes } from 'react';
import { latin } from '../lib/digits';
import { LOCALES, usePrefs, type Language } from '../lib/prefs';
import ui from '../ui/ui.module.css';

const decimalOf = (lang: Language) => new Intl.NumberFormat(LOCALES[lang]).formatToParts(1.5).find((p) => p.type === 'decimal')?.value ?? '.';
const grouped = (text: string, mark: string) => new RegExp(`^-?\\d{1,3}(\\${mark}\\d{3})+(?!\\d)`).test(text);

/** The number that a text says, as `-1234.50`; the text itself where it says none. */
export function read(text: string, lang: Language): string {
  const plain = latin(text).trim().replaceAll('٪', '%').replaceAll('٫', '.').replace(/^[\u2212\u2013]/, '-').replace(/(?<=\d)[\s'’\u066c](?=\d{3}(?!\d))/g, '');
  const [dots, commas] = ['.', ','].map((mark) => plain.split(mark).length - 1) as [number, number];
  let number = plain;
  if (dots && commas) {
    // The later one is the decimal mark, the other parts thousands.
    const [decimal, group] = plain.lastIndexOf('.') > plain.lastIndexOf(',') ? ['.', ','] : [',', '.'];
    if (grouped(plain, group) && plain.split(decimal).length === 2) number = plain.replaceAll(group, '').replace(decimal, '.');
  } else if (commas > 1 || (commas === 1 && decimalOf(lang) !== ',' && /^-?\d{1,3},\d{3}$/.test(plain))) {
    if (grouped(plain, ',')) number = plain.replaceAll(',', '');
  } else if (dots > 1) {
    if (grouped(plain, '.')) number = plain.replaceAll('.', '');
  } else number = plain.replace(',', '.');
  return /^-?\d*\.?\d*%?$/.test(number) ? number.replace(/\.$/, '') : text.trim();
}

/** A number of the server's as it is written in a language. */
export function written(value: string, lang: Language): string {
  if (!/^-?\d+(\.\d+)?$/.test(value)) return value;
  const own = value.replace('.', decimalOf(lang));
  return lang === 'fa' ? own.replace(/\d/g, (d) => String.fromCodePoint(0x6f0 + Number(d))) : own;
}

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onChange'> { value: string; onChange(value: string): void }

export function Figure({ value, onChange, inputMode = 'decimal', ...more }: Props) {
  const { lang } = usePrefs();
  const [typed, setTyped] = useState(() => written(value, lang));
  // As it is typed while it says the same; what comes from elsewhere as the language writes it.
  const text = read(typed, lang) === value ? typed : written(value, lang);
  return <input {...more} className={`${ui.field} num`} inputMode={inputMode} value={text} onChange={(e) => { setTyped(e.target.value); onChange(read(e.target.value, lang)); }} />;
}
