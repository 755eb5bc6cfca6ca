// Which rows of a long list are in sight: only those are asked for and drawn. Browsers cannot make an element as high
// as a million rows, so beyond a height the way of scrolling stands for more than it is long.
import { useLayoutEffect, useRef, useState } from 'react';

const TALLEST = 8_000_000;
/** Rows beyond the edges, so that slow scrolling shows no gap. */
const MARGIN = 8;

export interface Sight { first: number; count: number; before: number; after: number }

export function sightOf(total: number, row: number, top: number, view: number): Sight {
  const fit = Math.ceil(view / row) + 1;
  const height = Math.min(total * row, TALLEST);
  const scaled = height < total * row;
  const way = Math.max(1, height - view);
  const at = scaled ? Math.round(Math.min(1, top / way) * Math.max(0, total - fit + 1)) : Math.floor(top / row);
  const first = Math.max(0, Math.min(at - MARGIN, total - 1));
  const count = Math.max(0, Math.min(total - first, fit + 2 * MARGIN));
  const before = scaled ? Math.max(0, Math.min(top, height - fit * row) - (at - first) * row) : first * row;
  return { first, count, before, after: Math.max(0, height - before - count * row) };
}

export function useSight(total: number, row: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState({ top: 0, view: 800 });
  const look = () => { const el = ref.current; if (el) setAt({ top: el.scrollTop, view: el.clientHeight }); };
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el) return undefined;
    const watch = new ResizeObserver(look);
    watch.observe(el);
    return () => watch.disconnect();
  }, [total > 0]);
  return { ref, look, sight: sightOf(total, row, at.top, at.view) };
}
