import type { SqlStatement } from '../../interfaces/sql.js';

/** Failures of one code and constraint. The constraint is '' where none was named. */
export interface FailureKind {
  code: string;
  constraint: string;
}

export interface FailureFilter {
  code: string | undefined;
  /** As it is stored: `public.orders`. */
  target: string | undefined;
  source: string | undefined;
}

export interface FailureLimits {
  /** Pairs of code and constraint. */
  kinds: number;
  /** Failed operations that are looked at, over all kinds. */
  examined: number;
  /** Failed operations that are counted without being looked at, over all kinds. */
  counted: number;
}

export interface FailureRow {
  code: string;
  constraint: string;
  target: string;
  count: number;
  countIsExact: boolean;
  firstAt: Date;
  lastAt: Date;
  id: string;
  message: string | null;
}

export interface FailuresRow {
  groups: (Omit<FailureRow, 'firstAt' | 'lastAt'> & { firstAt: string; lastAt: string })[];
  examined: number;
  isComplete: boolean;
  /** The last kind that was looked at. Null: there was none. */
  last: FailureKind | null;
  /** How many kinds were looked at. */
  kinds: number;
}

/** As `outcomes_failed_kind_idx` has it. */
const NAME = `coalesce(x.constraint_name, '')`;
const OF_KIND = `x.status = 'failed' and x.code = kind.code and ${NAME} = kind.name`;

const GROUPS = `
      grouped as materialized (
        select code, name, target, count(*) as matched, min(settled_at) as first_at, max(settled_at) as last_at, max(seq) as seq
        from matching group by code, name, target
      )`;

/**
 * All failures in groups. It finds each pair of code and constraint by one step into the index, so rare ones are found
 * beside a million others. Of each pair it looks at the newest failures, and counts some more.
 */
export function selectFailures(
  { code, target, source }: FailureFilter,
  after: FailureKind | undefined,
  { kinds, examined, counted }: FailureLimits,
): SqlStatement {
  const values: unknown[] = [kinds, examined, counted, target ?? null, source ?? null];
  const given = (value: string): string => `$${values.push(value)}::text`;
  const ofCode = code === undefined ? 'true' : `x.code = ${given(code)}`;
  const beginsAt =
    after === undefined ? 'true' : `(x.code, ${NAME}) > (${given(after.code)}, ${given(after.constraint)})`;
  const nextKind = (condition: string): string =>
    `select x.code, ${NAME} as name from batch.outcomes x
          where x.status = 'failed' and ${ofCode} and ${condition} order by x.code, ${NAME} limit 1`;
  return {
    text: `
      with recursive kind as (
        select first.*, 1 as place from (${nextKind(beginsAt)}) first
        union all
        select next.*, kind.place + 1 from kind cross join lateral (
          ${nextKind(`(x.code, ${NAME}) > (kind.code, kind.name)`)}
        ) next where kind.place < $1::int
      ),
      share as materialized (
        select greatest(1, $2::int / greatest(1, count(*)))::int as examined, greatest(1, $3::int / greatest(1, count(*)))::int as counted
        from kind
      ),
      examined as materialized (
        select kind.code, kind.name, x.seq, x.settled_at, s.target, o.source
        from kind cross join share cross join lateral (
          select x.seq, x.settled_at from batch.outcomes x where ${OF_KIND} order by x.seq desc limit share.examined
        ) x
        join batch.operations o on o.seq = x.seq join batch.shapes s on s.id = o.shape
      ),
      size as materialized (
        select kind.code, kind.name, (select count(*) from (
            select from batch.outcomes x where ${OF_KIND} limit greatest(share.counted, share.examined + 1)
          ) counted) as size, (select count(*) from examined e where e.code = kind.code and e.name = kind.name) as examined
        from kind cross join share
      ),
      matching as (
        select * from examined
        where ($4::text is null or target = $4::text) and ($5::text is null or source = $5::text)
      ),${GROUPS}
      select
        coalesce((
          select json_agg(json_build_object(
            'code', g.code, 'constraint', g.name, 'target', g.target,
            'count', case when size.size = size.examined then g.matched else round(g.matched::numeric / size.examined * size.size) end,
            'countIsExact', size.size = size.examined,
            'firstAt', case when s.target = g.target and $5::text is null then least(oldest.settled_at, g.first_at) else g.first_at end,
            'lastAt', g.last_at, 'id', o.id, 'message', x.message
          ) order by g.code, g.name, g.target)
          from grouped g
          join size on size.code = g.code and size.name = g.name
          join batch.outcomes x on x.seq = g.seq join batch.operations o on o.seq = g.seq
          cross join lateral (
            select x.seq, x.settled_at from batch.outcomes x
            where x.status = 'failed' and x.code = g.code and ${NAME} = g.name order by x.seq limit 1
          ) oldest
          join batch.operations first on first.seq = oldest.seq join batch.shapes s on s.id = first.shape
        ), '[]') as groups,
        (select count(*)::int from examined) as examined,
        coalesce((select bool_and(size = examined) from size), true) as "isComplete",
        (select json_build_object('code', code, 'constraint', name) from kind order by place desc limit 1) as last,
        (select count(*)::int from kind) as kinds`,
    values,
  };
}

/**
 * Failures since a time in groups. It looks at the newest outcomes, and at no earlier ones than `examined` allows.
 */
export function selectFailuresSince(
  since: string,
  { code, target, source }: FailureFilter,
  after: FailureKind | undefined,
  { kinds, examined }: FailureLimits,
): SqlStatement {
  return {
    text: `
      with walked as materialized (
        select x.seq, x.settled_at, x.status, x.code, ${NAME} as name from batch.outcomes x
        where x.settled_at >= $1::timestamptz order by x.settled_at desc limit $3::int
      ),
      examined as materialized (
        select x.code, x.name, x.seq, x.settled_at, s.target, o.source
        from walked x
        -- One by one: PostgreSQL would rather read the whole table than look up ten thousand rows.
        cross join lateral (select shape, source from batch.operations where seq = x.seq offset 0) o
        join batch.shapes s on s.id = o.shape
        where x.status = 'failed' and ($6::text is null or x.code = $6::text)
          and ($7::text is null or (x.code, x.name) > ($7::text, $8::text))
      ),
      kind as materialized (
        select code, name, row_number() over (order by code, name) as place from examined group by code, name
        order by code, name limit $2::int
      ),
      matching as (
        select examined.* from examined join kind using (code, name)
        where ($4::text is null or target = $4::text) and ($5::text is null or source = $5::text)
      ),${GROUPS},
      whole as materialized (select count(*) < $3::int as complete from walked)
      select
        coalesce((
          select json_agg(json_build_object(
            'code', g.code, 'constraint', g.name, 'target', g.target, 'count', g.matched, 'countIsExact', whole.complete,
            'firstAt', g.first_at, 'lastAt', g.last_at, 'id', o.id, 'message', x.message
          ) order by g.code, g.name, g.target)
          from grouped g cross join whole
          join batch.outcomes x on x.seq = g.seq join batch.operations o on o.seq = g.seq
        ), '[]') as groups,
        (select count(*)::int from examined) as examined, whole.complete as "isComplete",
        (select json_build_object('code', code, 'constraint', name) from kind order by place desc limit 1) as last,
        (select count(*)::int from kind) as kinds
      from whole`,
    values: [
      since,
      kinds,
      examined,
      target ?? null,
      source ?? null,
      code ?? null,
      after?.code ?? null,
      after?.constraint ?? null,
    ],
  };
}
