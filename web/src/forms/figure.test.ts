import { describe, expect, it } from 'vitest';
import { read, written } from './Figure';

describe('a number', () => {
  it('is read as it is written where people live', () => {
    for (const lang of ['pl', 'ru', 'hu'] as const) {
      expect(['12,5', '1 234,50', '1\u00a0234\u202f567,89', '1.234,50', '1.234.567', '12.5', '-3,5', '\u22123', '12,', '1234'].map((t) => read(t, lang)), lang)
        .toEqual(['12.5', '1234.50', '1234567.89', '1234.50', '1234567', '12.5', '-3.5', '-3', '12', '1234']);
    }
    for (const lang of ['en', 'zh'] as const) {
      expect(['12.5', '1,234.50', '1,234,567', '1,234', '12,5', '12,50', "1'234.5", '１２３４．５'.replace('．', '.')].map((t) => read(t, lang)), lang)
        .toEqual(['12.5', '1234.50', '1234567', '1234', '12.5', '12.50', '1234.5', '1234.5']);
    }
    expect(['۱۲٫۵', '۱٬۲۳۴٫۵۰', '١٢٣', '۲۵٪', '12.5', '۱۲.۵'].map((t) => read(t, 'fa'))).toEqual(['12.5', '1234.50', '123', '25%', '12.5', '12.5']);
  });
  it('stays as it was typed where it is none', () => {
    for (const text of ['12,34,5', '1.2.3', '12 34', 'twelve', '12,5 €', '1,23.4', '--3', '1.234,5.6']) expect(read(text, 'pl'), text).toBe(text);
    expect(read('  ', 'en')).toBe('');
  });
  it('is written so that it is read as the same', () => {
    expect([written('1234.50', 'pl'), written('1234.50', 'en'), written('-1234.50', 'fa'), written('12', 'fa'), written('', 'fa'), written('x', 'fa')]).toEqual(['1234,50', '1234.50', '-۱۲۳۴٫۵۰', '۱۲', '', 'x']);
    for (const lang of ['en', 'pl', 'ru', 'zh', 'hu', 'fa'] as const) for (const value of ['0', '7', '-1', '0.5', '1234.567', '1234567', '999.99', '-0.001']) expect(read(written(value, lang), lang), `${lang} ${value}`).toBe(value);
  });
});
