// Compiles src/locales/*.json (ICU texts) into syntax trees, one file a language, so that no parser is shipped.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { parse } from '@formatjs/icu-messageformat-parser';

const source = new URL('../src/locales/', import.meta.url);
const target = new URL('../src/compiled/', import.meta.url);
mkdirSync(target, { recursive: true });
const english = JSON.parse(readFileSync(new URL('en.json', source), 'utf8'));
for (const name of readdirSync(source).filter((n) => n.endsWith('.json'))) {
  const texts = JSON.parse(readFileSync(new URL(name, source), 'utf8'));
  const missing = Object.keys(english).filter((key) => !texts[key]);
  const unknown = Object.keys(texts).filter((key) => !(key in english));
  if (missing.length || unknown.length) throw new Error(`${name}: missing ${missing.join(', ') || 'none'}; unknown ${unknown.join(', ') || 'none'}`);
  const compiled = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, parse(text)]));
  writeFileSync(new URL(name, target), JSON.stringify(compiled));
}
