import { Logger } from '@nestjs/common';
import { callerName, reaches, type Access } from '../access/access.js';
import { sourceFor } from '../access/sources.js';
import type { CatalogService } from '../catalog/catalog.service.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import type { Table } from '../catalog/table.js';
import type { Settings } from '../config/settings.js';
import { ServiceError } from '../errors/service-error.js';
import type { BugsService } from '../health/bugs.service.js';
import type { NewOperation } from '../queue/new-operation.js';
import { inSlices } from '../steps/in-slices.js';
import { mapInSteps } from '../steps/steps.js';
import { currentTraceparent } from '../tracing/tracing.js';
import { checkOperation } from './check-operation.js';
import { failedByBug, failureOf, isAccepted } from './intake-errors.js';
import { NearestNames } from './nearest-names.js';
import { parseRequest, type ParseContext, type ParsedRequest } from './parse-request.js';

/** By the name that callers use. */
type Tables = ReadonlyMap<string, Table | ServiceError>;

/** The requests of one call, and what they share. */
interface Call {
  access: Access;
  context: ParseContext;
  hints: NearestNames;
}

type Checked = NewOperation | ServiceError;

/** Their tables are looked up together, which takes a few milliseconds if none of them exists. */
const CHECKED_AT_ONCE = 500;
const LOG_INTERVAL_MS = 1000;

/** Checks the operations of one call, in slices: their form, the rights of their caller, their tables. */
export class OperationChecks {
  private readonly logger = new Logger(OperationChecks.name);
  /** Until then no further failure to check is logged. In milliseconds of the monotonic clock. */
  private nextCheckFailureAt = 0;

  constructor(
    private readonly catalog: CatalogService,
    private readonly bugs: BugsService,
    private readonly settings: Pick<Settings, 'intake'>,
  ) {}

  /** Never rejects. If the tables cannot be read, each operation of the right form gets this as its answer. */
  async checkSafely(requests: readonly unknown[], access: Access): Promise<Checked[]> {
    let fault: { error: unknown; isBug: boolean } | undefined;
    const checked = await this.checkInParts<NewOperation | ParsedRequest>(requests, access, async (parsed, call) => {
      try {
        if (fault === undefined) return await this.checkTogether(parsed, call);
      } catch (error) {
        this.logCheckFailure(error);
        fault = { error, isBug: this.bugs.report('intake', error) };
      }
      return parsed;
    });
    if (fault === undefined) return checked as Checked[];
    // Also those that were checked before the fault: otherwise a repeated call would create half of them twice.
    const { error, isBug } = fault;
    return checked.map((each) => (isAccepted(each) ? failureOf(each.id, error, isBug) : each));
  }

  /** @throws any error of the database */
  async check(requests: readonly unknown[], access: Access): Promise<Checked[]> {
    return this.checkInParts(requests, access, (parsed, call) => this.checkTogether(parsed, call));
  }

  /** Part by part, so that few intermediate objects stay in memory. */
  private async checkInParts<T>(
    requests: readonly unknown[],
    access: Access,
    check: (parsed: readonly (ParsedRequest | ServiceError)[], call: Call) => Promise<readonly (T | ServiceError)[]>,
  ): Promise<(T | ServiceError)[]> {
    const { maxOperationKb } = this.settings.intake;
    const call: Call = {
      access,
      context: {
        maxOperationKb,
        now: new Date(),
        createdBy: callerName(access),
        traceContext: currentTraceparent(),
      },
      // One for each call: the suggestions for a caller must not depend on what others send meanwhile.
      hints: new NearestNames(() => this.catalog.tableIds().filter((id) => reaches(access, id))),
    };
    const checked: (T | ServiceError)[] = [];
    for (let at = 0; at < requests.length; at += CHECKED_AT_ONCE) {
      if (at > 0) await new Promise(setImmediate);
      const part = requests.slice(at, at + CHECKED_AT_ONCE);
      const parsed = await inSlices(
        mapInSteps(part, (request) => allowed(parseRequest(request, call.context), access)),
      );
      for (const each of await check(parsed, call)) checked.push(each);
    }
    return checked;
  }

  private async checkTogether(parsed: readonly (ParsedRequest | ServiceError)[], { hints }: Call): Promise<Checked[]> {
    const tables = await this.tablesOf(parsed.filter(isAccepted));
    const checked = await this.checkAgainst(tables, parsed);
    const refused = parsed.filter((each, index) => isAccepted(each) && !isAccepted(checked[index]!)) as ParsedRequest[];
    if (refused.length === 0) return checked;
    // The table may have been altered since it was read, so a refusal needs a second look. A table that does not exist
    // was looked up just now.
    const found = refused.map(({ target }) => tables.get(target)!).filter(isAccepted);
    const changed = found.length > 0 && (await this.catalog.forgetIfChanged(found.map(({ id }) => id)));
    const again = await this.checkAgainst(changed ? await this.tablesOf(refused) : tables, refused, hints);
    const told = again.map((refusal, index) => withNearestTable(refusal, refused[index]!.target, hints));
    let next = 0;
    return parsed.map((each, index) => {
      const isRefused = isAccepted(each) && !isAccepted(checked[index]!);
      return isRefused ? told[next++]! : checked[index]!;
    });
  }

  private tablesOf(parsed: readonly ParsedRequest[]): Promise<Tables> {
    return this.catalog.tables(parsed.map(({ target }) => target));
  }

  private checkAgainst(
    tables: Tables,
    parsed: readonly (ParsedRequest | ServiceError)[],
    hints?: NearestNames,
  ): Promise<Checked[]> {
    return inSlices(
      mapInSteps(parsed, (request) => {
        if (!isAccepted(request)) return request;
        const table = tables.get(request.target)!;
        return isAccepted(table) ? this.checkOne(request, table, hints) : table;
      }),
    );
  }

  /** If the values of one request trigger a bug, all other requests still get their answers. */
  private checkOne(request: ParsedRequest, table: Table, hints?: NearestNames): Checked {
    try {
      return checkOperation(request, table, hints);
    } catch (error) {
      this.bugs.report('intake', error);
      return failedByBug(request.id, error);
    }
  }

  /** At most once in an interval, because every request fails while the database cannot be asked for the tables. */
  private logCheckFailure(error: unknown): void {
    if (performance.now() < this.nextCheckFailureAt) return;
    this.nextCheckFailureAt = performance.now() + LOG_INTERVAL_MS;
    this.logger.error({ message: 'Operations could not be checked' }, error);
  }
}

/** Comes before the catalog: a caller must not learn whether a table exists that it may not use. */
function allowed(request: ParsedRequest | ServiceError, access: Access): ParsedRequest | ServiceError {
  if (request instanceof ServiceError) return request;
  const { target } = request;
  if (!reaches(access, target)) {
    return new ServiceError(
      'TARGET_NOT_ALLOWED',
      `The API key does not allow operations on ${quoteForMessage(target)}`,
      {
        target,
      },
    );
  }
  const source = sourceFor(access, request.source);
  if (source instanceof ServiceError) return source;
  return source === request.source ? request : { ...request, source };
}

function withNearestTable(refusal: Checked, target: string, hints: NearestNames): Checked {
  if (isAccepted(refusal) || refusal.code !== 'UNKNOWN_TARGET') return refusal;
  // It exists, but is not a table.
  if (refusal.details?.kind !== undefined) return refusal;
  const nearest = hints.table(target);
  if (nearest === undefined) return refusal;
  return new ServiceError(
    'UNKNOWN_TARGET',
    `There is no table ${quoteForMessage(target)}; did you mean ${quoteForMessage(nearest)}?`,
    {
      ...refusal.details,
      nearest,
    },
  );
}
