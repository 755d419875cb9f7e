import { originalsOf, type Group } from '../../src/services/planner/plan.js';
import { stringifyJson } from '../../src/services/values/exact-json.js';
import type { Comparison, TestOperation } from '../support/serial-oracle.js';
import { insertOf, type TruthCase } from './case.js';

/** A case as somebody reads it who has to understand it. */
export function describeCase(
  { start, operations, informed, blocks }: TruthCase,
  comparison?: Comparison,
  difference = '',
): string {
  return [
    difference,
    ...section('Start', start.length === 0 ? ['no rows'] : start.map((row) => `${insertOf(row)};`)),
    ...section(
      'Operations',
      operations.map((operation, index) => `${index + 1}. ${describeOperation(operation)}`),
    ),
    ...(informed ? [] : section('Knowledge', ['none'])),
    ...(blocks === undefined ? [] : section('Chunks', [`end early after ${blocks} subtransactions`])),
    ...(comparison === undefined ? [] : describeRuns(comparison)),
  ].join('\n');
}

/** In one line, for a table. */
export function summarizeCase({ start, operations }: TruthCase): string {
  const rows = start.map(({ target, values }) => `${target} ${compact(values)}`);
  return `{${rows.join(', ')}} ${operations.map(describeOperation).join('; ')}`;
}

function describeRuns({ grouped, serial }: Comparison): string[] {
  const tables = Object.keys(serial.dump).filter((name) => serial.dump[name]!.length + grouped.dump[name]!.length > 0);
  return [
    ...section(
      'Plan',
      grouped.plan.groups.map((group, index) => `group ${index + 1}: ${describeGroup(group)}`),
    ),
    ...section(
      'Outcomes',
      serial.verdicts.map((verdict, index) => `${index + 1}. ${both(grouped.verdicts[index]!, verdict)}`),
    ),
    ...section(
      'Tables',
      tables.map((name) => `${name}: ${both(grouped.dump[name]!.join(' '), serial.dump[name]!.join(' '))}`),
    ),
  ];
}

const both = (grouped: string, serial: string): string =>
  grouped === serial ? serial : `${grouped || 'no rows'} grouped, ${serial || 'no rows'} one by one  <<<`;

function describeGroup({ signature, operations }: Group): string {
  const members = operations.map((planned) =>
    originalsOf(planned)
      .map(({ operation }) => operation.seq)
      .join('+'),
  );
  return `${signature.replaceAll('"', '')}: ${members.join(', ')}`;
}

function describeOperation(operation: TestOperation): string {
  const { operationType, target, key, values, onConflict, conflictKey, mustExist } = operation;
  return [
    operationType,
    target,
    key !== undefined && compact(key),
    values !== undefined && compact(values),
    conflictKey !== undefined && `on (${conflictKey.join(', ')})`,
    onConflict === 'ignore' && 'or ignore',
    mustExist === true && 'must exist',
  ]
    .filter((part) => part !== false)
    .join(' ');
}

const compact = (value: object): string =>
  stringifyJson(value)
    .replace(/"(\w+)":/g, '$1: ')
    .replaceAll(',', ', ');

function section(title: string, lines: readonly string[]): string[] {
  return [`${title}:`, ...lines.map((line) => `  ${line}`)];
}
