import { expect, test } from 'vitest';
import type { Item } from '../lib/api';
import { byDue } from './Inbox';

const ticket = (id: string, fields: Record<string, unknown>): Item => ({ id, version: 1, titles: {}, fields });

test('N19: an urgent ticket without a promise stands above what is due later', () => {
  const list = [
    ticket('dated', { priority: 'low', opened_at: '2024-03-01T08:00:00Z', resolution_due_at: '2024-03-05T08:00:00Z', first_reply_at: '2024-03-01T09:00:00Z' }),
    ticket('low', { priority: 'low', opened_at: '2024-03-01T08:00:00Z' }),
    ticket('urgent', { priority: 'urgent', opened_at: '2024-03-01T10:00:00Z' }),
    ticket('late', { priority: 'normal', opened_at: '2024-03-01T08:00:00Z', first_reply_due_at: '2024-03-01T08:30:00Z' }),
  ];
  expect(list.sort(byDue).map((t) => t.id)).toEqual(['late', 'urgent', 'low', 'dated']);
});
