import type { JSX } from 'preact';
import { pageAddress, path, query, setQuery } from '../state/location.js';

export interface FilterField {
  name: string;
  label: string;
  /** The only values; else any text. */
  choices?: readonly (string | readonly [value: string, label: string])[];
  /** A local time in the form, ISO 8601 in the address. */
  time?: boolean;
  placeholder?: string;
  /** Seldom needed: it is shown when somebody asks for more filters. */
  more?: boolean;
}

/** True when the address limits the list by one of these fields. */
export const isLimited = (fields: readonly FilterField[]): boolean => fields.some(({ name }) => query.value.has(name));

/** What a list is limited to. It stands in the address, so that a link shows what its sender saw. */
export function Filters({ fields, label }: { fields: readonly FilterField[]; label: string }): JSX.Element {
  const given = query.value;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const changes = fields.map(({ name, time }) => {
      const text = (values.get(name) as string).trim();
      return [name, time === true ? fromLocal(text) : text] as const;
    });
    setQuery({ ...Object.fromEntries(changes), cursor: undefined });
  };
  const rest = fields.filter(({ more }) => more === true);
  const shown = (field: FilterField): JSX.Element => (
    <label key={field.name}>
      {field.label}
      <Field field={field} value={given.get(field.name) ?? ''} />
    </label>
  );
  return (
    <form
      class="filters"
      role="search"
      aria-label={label}
      onSubmit={submit}
      onChange={(event) => event.currentTarget.requestSubmit()}
      key={given.toString()}
    >
      {fields.filter(({ more }) => more !== true).map(shown)}
      {rest.length > 0 && (
        <details open={isLimited(rest)}>
          <summary>More filters</summary>
          <div>{rest.map(shown)}</div>
        </details>
      )}
      <button type="submit" class="button">
        Filter
      </button>
      {isLimited(fields) && (
        <a class="button" href={pageAddress(path.value)}>
          Clear
        </a>
      )}
    </form>
  );
}

function Field({
  field: { name, choices, time, placeholder },
  value,
}: {
  field: FilterField;
  value: string;
}): JSX.Element {
  if (choices !== undefined) {
    return (
      <select name={name} defaultValue={value} value={value}>
        <option value="">any</option>
        {choices.map((choice) => {
          const [given, shown] = typeof choice === 'string' ? [choice, choice] : choice;
          return (
            <option key={given} value={given}>
              {shown}
            </option>
          );
        })}
      </select>
    );
  }
  if (time === true) return <input type="datetime-local" name={name} step={1} value={toLocal(value)} />;
  return (
    <input type="text" name={name} value={value} placeholder={placeholder} spellcheck={false} autocomplete="off" />
  );
}

/** 2026-11-25T00:30:00Z → what the field for local times takes. */
function toLocal(text: string): string {
  const at = new Date(text);
  if (text === '' || Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function fromLocal(text: string): string {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? '' : at.toISOString();
}
