import type { IIsolationStep } from '../../../src/interfaces/chunk.js';
import type { JSX } from 'preact';
import { pageAddress } from '../state/location.js';
import { Badge, type Tone } from './basics.js';
import { plural } from './format.js';

interface Branch {
  step: IIsolationStep;
  parts: Branch[];
}

const TONES: Record<IIsolationStep['result'], Tone> = { landed: 'good', undone: 'wait', refused: 'bad' };
const WORDS: Record<IIsolationStep['result'], string> = {
  landed: 'took effect',
  undone: 'undone, then tried in parts',
  refused: 'refused',
};

/** What was tried to find the operations that the database refuses, each try inside the one that it is a part of. */
export function IsolationTree({
  steps,
  omitted = 0,
}: {
  steps: readonly IIsolationStep[];
  omitted?: number;
}): JSX.Element {
  return (
    <div class="panel isolation" tabIndex={0} role="region" aria-label="What was tried, in order">
      <Branches branches={treeOf(steps)} top />
      {omitted > 0 && <p class="muted">{plural(omitted, 'more try', 'more tries')} are not shown.</p>}
    </div>
  );
}

/** The steps come in their order, each with the number of those that it lies in. */
export function treeOf(steps: readonly IIsolationStep[]): Branch[] {
  const roots: Branch[] = [];
  const open: Branch[] = [];
  for (const step of steps) {
    const branch = { step, parts: [] };
    open.length = Math.min(open.length, step.depth);
    (open.at(-1)?.parts ?? roots).push(branch);
    open.push(branch);
  }
  return roots;
}

function Branches({ branches, top = false }: { branches: readonly Branch[]; top?: boolean }): JSX.Element {
  return (
    <ol class={top ? 'tree' : ''}>
      {branches.map(({ step, parts }, index) => (
        <li key={index}>
          <Step step={step} />
          {parts.length > 0 && <Branches branches={parts} />}
        </li>
      ))}
    </ol>
  );
}

function Step({ step: { group, from, to, rows, result, sqlState, operation } }: { step: IIsolationStep }): JSX.Element {
  return (
    <span>
      <Badge tone={TONES[result]}>{WORDS[result]}</Badge>{' '}
      {from === to ? `operation ${from + 1}` : `operations ${from + 1} to ${to + 1}`}, {plural(rows, 'row')}
      {group !== undefined && (
        <>
          , <a href={`#group-${group}`}>group {group + 1}</a>
        </>
      )}
      {sqlState !== undefined && (
        <>
          , SQLSTATE <code>{sqlState}</code>
        </>
      )}
      {operation !== undefined && (
        <>
          , <a href={pageAddress(`/operations/${operation}`)}>which one</a>
        </>
      )}
    </span>
  );
}
