// What a person chose for this browser: language and theme. Everything else comes from the workspace.
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from 'react';
import { IntlProvider, type ResolvedIntlConfig } from 'react-intl';

export const LANGUAGES = { en: 'English', pl: 'Polski', ru: 'Русский', zh: '中文', hu: 'Magyar', fa: 'فارسی' } as const;
export type Language = keyof typeof LANGUAGES;
export const LOCALES: Record<Language, string> = { en: 'en-GB', pl: 'pl-PL', ru: 'ru-RU', zh: 'zh-CN', hu: 'hu-HU', fa: 'fa-IR' };

const messages = import.meta.glob<{ default: ResolvedIntlConfig['messages'] }>('../compiled/*.json');

interface Prefs { lang: Language; theme: 'light' | 'dark'; setLang(lang: Language): void; setTheme(theme: 'light' | 'dark'): void }
const Context = createContext<Prefs | null>(null);

export function usePrefs(): Prefs {
  const prefs = use(Context);
  if (!prefs) throw new Error('no preferences here');
  return prefs;
}

function keep(key: string, value: string) {
  try { localStorage.setItem(key, value); } catch { /* a private window keeps nothing */ }
}

export function PrefsProvider({ children }: { children: ReactNode }) {
  const root = document.documentElement;
  const [lang, setLangState] = useState((root.lang || 'en') as Language);
  const [theme, setThemeState] = useState((root.dataset.theme ?? 'light') as 'light' | 'dark');
  const [texts, setTexts] = useState<{ lang: Language; messages: ResolvedIntlConfig['messages'] } | null>(null);

  useEffect(() => {
    let gone = false;
    void messages[`../compiled/${lang}.json`]?.().then((m) => {
      if (gone) return;
      root.lang = lang;
      root.dir = lang === 'fa' ? 'rtl' : 'ltr';
      setTexts({ lang, messages: m.default });
    });
    return () => { gone = true; };
  }, [lang, root]);

  const prefs = useMemo<Prefs>(() => ({
    lang: texts?.lang ?? lang, theme,
    setLang(next) { keep('northing.lang', next); setLangState(next); },
    setTheme(next) { keep('northing.theme', next); root.dataset.theme = next; setThemeState(next); },
  }), [lang, theme, texts, root]);

  if (!texts) return null;
  return (
    <Context value={prefs}>
      <IntlProvider locale={LOCALES[texts.lang]} messages={texts.messages} defaultLocale="en-GB">{children}</IntlProvider>
    </Context>
  );
}
