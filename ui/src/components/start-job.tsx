import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { IJob, IJobExecution, IJobParameter } from '../../../src/interfaces/job.js';
import { startJob } from '../api/endpoints.js';
import { notify } from '../state/act.js';
import { goTo, pageAddress } from '../state/location.js';
import { whyRefused } from '../state/session.js';
import { Dialog, ScopedButton } from './actions.js';
import { Problem } from './basics.js';

type Value = string | number | boolean;

/** Starts a job with a form that its declaration makes. */
export function StartJob({ job }: { job: IJob }): JSX.Element {
  const open = useSignal(false);
  const busy = useSignal(false);
  const failed = useSignal<Error | undefined>(undefined);
  const close = (): void => {
    open.value = false;
    failed.value = undefined;
  };
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    busy.value = true;
    try {
      const { id }: IJobExecution = await startJob(job.name, valuesOf(job, form), form.get('next instance') === 'on');
      close();
      notify('done', `${job.name} has started.`);
      goTo(pageAddress(`/executions/${id}`));
    } catch (error) {
      failed.value = error as Error;
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <ScopedButton why={whyRefused('admin')} primary onClick={() => (open.value = true)}>
        Start…
      </ScopedButton>
      {open.value && (
        <Dialog title={`Start ${job.name}`} onClose={close}>
          <form class="parameters" onSubmit={submit}>
            {job.parameters === undefined ? (
              <FreeParameters />
            ) : (
              job.parameters.map((each) => <Parameter key={each.name} parameter={each} />)
            )}
            {job.parameters?.length === 0 && <p>The job takes no parameters.</p>}
            {job.hasNextInstance && (
              <label class="check">
                <input type="checkbox" name="next instance" />
                The next instance, with the parameters of the last one where none are given
              </label>
            )}
            {failed.value !== undefined && <Problem error={failed.value} />}
            <div class="dialog-actions">
              <button type="button" class="button" onClick={close}>
                Not now
              </button>
              <button type="submit" class="button primary" disabled={busy.value}>
                Start
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

const PLACEHOLDERS: Record<IJobParameter['type'], string> = {
  string: '',
  integer: '42',
  number: '4.2',
  boolean: '',
  date: '2026-03-01 or 2026-03-01T12:00:00Z',
  file: 'a path that the worker can read',
};

function Parameter({ parameter }: { parameter: IJobParameter }): JSX.Element {
  const { name, type, required, identifying, default: preset, choices, description } = parameter;
  const values = choices ?? (type === 'boolean' ? ['true', 'false'] : undefined);
  // With the next instance, the last one's value stands where none is given, so the service checks what is required.
  const hint = [
    description,
    type,
    required ? 'required' : undefined,
    identifying ? undefined : 'not identifying',
    preset === undefined ? undefined : `else ${preset}`,
  ];
  return (
    <label>
      <span>
        <b>{name}</b> {hint.filter((each) => each !== undefined).join(' · ')}
      </span>
      {values === undefined ? (
        <input
          type="text"
          name={`value ${name}`}
          placeholder={PLACEHOLDERS[type]}
          inputMode={type === 'integer' ? 'numeric' : type === 'number' ? 'decimal' : 'text'}
          autocomplete="off"
          spellcheck={false}
        />
      ) : (
        <select name={`value ${name}`}>
          <option value="">{preset === undefined ? 'not given' : `not given: ${preset}`}</option>
          {values.map((value) => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </select>
      )}
    </label>
  );
}

function FreeParameters(): JSX.Element {
  return (
    <label>
      Parameters: one in a line, as name=value
      <textarea name="free" rows={5} spellcheck={false} />
    </label>
  );
}

function valuesOf(job: IJob, form: FormData): Record<string, Value> {
  if (job.parameters === undefined) return freeValues((form.get('free') as string | null) ?? '');
  const given = job.parameters.flatMap(({ name, type }) => {
    const text = (form.get(`value ${name}`) as string).trim();
    return text === '' ? [] : [[name, typed(type, text)] as const];
  });
  return Object.fromEntries(given);
}

function freeValues(text: string): Record<string, Value> {
  const lines = text.split('\n').flatMap((line) => {
    const [, name, value = ''] = /^\s*([^=\s]+)\s*=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value.trim()] as const];
  });
  return Object.fromEntries(lines);
}

/** What is no number goes to the service as it is: the service says what is wrong with it. */
function typed(type: IJobParameter['type'], text: string): Value {
  if (type === 'boolean') return text === 'true';
  if (type !== 'integer' && type !== 'number') return text;
  return String(Number(text)) === text ? Number(text) : text;
}
