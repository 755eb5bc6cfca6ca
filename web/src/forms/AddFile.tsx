// A file put to a record: its content first, then what it is and where it belongs.
import { Paperclip } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { send } from '../lib/api';
import { useSession } from '../lib/data';
import { useReason } from '../lib/reason';
import { useWrite } from '../lib/write';
import ui from '../ui/ui.module.css';
import css from '../pages/import.module.css';

const LARGEST = 25 * 1024 * 1024;

export function AddFile({ field, id }: { field: string; id: string }) {
  const intl = useIntl();
  const write = useWrite();
  const reason = useReason();
  const { user } = useSession();
  const [problem, setProblem] = useState('');
  const add = async (file: File) => {
    if (file.size > LARGEST) throw new Error(intl.formatMessage({ id: 'files.large' }));
    const taken = await send<{ sha: string; size: number }>('/api/files', 'POST', file);
    await write([{ op: 'create', object: 'attachments', fields: { name: file.name, size: taken.size, media: file.type || null, sha: taken.sha, [field]: id, ...(user && { user }) } }]);
  };
  const choose = (file?: File) => { if (file) add(file).then(() => setProblem(''), (e: unknown) => setProblem(reason(e))); };
  return (
    <>
      <label className={`${ui.button} ${css.file}`}><Paperclip size={14} aria-hidden />{intl.formatMessage({ id: 'files.add' })}<input type="file" onChange={(e) => { choose(e.target.files?.[0]); e.target.value = ''; }} /></label>
      {problem && <span role="alert">{problem}</span>}
    </>
  );
}
