// Lines over time, drawn as SVG: no library, since it must mirror for right-to-left readers, keep to a strict
// content policy and cost nothing to load. It draws what the server computed and computes nothing itself.
import { useEffect, useId, useRef, useState } from 'react';
import { useIntl } from 'react-intl';
import type { Bucket, Unit } from '../lib/api';
import { useFormat } from '../lib/format';
import { usePrefs } from '../lib/prefs';
import css from './ui.module.css';

function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const node = ref.current;
    if (!node) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.round(entry.contentRect.width)));
    observer.observe(node);
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

/** Round steps for an axis that ends above the highest value. */
function ticks(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw) ?? 10) * power;
  const list = [];
  for (let v = Math.floor(low / step) * step; v <= high + step * 0.999; v += step) list.push(Number(v.toPrecision(12)));
  return list;
}

type Point = [number, number];
function path(points: (Point | null)[]): string {
  let pen = false;
  return points.map((p) => {
    if (!p) { pen = false; return ''; }
    const text = `${pen ? 'L' : 'M'}${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    pen = true;
    return text;
  }).join('');
}

export function Chart({ buckets, unit, grain, height = 300, label }: { buckets: Bucket[]; unit: Unit; grain: string; height?: number; label: string }) {
  const [ref, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const intl = useIntl();
  const format = useFormat();
  const { lang } = usePrefs();
  const fade = useId();
  const rtl = lang === 'fa';
  // Chart text has a left-to-right base; Persian labels bring their own direction.
  const isolated = (text: string) => (rtl ? `\u2067${text}\u2069` : text);
  const compared = buckets.some((b) => b.compare);
  const values = buckets.flatMap((b) => [b.value, b.compare?.value ?? null]).filter((v): v is number => v !== null);
  const scale = ticks(Math.min(0, ...values), Math.max(...values, 0));
  const [low, high] = [scale[0] ?? 0, scale.at(-1) || 1];
  const [pad, foot, top] = [58, 24, 8];
  const inner = Math.max(width - pad - 12, 10);
  const x = (i: number) => {
    const place = buckets.length > 1 ? (i / (buckets.length - 1)) * inner : inner / 2;
    return rtl ? 12 + inner - place : pad + place;
  };
  const y = (v: number) => top + (1 - (v - low) / (high - low || 1)) * (height - foot - top);
  const dots = (pick: (b: Bucket) => number | null | undefined) => buckets.map((b, i): Point | null => { const v = pick(b); return v === null || v === undefined ? null : [x(i), y(v)]; });
  const now = dots((b) => b.value);
  const solid = now.filter((p, i): p is Point => p !== null && (buckets[i]?.complete ?? true));
  const every = Math.max(1, Math.ceil(buckets.length / Math.max(2, Math.floor(inner / 76))));
  const tick: Intl.DateTimeFormatOptions = grain === 'month' || grain === 'quarter' ? { month: 'short', year: '2-digit' } : grain === 'year' ? { year: 'numeric' } : { day: 'numeric', month: 'short' };
  const runs = buckets.findIndex((b) => !b.complete && b.value !== null);
  const shown = at === null ? null : buckets[at];

  return (
    <div className={css.chart} ref={ref}>
      {width > 0 && (
        <svg height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}
          onPointerLeave={() => setAt(null)}
          onPointerMove={(e) => {
            const box = e.currentTarget.getBoundingClientRect();
            const place = (rtl ? 12 + inner - (e.clientX - box.left) : e.clientX - box.left - pad) / inner;
            setAt(Math.min(buckets.length - 1, Math.max(0, Math.round(place * (buckets.length - 1)))));
          }}>
          <defs><linearGradient id={fade} x1="0" x2="0" y1="0" y2="1"><stop offset="0" stopColor="var(--data)" stopOpacity=".16" /><stop offset="1" stopColor="var(--data)" stopOpacity="0" /></linearGradient></defs>
          {scale.map((v) => (
            <g key={v}>
              <line x1={rtl ? 12 : pad} x2={rtl ? 12 + inner : width - 12} y1={y(v)} y2={y(v)} stroke="var(--grid)" />
              <text className={css.axis} x={rtl ? width - 4 : pad - 8} y={y(v) + 4} textAnchor="end">{isolated(format.value(unit, v, true))}</text>
            </g>
          ))}
          {buckets.map((b, i) => i % every === 0 && (
            <text key={b.start} className={css.axis} x={x(i)} y={height - 6} textAnchor="middle">{isolated(format.day(b.start, tick))}</text>
          ))}
          {compared && <path d={path(dots((b) => b.compare?.value))} fill="none" stroke="var(--ghost)" strokeWidth="1.5" strokeDasharray="3 4" />}
          {solid.length > 1 && <path d={`${path(solid)}L${solid.at(-1)?.[0]} ${y(low)}L${solid[0]?.[0]} ${y(low)}Z`} fill={`url(#${fade})`} />}
          <path d={path(now.map((p, i) => (runs >= 0 && i >= runs ? null : p)))} fill="none" stroke="var(--data)" strokeWidth="2" strokeLinejoin="round" />
          {runs > 0 && <path d={path(now.slice(runs - 1))} fill="none" stroke="var(--data)" strokeWidth="2" strokeDasharray="2 4" />}
          {now.map((p, i) => p && (buckets.length === 1 || i === at || (runs >= 0 && i === runs)) && (
            <circle key={i} cx={p[0]} cy={p[1]} r="3.5" fill={buckets[i]?.complete ? 'var(--data)' : 'var(--surface)'} stroke="var(--data)" strokeWidth="2" />
          ))}
        </svg>
      )}
      {shown && at !== null && (
        <div className={css.tip} dir={rtl ? 'rtl' : 'ltr'} style={x(at) > width / 2 ? { right: width - x(at) + 10 } : { left: x(at) + 10 }}>
          {format.range(shown.start, shown.end)}
          <b className="num">{shown.value === null ? '–' : format.value(unit, shown.value)}</b>
          {!shown.complete && <div>{intl.formatMessage({ id: 'chart.running' })}</div>}
          {shown.compare && <div className={css.quiet}>{intl.formatMessage({ id: 'chart.before' })}: <span className="num">{shown.compare.value === null ? '–' : format.value(unit, shown.compare.value)}</span></div>}
        </div>
      )}
    </div>
  );
}

export function Legend({ compared }: { compared: boolean }) {
  const intl = useIntl();
  return (
    <div className={css.legend}>
      <span><i />{intl.formatMessage({ id: 'chart.current' })}</span>
      {compared && <span><i />{intl.formatMessage({ id: 'chart.before' })}</span>}
    </div>
  );
}

export function Spark({ buckets, bad }: { buckets: Bucket[]; bad: boolean }) {
  const { lang } = usePrefs();
  const values = buckets.flatMap((b) => [b.value, b.compare?.value ?? null]).filter((v): v is number => v !== null);
  if (values.length < 2) return <svg height="36" aria-hidden />;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const point = (v: number | null | undefined, i: number): Point | null =>
    v === null || v === undefined ? null : [(lang === 'fa' ? 1 - i / (buckets.length - 1) : i / (buckets.length - 1)) * 196 + 2, 33 - ((v - low) / (high - low || 1)) * 30];
  const now = buckets.map((b, i) => point(b.value, i));
  const last = now.findLast((p) => p !== null);
  const colour = bad ? 'var(--neg)' : 'var(--data)';
  return (
    <svg viewBox="0 0 200 36" width="100%" height="36" preserveAspectRatio="none" aria-hidden>
      <path d={path(buckets.map((b, i) => point(b.compare?.value, i)))} fill="none" stroke="var(--ghost)" strokeWidth="1" strokeDasharray="2 3" vectorEffect="non-scaling-stroke" />
      <path d={path(now)} fill="none" stroke={colour} strokeWidth="1.6" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
      {last && <path d={`M${last[0]} ${last[1]}l.01 0`} stroke={colour} strokeWidth="6" strokeLinecap="round" vectorEffect="non-scaling-stroke" />}
    </svg>
  );
}

/** A length between 0 and 1 as SVG, since a content policy without inline styles leaves CSS no way to set one. */
export function Track({ share }: { share: number }) {
  const { lang } = usePrefs();
  const width = Math.max(0, Math.min(1, share)) * 100;
  return (
    <svg className={css.track} width="100%" height="10" aria-hidden>
      <rect x={lang === 'fa' ? `${100 - width}%` : 0} width={`${width}%`} height="10" rx="3" fill="var(--data)" />
    </svg>
  );
}
