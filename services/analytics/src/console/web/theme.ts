import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { html } from './html.ts';

const CHOICES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof CHOICES)[number];
const KEY = 'sefleet-theme';

/** Light, dark, or as the system has it. */
export function ThemeSwitch(): VNode {
  const [theme, setTheme] = useState<Theme>(
    () => CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? 'auto',
  );
  useEffect(() => {
    localStorage.setItem(KEY, theme);
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    dispatchEvent(new Event('themechange'));
  }, [theme]);
  const next = CHOICES[(CHOICES.indexOf(theme) + 1) % CHOICES.length] ?? 'auto';
  const label = `Colours: ${theme}. Change to ${next}.`;
  return html`<button
    class="quiet"
    type="button"
    title=${label}
    aria-label=${label}
    onClick=${() => setTheme(next)}
  >
    ${theme === 'auto' ? '◐' : theme === 'light' ? '○' : '●'}
  </button>`;
}
