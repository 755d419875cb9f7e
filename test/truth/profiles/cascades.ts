import type { Profile } from '../profile.js';
import type { TargetShape } from '../shape.js';
import { between, id, nullable } from './values.js';

const keyed = (target: string, deletes = 3): TargetShape => ({
  target,
  columns: { id },
  keys: ['id'],
  inserts: ['id'],
  weights: { insert: 2, ignore: 1, delete: deletes },
});

/** A table below others, by the columns that refer to them. */
function below(target: string, ...columns: string[]): TargetShape {
  return {
    target,
    columns: {
      id: between(1, 5),
      a: between(1, 3),
      ...Object.fromEntries(columns.map((name) => [name, nullable(id)])),
    },
    keys: ['id'],
    inserts: [['id', ...columns].join(' ')],
    upserts: ['id a', `id ${columns[0]}`],
    updates: [...columns, 'a'],
    increments: [{ a: between(1, 2) }],
    weights: { increment: 1 },
  };
}

const RULES = ['cascade', 'missing parent'] as const;

/** Deletes that reach rows of other tables. */
export const CASCADE_PROFILES: readonly Profile[] = [
  {
    name: 'cascade',
    rules: RULES,
    ddl: `
      create table master (id int primary key, a int unique);
      create table detail (id int primary key, master_id int references master on delete cascade, a int);`,
    shapes: [
      {
        ...keyed('master'),
        columns: { id, a: nullable(id) },
        inserts: ['id a'],
        updates: ['a'],
        weights: { insert: 3, update: 1, delete: 4 },
      },
      below('detail', 'master_id'),
    ],
  },
  {
    name: 'cascade-chain',
    rules: RULES,
    ddl: `
      create table orders (id int primary key);
      create table item (id int primary key, order_id int references orders on delete cascade, a int);
      create table note (id int primary key, item_id int references item on delete cascade, a int);`,
    shapes: [
      keyed('orders'),
      { ...below('item', 'order_id'), columns: { id, order_id: nullable(id), a: id } },
      below('note', 'item_id'),
    ],
  },
  {
    name: 'cascade-releases',
    rules: [...RULES, 'released parent'],
    ddl: `
      create table basket (id int primary key);
      create table product (id int primary key);
      create table line (id int primary key, basket_id int references basket on delete cascade,
        product_id int references product, a int);`,
    shapes: [keyed('basket', 4), keyed('product', 4), below('line', 'basket_id', 'product_id')],
  },
  {
    name: 'cascade-set-null',
    rules: ['barrier', 'missing parent'],
    ddl: `
      create table team (id int primary key);
      create table player (id int primary key, team_id int references team on delete set null, a int);
      create table fan (id int primary key, team_id int default 1 references team on delete set default, a int);`,
    shapes: [keyed('team', 4), below('player', 'team_id'), below('fan', 'team_id')],
  },
  {
    name: 'cascade-two-parents',
    rules: RULES,
    ddl: `
      create table mother (id int primary key);
      create table father (id int primary key);
      create table kid (id int primary key, mother_id int references mother on delete cascade,
        father_id int references father on delete cascade, a int);
      create table toy (id int primary key, kid_id int references kid on delete cascade, a int);`,
    shapes: [
      keyed('mother'),
      keyed('father'),
      {
        ...below('kid', 'mother_id', 'father_id'),
        columns: { id, mother_id: nullable(id), father_id: nullable(id), a: id },
      },
      below('toy', 'kid_id'),
    ],
  },
  {
    name: 'cascade-restricted',
    rules: ['barrier', 'missing parent'],
    ddl: `
      create table project (id int primary key);
      create table task (id int primary key, project_id int references project on delete cascade, a int);
      create table claim (id int primary key, task_id int references task, a int);`,
    shapes: [
      keyed('project', 4),
      { ...below('task', 'project_id'), columns: { id, project_id: nullable(id), a: id } },
      below('claim', 'task_id'),
    ],
  },
  {
    name: 'cascade-unique',
    rules: [...RULES, 'freed value'],
    ddl: `
      create table owner (id int primary key);
      create table plate (id int primary key, owner_id int references owner on delete cascade, a int unique);`,
    shapes: [
      keyed('owner', 4),
      { ...below('plate', 'owner_id'), inserts: ['id owner_id a'], upserts: ['id a', 'id owner_id a'] },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'cascade-to-itself',
    rules: ['barrier'],
    ddl: `create table branch (id int primary key, up_id int references branch on delete cascade, a int);`,
    shapes: [{ ...below('branch', 'up_id'), columns: { id, up_id: nullable(id), a: between(1, 3) } }],
    expected: { perGroup: 1.05 },
  },
];
