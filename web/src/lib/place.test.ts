import { expect, it } from 'vitest';
import { local } from './place';

it('nobody is sent to another place after signing in', () => {
  for (const ours of ['/', '/board', '/records/deals?f=amount%20%3E%205&sort=-amount', '/metrics/win_rate?by=source#x', '/records/customers/0190a000-0000-7000-8000-000000000000', "/x@y.example/?u=https://evil.example"]) expect(local(ours), ours).toBe(ours);
  for (const theirs of [null, '', 'board', '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example', '/a\\b', 'https://evil.example', 'http:evil.example', 'javascript:alert(1)', ' /board', '/\tboard', '/ /evil.example', '/\n/evil.example', '/sign-in', '/sign-in?x', 'data:text/html,x', '@evil.example', './/evil.example']) expect(local(theirs), String(theirs)).toBeUndefined();
});
