import { describe, expect, it } from 'vitest';
import { read, written } from './Length';

describe('lengths', () => {
  it('are hours and minutes', () => {
    expect([written(5400), written(600), written(90061), written(45)]).toEqual(['1:30', '0:10', '25:01:01', '0:00:45']);
    expect([read('1:30'), read('45'), read(' 0:45 '), read('۱:۳۰'), read(''), read('0:00:45')]).toEqual([5400, 2700, 2700, 5400, null, 45]);
    expect([read('1:75'), read('soon'), read('1.5'), read('-5')]).toEqual([undefined, undefined, undefined, undefined]);
  });
});
