import { expect, test } from 'vitest';
import { cardOf, cards, table } from './vcard';

test('cards of several programs', () => {
  const text = [
    'BEGIN:VCARD', 'VERSION:3.0', 'N:Nowak;Anna;;;', 'FN:Anna Nowak', 'ORG:Nowak\\, Sp. z o.o.;Sales', 'item1.EMAIL;TYPE=INTERNET:anna@example.org', 'TEL;TYPE=CELL:+48 600 100 200', 'ADR;TYPE=WORK:;;Długa 1;Gdańsk;;80-001;Polska', 'NOTE:first line\\nsecond; line', 'END:VCARD',
    'BEGIN:VCARD', 'VERSION:2.1', 'N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=D0=B0=D0=BD=D0=BE=D0=B2;=', '=D0=98=D0=B2=D0=B0=D0=BD', 'END:VCARD',
    'BEGIN:VCARD', 'VERSION:4.0', 'FN:A very long name that goes', ' on in the next line', 'TEL;VALUE=uri:tel:+98-21', 'END:VCARD',
    'BEGIN:VCARD', 'TEL:1', 'END:VCARD',
  ].join('\r\n');
  const found = cards(text);
  expect(found.map((c) => c.name)).toEqual(['Anna Nowak', 'Иван Иванов', 'A very long name that goeson in the next line']);
  expect(found[0]).toMatchObject({ company: 'Nowak, Sp. z o.o., Sales', email: 'anna@example.org', city: 'Gdańsk', country: 'Polska', note: 'first line\nsecond; line' });
  expect(found[2]?.phone).toBe('+98-21');
  expect(table(text).split('\n')[0]).toBe('name,company,email,phone,role,city,country,website,note');
});

test('a card is read as it was written', () => {
  const item = { id: '1', version: 1, fields: { kind: 'company', email: 'a@example.org', phone: '+48 1', city: 'Łódź; centre', website: 'https://example.org' }, titles: {} };
  expect(cards(cardOf(item, 'A, B; C\\D'))[0]).toMatchObject({ name: 'A, B; C\\D', email: 'a@example.org', phone: '+48 1', city: 'Łódź; centre' });
});

test('what is no card is none', () => {
  expect(cards('name,email\nA,b')).toEqual([]);
  expect(cardOf({ id: '1', version: 1, fields: { email: 'x\nBEGIN:VCARD' }, titles: {} }, 'A\nEND:VCARD').match(/BEGIN/g)?.length).toBe(2);
});
