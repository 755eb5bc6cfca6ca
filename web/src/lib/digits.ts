// Digits as people type them.

/** Arabic, Persian and wide digits as the ones that machines read. */
export const latin = (text: string) => text.replace(/[\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]/g, (d) => String((d.codePointAt(0) ?? 0) & 15));
