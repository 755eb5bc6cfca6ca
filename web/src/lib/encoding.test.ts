import { describe, expect, it } from 'vitest';
import { decoded, encodingOf } from './encoding';

/** Bytes of a text in an old code page, by asking what each byte stands for. */
function bytes(text: string, encoding: string): ArrayBuffer {
  const table = new Map<string, number>();
  for (let b = 0; b < 256; b += 1) table.set(new TextDecoder(encoding).decode(new Uint8Array([b])), b);
  return new Uint8Array([...text].map((c) => table.get(c) ?? 63)).buffer;
}

describe('U19: the letters of a list', () => {
  it('tells Central Europe from the West, whatever the language of the screen', () => {
    for (const text of ['Nazwa;Miasto\nŁukasz Żółć;Łódź\nMałgorzata Gęślą;Świdnica\n', 'Név;Város\nGyőző Szűcs;Győr\nErzsébet Tóth;Szentendre fő\n', 'Jméno\nJiří Dvořák\nŽofie Šťastná\n'])
      for (const lang of ['en', 'pl', 'hu', 'fa'] as const) {
        const found = encodingOf(bytes(text, 'windows-1250'), lang);
        expect(decoded(bytes(text, 'windows-1250'), found), lang).toBe(text);
      }
    for (const text of ['Nom\nFrançois Lefèvre\nZoë Nuñez\n', 'Name\nJörg Müßig\nÅse Bjørnsæter\n', 'Nome\nJoão Simões\nConceição Magalhães\n'])
      for (const lang of ['en', 'pl'] as const) expect(decoded(bytes(text, 'windows-1252'), encodingOf(bytes(text, 'windows-1252'), lang)), lang).toBe(text);
  });
  it('takes Unicode as it is, and Cyrillic in a Russian screen', () => {
    expect(encodingOf(new TextEncoder().encode('Łódź').buffer as ArrayBuffer, 'en')).toBe('utf-8');
    expect(encodingOf(bytes('Название;Город\nООО Ромашка;Москва\n', 'windows-1251'), 'ru')).toBe('windows-1251');
    expect(encodingOf(new Uint8Array([0xff, 0xfe, 65, 0]).buffer, 'en')).toBe('utf-16le');
  });
});
