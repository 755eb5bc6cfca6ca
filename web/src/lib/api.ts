// Calls to the server: types of what it answers, and one fetch that understands problems.

export interface Problem { type?: string; title: string; detail: string; status: number; field?: string }

export interface Cell {
  value: number | null; numerator: number | null; denominator: number | null; n: number; excluded: Record<string, number>;
  complete: boolean; mature: boolean; mature_share?: number; reason: string | null; median?: number; p90?: number;
  interval?: [number, number]; low_n: boolean; flags?: string[]; unallocated?: [number, number]; parts?: Record<string, number | null>;
}
export interface Bucket extends Cell {
  start: string; end: string; by: Record<string, string>; by_id?: Record<string, string>;
  compare?: Cell & { start: string; end: string };
  change?: { absolute: number; relative: number | null; certain: boolean | null };
  contribution?: { total: number; mix?: number; rate?: number };
}
export interface MetricAnswer { id: string; variant?: string; unit: Unit; good: Good; buckets: Bucket[]; total: Bucket }
export type Unit = 'money' | 'money_per_year' | 'count' | 'ratio' | 'duration' | 'per_year' | 'years' | 'times' | 'points' | 'money_per_day' | 'hours_per_week' | 'per_person';
export type Good = 'up' | 'down' | 'neutral';
export interface Answer { seq: number; as_of: string; zone: string; calendar: string; currency: string; metrics: MetricAnswer[] }
export interface Definition {
  id: string; name: string; explanation: string; kind: string; unit: Unit; good: Good; group: string; dims: string[]; variants: string[];
  measures: { side: string; from: string; agg: string; value: string | null; time: string; where: string | null; minus: boolean }[];
  formula: string | null; inputs: [string, string][]; window: string | null; trailing: string | null; excluded: string[]; sources: string[]; differs: string[]; readings?: Record<string, Definition>;
}
export interface FieldInfo { name: string; label: string; type: string; to: string | null; default: unknown; suggest: 'me' | 'first' | null; condition_on: string | null; required: boolean; derived: boolean; filterable: boolean; dimension: boolean; options: string[] }
export interface ObjectInfo { name: string; plural: string; label: string; title: string; derived: boolean; own: boolean; list: string[]; sort?: string[]; exclusive?: Exclusive | null; fields: FieldInfo[] }
/** One record at a time has what `of` names from `from` until `to`; the rest says when that is there, and for how long. */
export interface Exclusive { of: string; from: string; to: string; state: string; free: string[]; hours?: string; service?: string; takes?: string; staff?: string }
export interface Free { id: string; title: string; hours: boolean; open: [string, string][]; free: [string, string][] }
export interface Dashboard { tiles: string[]; trend: string; funnel: string[]; breakdown: string; breakdown_by: string }
export interface ModelInfo { objects: ObjectInfo[]; labels: Record<string, string>; dashboards: Record<string, Dashboard> }
export interface May { create: boolean; change: boolean; delete: boolean; export: boolean; read_only: string[] }
export interface Session { actor: string; name: string; user: string | null; email: string; settings: boolean; whole: boolean; password: boolean; codes: boolean; provider: string | null; by_link: boolean; model: string; may: Record<string, May>; workspace: { name: string; zone: string; currency: string; calendar: string; week_start: number; purchases: 'orders' | 'deals'; today: string } }
export interface Item { id: string; version: number; fields: Record<string, unknown>; titles: Record<string, string> }
export interface Page { seq: number; total: number; items: Item[]; next: string | null }
export interface DrillPart { name: string; part?: string; metric: string; variant?: string; side?: string; unit: Unit | ''; value: number | null; reason?: string; start?: string; end?: string }
export interface Drill { total: number; sum: number; formula?: string; parts?: DrillPart[]; rows: { object: string; id: string; title: string; at: string | null; adds: number; part?: string }[] }
export interface Entry { at: string; actor: string; who: string | null; op: string; version: number; changed: Record<string, { from: unknown; to: unknown }> }

export interface Cohorts { unit: Unit; rows: { start: string; end: string; customers: number; cells: Cell[] }[] }

export class ApiError extends Error {
  constructor(public problem: Problem) {
    super(problem.detail);
  }
}

type Query = Record<string, string | number | undefined>;

export async function get<T>(path: string, query: Query = {}): Promise<T> {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== '') params.set(key, String(value));
  const text = params.toString();
  return send<T>(text ? `${path}?${text}` : path);
}

/** Keys of requests whose answer did not come, by what was asked: asked again soon, they are the same request. */
const unanswered = new Map<string, { key: string; at: number }>();
const SOON = 600_000;
/** Nothing as long as this is typed by hand, and what is read from a file is not written twice anyway. */
const LONGEST = 100_000;

/** Asks whoever sits here to show that it is them; true once they have. One question for all that waits for it. */
let prove: (() => Promise<boolean>) | undefined;
let proving: Promise<boolean> | undefined;
export function provenBy(ask: () => Promise<boolean>): () => void {
  prove = ask;
  return () => { if (prove === ask) prove = undefined; };
}

const proofNeeded = (problem: unknown) => !!(problem as Problem).type?.endsWith(':proof-needed');

/** A body is sent as JSON, a file as its bytes. What is sent again after its answer was lost is done once. */
export async function send<T>(path: string, method = 'GET', body?: unknown, more: Record<string, string> = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', ...more };
  // What is wrong is said in the language of the page.
  const language = globalThis.document?.documentElement.lang;
  if (language) headers['accept-language'] = language;
  const bytes = body instanceof Blob;
  if (body !== undefined) headers['content-type'] = bytes ? 'application/octet-stream' : 'application/json';
  const sent = bytes ? body : body === undefined ? undefined : JSON.stringify(body);
  const asked = (method === 'POST' || method === 'PATCH') && !bytes ? [method, path, ...Object.values(more), sent].join(' ') : '';
  const key = asked && asked.length < LONGEST ? keyOf(asked) : '';
  if (key) headers['idempotency-key'] = key;
  const lost = () => { if (key) unanswered.set(asked, { key, at: Date.now() }); };
  let response: Response, text: string;
  try {
    response = await fetch(path, { method, headers, body: sent });
    text = await response.text();
  } catch {
    lost();
    throw new ApiError({ title: '', detail: '', status: 0 });
  }
  // What a proxy says when it heard nothing is no answer either.
  if (response.status >= 500) lost();
  else unanswered.delete(asked);
  if (response.status === 204) return undefined as T;
  const json = parsed(text) ?? { title: response.statusText, detail: '', status: response.status };
  if (response.ok) return json as T;
  if (proofNeeded(json) && prove) {
    proving ??= prove().finally(() => { proving = undefined; });
    if (await proving) return send<T>(path, method, body, more);
  }
  throw new ApiError(json as Problem);
}

/** The key of the same request, if that is still unanswered; else a new one. */
function keyOf(asked: string): string {
  const before = unanswered.get(asked);
  return before && Date.now() - before.at < SOON ? before.key : crypto.randomUUID();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
