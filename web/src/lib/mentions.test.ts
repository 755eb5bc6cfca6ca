import { expect, test } from 'vitest';
import { completed, mentioned, offered } from './mentions';

const staff = ['Anna Nowak', 'Anna Lind', 'Łukasz Wiśniewski', 'Wei Zhang', 'مریم کریمی'].map((name, i) => ({ id: String(i), name }));
const names = (list: { name: string }[]) => list.map((c) => c.name);

test('who is named', () => {
  expect(names(mentioned('ask @Anna Lind, please', staff))).toEqual(['Anna Lind']);
  expect(names(mentioned('@Anna?', staff))).toEqual([]);
  expect(names(mentioned('thanks @wei!', staff))).toEqual(['Wei Zhang']);
  expect(names(mentioned('@Weiss @Łukasz Wiśniewski', staff))).toEqual(['Łukasz Wiśniewski']);
  expect(names(mentioned('با @مریم کریمی بگو', staff))).toEqual(['مریم کریمی']);
  expect(mentioned('write to office@wei.example', staff)).toEqual([]);
});

test('what is offered', () => {
  expect(names(offered('see @an', staff))).toEqual(['Anna Nowak', 'Anna Lind']);
  expect(offered('see an', staff)).toEqual([]);
  expect(offered('mail@an', staff)).toEqual([]);
  expect(completed('see @an', 'Anna Lind')).toBe('see @Anna Lind ');
});
