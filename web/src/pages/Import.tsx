// A list from elsewhere: a file is chosen, its columns are told what they fill, every row is tried without writing,
// then it runs; rows at fault are mended here, and the whole can be taken back.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { FileUp, Undo2 } from 'lucide-react';
import { useState, type DragEvent } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, get, send, type Page as ListPage } from '../lib/api';
import { useLabel, useModel } from '../lib/data';
import { decoded, ENCODINGS, encodingOf } from '../lib/encoding';
import { useFormat } from '../lib/format';
import { usePrefs } from '../lib/prefs';
import { table as cardTable } from '../lib/vcard';
import { Failure, Panel, Select, Table } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import css from './import.module.css';
import { Columns, numbers, Told, type Mapping, type Report, type Upload } from './ImportColumns';

interface Progress extends Report { state: string; problem: string | null; run: string | null }

const SHOWN_REJECTS = 50;

const cellOf = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function Import() {
  const intl = useIntl();
  const { lang } = usePrefs();
  const [file, setFile] = useState<{ name: string; bytes: ArrayBuffer }>();
  const [encoding, setEncoding] = useState('utf-8');
  const [upload, setUpload] = useState<Upload>();
  const [mapping, setMapping] = useState<Mapping>();
  const [running, setRunning] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const [over, setOver] = useState(false);
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const attempt = (work: Promise<void>) => { setProblem(undefined); work.catch(setProblem); };

  const take = async (name: string, text: string, again?: string) => {
    const next = await send<Upload>('/api/imports', 'POST', { name, text, again });
    setUpload(next);
    if (!again) setMapping(next.mapping ?? undefined);
    return next;
  };
  const read = async (name: string, bytes: ArrayBuffer, wanted?: string) => {
    const card = /\.vcf$/i.test(name);
    const used = wanted ?? encodingOf(bytes, lang);
    setFile({ name, bytes });
    setEncoding(used);
    setRunning(false);
    const whole = decoded(bytes, used) ?? '';
    await take(name, card ? cardTable(whole) : whole);
  };
  const sheet = async (name: string, bytes: ArrayBuffer, wanted?: string) => {
    const params = new URLSearchParams({ name, ...(wanted && { sheet: wanted }) });
    const next = await send<Upload>(`/api/imports/workbook?${params}`, 'POST', new Blob([bytes]));
    setFile({ name, bytes });
    setEncoding('utf-8');
    setRunning(false);
    setUpload(next);
    setMapping(next.mapping ?? undefined);
  };
  const choose = (chosen?: File | null) => {
    if (chosen && /\.xls[xm]$/i.test(chosen.name)) attempt(chosen.arrayBuffer().then((bytes) => sheet(chosen.name, bytes)));
    else if (chosen && /\.(xlsb?|ods|numbers)$/i.test(chosen.name)) setProblem(new ApiError({ title: '', detail: t('import.sheet'), status: 415 }));
    else if (chosen) attempt(chosen.arrayBuffer().then((bytes) => read(chosen.name, bytes)));
  };
  const into = (object: string) => { if (upload) attempt(send<{ mapping: Mapping }>(`/api/imports/${upload.id}/mapping`, 'POST', { object }).then((m) => setMapping(m.mapping))); };
  const run = (id: string) => attempt(send(`/api/imports/${id}/run`, 'POST', { mapping }).then(() => setRunning(true)));
  const mended = (rows: string[][], headings: string[]) => {
    if (!upload) return;
    const text = [[...headings, 'northing_row'], ...rows].map((r) => r.map(cellOf).join(',')).join('\n');
    attempt(take(upload.name, text, upload.id).then(async (next) => { await send(`/api/imports/${next.id}/run`, 'POST', { mapping }); }));
  };
  const drop = {
    onDragOver: (e: DragEvent) => { e.preventDefault(); setOver(true); },
    onDragLeave: () => setOver(false),
    onDrop: (e: DragEvent) => { e.preventDefault(); setOver(false); choose(e.dataTransfer.files[0]); },
  };
  return (
    <Page title={t('nav.import')}>
      {!!problem && <Failure error={problem} />}
      <div className={`${ui.panel} ${css.drop}`} data-over={over || undefined} {...drop}>
        <p className={ui.quiet}>{upload ? upload.name : t('import.hint')}</p>
        <span className={table.actions}>
          <label className={`${ui.button} ${upload ? '' : ui.primary} ${css.file}`}><FileUp size={15} aria-hidden />{t(upload ? 'import.another' : 'import.choose')}<input type="file" accept=".csv,.tsv,.txt,.xlsx,.xlsm,.vcf,text/csv,text/vcard" onChange={(e) => { choose(e.target.files?.[0]); e.target.value = ''; }} /></label>
          {file && encoding !== 'utf-8' && <Select label={t('import.encoding')} value={encoding} onChange={(next) => attempt(read(file.name, file.bytes, next))} options={[...new Set([encoding, ...Object.values(ENCODINGS)])].map((value) => ({ value, label: value }))} />}
          {file && upload?.sheets && upload.sheets.length > 1 && <Select label={t('import.which')} value={upload.sheet ?? ''} onChange={(next) => attempt(sheet(file.name, file.bytes, next))} options={upload.sheets.map((value) => ({ value, label: value }))} />}
        </span>
      </div>
      {upload && (running ? <Running key={upload.id} upload={upload} object={mapping?.object ?? ''} onMended={mended} /> : <Columns upload={upload} mapping={mapping} onChange={setMapping} onInto={into} onRun={() => run(upload.id)} />)}
      <Past />
    </Page>
  );
}

function Running({ upload, object, onMended }: { upload: Upload; object: string; onMended(rows: string[][], headings: string[]): void }) {
  const intl = useIntl();
  const format = useFormat();
  const model = useModel();
  const client = useQueryClient();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const { data, error } = useQuery({ queryKey: ['import-run', upload.id], queryFn: () => get<Progress>(`/api/imports/${upload.id}`), refetchInterval: (q) => (q.state.data && !['running', 'waiting'].includes(q.state.data.state) ? false : 400) });
  if (error) return <Failure error={error} />;
  if (!data) return null;
  const going = data.state === 'running' || data.state === 'waiting';
  const plural = model?.objects.find((o) => o.name === object)?.plural ?? '';
  return (
    <>
      <Panel title={t(going ? 'import.running' : `import.${data.state}`, { done: format.number(data.done), total: format.number(data.rows) })} aside={going ? <button type="button" className={ui.button} onClick={() => void send(`/api/imports/${upload.id}`, 'DELETE').then(() => client.invalidateQueries({ queryKey: ['import-run'] }))}>{t('import.stop')}</button> : <Link className={ui.button} to="/records/$object" params={{ object: plural }}>{t('import.open')}</Link>}>
        {going ? <progress className={css.progress} max={data.rows} value={data.done} aria-label={t('import.running', { done: data.done, total: data.rows })} /> : <p role="status">{t('import.would', numbers(data))}</p>}
        {data.problem && <p role="alert">{data.problem}</p>}
        {!going && <Told report={data} />}
      </Panel>
      {!going && data.rejects.length > 0 && <Mend key={upload.id} report={data} onMended={onMended} />}
    </>
  );
}

/** The rows that were set aside, to be put right where they are. */
function Mend({ report, onMended }: { report: Report; onMended(rows: string[][], headings: string[]): void }) {
  const intl = useIntl();
  const format = useFormat();
  const rejects = report.rejects.slice(0, SHOWN_REJECTS);
  const [rows, setRows] = useState(rejects.map((r) => report.headings.map((_, i) => r.values[i] ?? '')));
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const set = (row: number, column: number, text: string) => setRows(rows.map((r, i) => (i === row ? r.map((v, k) => (k === column ? text : v)) : r)));
  // A row that was mended before says itself which row of the first file it was.
  const original = report.headings.indexOf('northing_row');
  const headings = report.headings.filter((_, i) => i !== original);
  const again = () => onMended(rows.map((r, i) => [...r.filter((_, k) => k !== original), original < 0 ? String(rejects[i]?.row) : r[original] ?? '']), headings);
  return (
    <Panel title={t('import.mend')} aside={<button type="button" className={`${ui.button} ${ui.primary}`} onClick={again}>{t('import.again')}</button>}>
      <Table label={t('import.mend')}>
        <thead><tr><th>{t('import.row')}</th><th>{t('import.why')}</th>{headings.map((h) => <th key={h}>{h}</th>)}</tr></thead>
        <tbody>
          {rejects.map((r, i) => (
            <tr key={r.row}>
              <td className="num">{format.number(r.row)}</td>
              <td className={css.why} dir="auto">{r.column && <strong>{r.column}: </strong>}{r.reason}</td>
              {report.headings.map((h, k) => k !== original && <td key={h}><input className={ui.field} dir="auto" data-wrong={h === r.column || undefined} aria-label={t('import.cell', { column: h, row: r.row })} value={rows[i]?.[k] ?? ''} onChange={(e) => set(i, k, e.target.value)} /></td>)}
            </tr>
          ))}
        </tbody>
      </Table>
    </Panel>
  );
}

function Past() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const client = useQueryClient();
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState<unknown>();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const past = useQuery({ queryKey: ['live', 'import-runs'], queryFn: () => get<ListPage>('/api/records/import_runs', { sort: '-started_at', limit: 12 }) });
  const undo = async (run: string, name: string) => {
    if (!confirm(t('import.undo.sure', { name }))) return;
    const { taken_back, kept } = await send<{ taken_back: number; kept: number }>('/api/imports/undo', 'POST', { run });
    setSaid(t('import.undone', { taken: format.number(taken_back), kept: format.number(kept) }));
    await client.invalidateQueries({ queryKey: ['live'] });
  };
  if (!past.data?.items.length) return null;
  return (
    <Panel title={t('import.past')} aside={said && <span role="status">{said}</span>}>
      {!!problem && <Failure error={problem} />}
      <Table label={t('import.past')}>
        <thead><tr><th>{label('field.name')}</th><th>{t('import.into')}</th><th>{label('field.started_at')}</th><th>{label('field.status')}</th><th className={table.right}>{label('field.created')}</th><th className={table.right}>{label('field.changed')}</th><th className={table.right}>{label('field.rejected')}</th><th><span className="sr">{t('import.undo')}</span></th></tr></thead>
        <tbody>
          {past.data.items.map((run) => (
            <tr key={run.id}>
              <td dir="auto">{String(run.fields.name)}</td>
              <td>{label(`object.${String(run.fields.of)}`)}</td>
              <td className="num">{format.instant(String(run.fields.started_at))}</td>
              <td>{label(`option.${String(run.fields.status)}`)}</td>
              {['created', 'changed', 'rejected'].map((f) => <td key={f} className={`${table.right} num`}>{run.fields[f] === undefined || run.fields[f] === null ? '' : format.number(Number(run.fields[f]))}</td>)}
              <td>{['done', 'cancelled', 'failed', 'running'].includes(String(run.fields.status)) && <button type="button" className={ui.button} onClick={() => void undo(run.id, String(run.fields.name)).catch(setProblem)}><Undo2 size={14} aria-hidden />{t('import.undo')}</button>}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Panel>
  );
}
