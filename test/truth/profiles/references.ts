import type { Profile } from '../profile.js';
import type { TargetShape } from '../shape.js';
import { between, from, id, nullable } from './values.js';

const RULES = ['missing parent', 'released parent', 'old values'] as const;

const sku = nullable(from('s1', 's2', 's3'));

function parent(target: string, more: Partial<TargetShape> = {}): TargetShape {
  return { target, columns: { id }, keys: ['id'], inserts: ['id'], weights: { insert: 3, delete: 3 }, ...more };
}

/** Foreign keys whose deletes carry nothing along. */
export const REFERENCE_PROFILES: readonly Profile[] = [
  {
    name: 'references',
    rules: ['missing parent', 'released parent'],
    ddl: `
      create table parent (id int primary key, a int);
      create table child (id int primary key, parent_id int references parent, a int);`,
    shapes: [
      parent('parent', {
        columns: { id, a: between(1, 3) },
        inserts: ['id'],
        upserts: ['id a'],
        updates: ['a'],
        weights: { insert: 2, upsert: 2, update: 1, delete: 4 },
      }),
      {
        target: 'child',
        columns: { id: between(1, 5), parent_id: nullable(id), a: between(1, 3) },
        keys: ['id'],
        inserts: ['id parent_id'],
        upserts: ['id parent_id', 'id a'],
        updates: ['parent_id', 'a'],
        increments: [{ parent_id: from(1, -1) }],
        weights: { increment: 1 },
      },
    ],
  },
  {
    // Which row an operation is about, only the database can tell; what it refers to is known all the same.
    name: 'references-of-unknown-rows',
    rules: ['missing parent', 'released parent'],
    ddl: `
      create table origin (id int primary key);
      create sequence coded_no;
      create table coded (id text primary key default ('c' || nextval('coded_no')), origin_id int references origin, a int);
      create view coded_dump as select case when id < 'c' then id end as id, origin_id, a from coded;`,
    shapes: [
      parent('origin'),
      {
        target: 'coded',
        columns: { id: from('a', 'b'), origin_id: nullable(id), a: between(1, 3) },
        keys: ['id'],
        starts: 'id origin_id',
        inserts: ['origin_id', 'id origin_id'],
        updates: ['origin_id', 'a'],
        weights: { ignore: 0, insert: 4, update: 1, delete: 1 },
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'references-to-unique-keys',
    rules: ['missing parent', 'freed value', 'old values'],
    ddl: `
      create table article (id int primary key, sku text unique, a int);
      create table stock (id int primary key, article_id int references article, sku text references article (sku));`,
    shapes: [
      {
        target: 'article',
        columns: { id, sku, a: between(1, 3) },
        keys: ['id', 'sku'],
        inserts: ['id sku'],
        upserts: ['id sku', 'id a'],
        updates: ['a', 'sku'],
      },
      {
        target: 'stock',
        columns: { id, article_id: nullable(id), sku },
        keys: ['id'],
        inserts: ['id article_id', 'id sku'],
        upserts: ['id sku'],
        updates: ['article_id', 'sku'],
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'references-composite',
    rules: RULES,
    ddl: `
      create table place (x int, y int, primary key (x, y));
      create table visit (id int primary key, px int, py int, foreign key (px, py) references place (x, y));`,
    shapes: [
      parent('place', { columns: { x: between(1, 2), y: between(1, 2) }, keys: ['x y'], inserts: ['x y'] }),
      {
        target: 'visit',
        columns: { id, px: nullable(between(1, 2)), py: nullable(between(1, 2)) },
        keys: ['id'],
        inserts: ['id px py', 'id px'],
        upserts: ['id px py'],
        updates: ['px', 'py', 'px py'],
        starts: 'id px py',
      },
    ],
  },
  {
    name: 'references-to-itself',
    rules: RULES,
    ddl: `create table tree (id int primary key, parent_id int references tree, a int);`,
    shapes: [
      {
        target: 'tree',
        columns: { id, parent_id: nullable(id), a: between(1, 3) },
        keys: ['id'],
        inserts: ['id parent_id'],
        upserts: ['id parent_id', 'id a'],
        updates: ['parent_id', 'a', 'id'],
        weights: { delete: 4 },
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'references-restrict-deferred',
    rules: RULES,
    ddl: `
      create table strict_parent (id int primary key);
      create table strict_child (id int primary key, parent_id int references strict_parent on delete restrict);
      create table late_child (id int primary key, parent_id int
        references strict_parent on delete no action deferrable initially deferred);`,
    shapes: [
      parent('strict_parent', { weights: { insert: 3, delete: 4 } }),
      {
        target: 'strict_child',
        columns: { id, parent_id: nullable(id) },
        keys: ['id'],
        inserts: ['id parent_id'],
        updates: ['parent_id'],
      },
      {
        target: 'late_child',
        columns: { id, parent_id: nullable(id) },
        keys: ['id'],
        inserts: ['id parent_id'],
        upserts: ['id parent_id'],
      },
    ],
  },
  {
    name: 'references-update-cascade',
    rules: ['barrier'],
    ddl: `
      create table renamed (id int primary key, a int);
      create table follower (id int primary key, renamed_id int references renamed on update cascade, a int);`,
    shapes: [
      {
        target: 'renamed',
        columns: { id, a: between(1, 3) },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a'],
        updates: ['id', 'a'],
      },
      {
        target: 'follower',
        columns: { id, renamed_id: nullable(id), a: between(1, 3) },
        keys: ['id'],
        inserts: ['id renamed_id'],
        updates: ['renamed_id', 'a'],
        upserts: ['id a'],
      },
    ],
    expected: { perGroup: 1.05 },
  },
];
