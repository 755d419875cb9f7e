import type { Profile } from '../profile.js';
import type { TargetShape, Values } from '../shape.js';
import { between, exact, from, mostly } from './values.js';

const RULES = ['equality', 'same row', 'unique value', 'freed value'] as const;

interface Spelling {
  /** Names the tables. */
  name: string;
  type: string;
  /** Few values, each written in several ways. */
  values: Values;
}

const SPELLINGS: readonly Spelling[] = [
  { name: 'citext', type: 'citext', values: from('a', 'A', 'b', 'B', 'ä', 'Ä') },
  { name: 'collation', type: 'text collate case_insensitive', values: from('a', 'A', 'b', 'B', 'a ') },
  {
    name: 'numeric',
    type: 'numeric(6, 2)',
    values: from(1, '1.0', exact('1.001000'), '0.999', '2', exact('2.00'), '1e0'),
  },
  {
    name: 'plain_numeric',
    type: 'numeric',
    values: from(1, '1.0', exact('1.00'), exact('1e0'), 2, exact('20e-1'), 'NaN', 'nan'),
  },
  {
    name: 'timestamptz',
    type: 'timestamptz',
    values: from(
      '2026-01-31T12:00:00Z',
      '2026-01-31T13:00:00+01:00',
      '2026-01-31 12:00:00.0+00',
      '2026-01-31T13:00:00Z',
      'infinity',
    ),
  },
  {
    name: 'timestamp',
    type: 'timestamp(0)',
    values: from('2026-01-31T12:00:00', '2026-01-31 12:00:00.4', '2026-01-31T12:00:01'),
  },
  {
    name: 'date',
    type: 'date',
    values: from('2026-01-31', '2026-1-31', '20260131', 'Jan 31 2026', '2026-02-01', '2026-02-30'),
  },
  {
    name: 'float',
    type: 'float8',
    values: from(0, '-0', exact('-0'), exact('0.0'), 1, '1e0', exact('1.00000000000000000001'), 'NaN'),
  },
  { name: 'real', type: 'real', values: from(16777216, 16777217, '1.00000001', 1) },
  { name: 'bytea', type: 'bytea', values: from('\\x61', 'a', '\\x6', '\\141', '\\x62') },
  { name: 'int4range', type: 'int4range', values: from('[1,5)', '[1,4]', '(0,4]', '[2,3)', 'empty', '[1,1)') },
  { name: 'mood', type: 'mood', values: from('good', 'bad', 'Good') },
  {
    name: 'int_array',
    type: 'int[]',
    values: from([1, 2], exact('[1.0,2]'), '{1,2}', '{ 1, 2 }', [1], '[1:1]={1}', '[0:0]={1}'),
  },
  {
    name: 'uuid',
    type: 'uuid',
    values: from(
      '0190b5a0-0000-7000-8000-000000000001',
      '{0190B5A0-0000-7000-8000-000000000001}',
      '0190b5a0000070008000000000000001',
      '0190b5a0-0000-7000-8000-000000000002',
    ),
  },
  { name: 'bool', type: 'boolean', values: from(true, 'true', 't', 'yes', '1', 1, false, 'off', 'no') },
  { name: 'bpchar', type: 'char(3)', values: from('a', 'a  ', 'a   ', 'b', 'abcd') },
  { name: 'varchar', type: 'varchar(2)', values: from('ab', 'ab ', 'ab  ', 'a', 'a ', 'abc') },
  { name: 'int', type: 'int', values: from(1, '1', exact('1.0'), exact('10e-1'), ' 1', '+1', '01', 2, '2 ', '0x1') },
  { name: 'inet', type: 'inet', values: from('10.0.0.1', '10.0.0.1/32', '10.0.0.2', '::1', '0:0:0:0:0:0:0:1') },
  { name: 'interval', type: 'interval', values: from('1 day', '24 hours', 'P1D', '30 days', '1 month') },
  { name: 'jsonb', type: 'jsonb', values: from({ a: 1 }, { a: 1.0, b: 2 }, [1], 'x', 1) },
  { name: 'domain', type: 'lower_name', values: from('a', 'A', 'b', '') },
];

/** A table with such a key and one with such a unique column. */
function tables({ name, type }: Spelling): string {
  return `
    create table keyed_${name} (k ${type} primary key, a int);
    create table valued_${name} (id int primary key, v ${type} unique, a int);`;
}

const keyedBy = ({ name, values }: Spelling): TargetShape => ({
  target: `keyed_${name}`,
  columns: { k: values, a: mostly(between(1, 3), 12, 'abc') },
  keys: ['k'],
  inserts: ['k a'],
  upserts: ['k a'],
  updates: ['a', 'k'],
  increments: [{ a: between(1, 3) }],
});

const valuedBy = ({ name, values }: Spelling): TargetShape => ({
  target: `valued_${name}`,
  columns: { id: between(1, 5), v: values, a: between(1, 3) },
  keys: ['id'],
  inserts: ['id v'],
  upserts: ['id v'],
  updates: ['v', 'a'],
});

/** As many types at once as still meet on their values in one sequence. */
function spelled(name: string, types: readonly string[], rules: Profile['rules'] = RULES): Profile {
  const spellings = SPELLINGS.filter((spelling) => types.includes(spelling.name));
  return {
    name,
    rules,
    ddl: spellings.map(tables).join(''),
    shapes: spellings.flatMap((spelling) => [keyedBy(spelling), valuedBy(spelling)]),
    length: { min: 4, max: 40 },
    expected: { perGroup: 1.02 },
  };
}

/** Values that PostgreSQL holds equal, however they are written. */
export const EQUALITY_PROFILES: readonly Profile[] = [
  spelled('equality-text', ['citext', 'collation', 'domain']),
  spelled('equality-numbers', ['numeric', 'plain_numeric', 'int']),
  spelled('equality-times', ['timestamptz', 'timestamp', 'date'], ['equality', 'same row', 'unique value']),
  spelled('equality-floats', ['float', 'real', 'interval']),
  spelled('equality-lists', ['int4range', 'int_array', 'mood']),
  spelled('equality-bytes', ['bytea', 'uuid', 'inet']),
  // What is cut off or spelled in two ways here is known without the database.
  spelled('equality-lengths', ['bpchar', 'varchar', 'bool'], ['same row', 'unique value']),
  spelled('equality-json', ['jsonb']),
  {
    name: 'equality-references',
    rules: ['equality', 'missing parent'],
    ddl: `
      create table priced (m numeric(6, 2) primary key);
      create table price_tag (id int primary key, m numeric references priced, c citext);
      create table town (c citext primary key);
      create table street (id int primary key, c citext references town);
      create table small_no (n smallint primary key);
      create table big_no (id int primary key, n bigint references small_no);`,
    shapes: [
      { target: 'priced', columns: { m: from(1, '1.0', '1.001', 2) }, keys: ['m'], inserts: ['m'] },
      {
        target: 'price_tag',
        columns: { id: between(1, 4), m: from(1, '1.00', '1.001', '2.000') },
        keys: ['id'],
        inserts: ['id m'],
        updates: ['m'],
        upserts: ['id m'],
      },
      { target: 'town', columns: { c: from('a', 'A', 'b') }, keys: ['c'], inserts: ['c'] },
      {
        target: 'street',
        columns: { id: between(1, 4), c: from('a', 'A', 'b', 'B') },
        keys: ['id'],
        inserts: ['id c'],
        updates: ['c'],
      },
      { target: 'small_no', columns: { n: from(1, '1', '+1', 2) }, keys: ['n'], inserts: ['n'] },
      {
        target: 'big_no',
        columns: { id: between(1, 4), n: from(1, ' 1', 2, '99999') },
        keys: ['id'],
        inserts: ['id n'],
        updates: ['n'],
      },
    ],
    length: { min: 4, max: 40 },
    expected: { perGroup: 1.02 },
  },
];
