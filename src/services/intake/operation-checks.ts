import { Logger } from '@nestjs/common';
import { callerName, reaches, type Access } from '../access/access.js';
import { sourceFor } from '../access/sources.js';
import type { CatalogService } from '../catalog/catalog.service.js';
import { shown } from '../catalog/shown.js';
import type { Table } from '../catalog/table.js';
import type { Settings } from '../config/settings.js';
import { ServiceError } from '../errors/service-error.js';
import type { BugsService } from '../health/bugs.service.js';
import type { NewOperation } from '../queue/new-operation.js';
import { inSlices } from '../steps/in-slices.js';
import { mapInSteps } from '../steps/steps.js';
import { checkOperation } from './check-operation.js';
import { failedByBug, failuresOf } from './intake-errors.js';
import { interleave, isAccepted } from './interleave.js';
import { NearestNames } from './nearest-names.js';
import { parseRequest, type ParsedRequest } from './parse-request.js';

/** An operation of the right form, with what it shares with the others of its request. */
export interface Submission {
  operation: ParsedRequest;
  hints: NearestNames;
}

/** By the text that callers name them by. */
type Tables = ReadonlyMap<string, Table | ServiceError>;
type Check = (submission: Submission, table: Table) => NewOperation | ServiceError;

/** Their tables are looked up at once, which takes some milliseconds where none of them exists. */
const CHECKED_AT_ONCE = 500;
const LOG_INTERVAL_MS = 1000;

/** Checks the operations of one request, in slices: their form, what their caller may do, and that they fit their tables. */
export class OperationChecks {
  private readonly logger = new Logger(OperationChecks.name);
  /** When a request that could not be checked is logged again, in milliseconds of the monotonic clock. */
  private nextCheckFailureAt = 0;

  constructor(
    private readonly catalog: CatalogService,
    private readonly bugs: BugsService,
    private readonly settings: Pick<Settings, 'intake'>,
  ) {}

  /** @returns each request, and a submission for each that has the right form */
  async parse(
    requests: readonly unknown[],
    access: Access,
  ): Promise<{ parsed: (ParsedRequest | ServiceError)[]; submissions: Submission[] }> {
    const createdBy = callerName(access);
    const context = { maxOperationKb: this.settings.intake.maxOperationKb, now: new Date(), createdBy };
    const parsed = await inSlices(mapInSteps(requests, (request) => allowed(parseRequest(request, context), access)));
    // Of the request and not of the flush: which hints a caller gets must not depend on what others send meanwhile.
    const hints = new NearestNames(() => this.catalog.tableIds().filter((id) => reaches(access, id)));
    return { parsed, submissions: parsed.filter(isAccepted).map((operation) => ({ operation, hints })) };
  }

  /** Never rejects: a fault is the answer to each, and is told in its order. */
  async checkSafely(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    try {
      return await this.checkAll(submissions);
    } catch (error) {
      this.logCheckFailure(error);
      return failuresOf(
        submissions.map(({ operation }) => operation),
        error,
        this.bugs.report('intake', error),
      );
    }
  }

  /** @throws any error of the database */
  async checkAll(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    const checked: (NewOperation | ServiceError)[] = [];
    for (let at = 0; at < submissions.length; at += CHECKED_AT_ONCE) {
      if (at > 0) await new Promise(setImmediate);
      checked.push(...(await this.checkTogether(submissions.slice(at, at + CHECKED_AT_ONCE))));
    }
    return checked;
  }

  private async checkTogether(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    const tables = await this.tablesOf(submissions);
    const checked = await this.checkAgainst(tables, submissions, ({ operation }, table) =>
      checkOperation(operation, table),
    );
    const refused = submissions.filter((_, index) => checked[index] instanceof ServiceError);
    if (refused.length === 0) return checked;
    // The table may have been altered since it was read: nobody is refused for what was true a moment ago. That there is no such
    // table was looked up already.
    const found = refused.map(({ operation }) => tables.get(operation.target)!).filter((table) => isAccepted(table));
    const changed = found.length > 0 && (await this.catalog.forgetIfChanged(found.map(({ id }) => id)));
    const again = await this.checkAgainst(
      changed ? await this.tablesOf(refused) : tables,
      refused,
      ({ operation, hints }, table) => checkOperation(operation, table, hints),
    );
    const told = again.map((refusal, index) => withNearestTable(refusal, refused[index]!));
    return interleave(checked, told, (operation) => operation instanceof ServiceError);
  }

  private tablesOf(submissions: readonly Submission[]): Promise<Tables> {
    return this.catalog.tables(submissions.map(({ operation }) => operation.target));
  }

  private checkAgainst(
    tables: Tables,
    submissions: readonly Submission[],
    check: Check,
  ): Promise<(NewOperation | ServiceError)[]> {
    return inSlices(
      mapInSteps(submissions, (submission) => {
        const table = tables.get(submission.operation.target)!;
        return table instanceof ServiceError ? table : this.checkOne(submission, table, check);
      }),
    );
  }

  /** A bug that the values of one request bring about is no reason to answer nobody else. */
  private checkOne(submission: Submission, table: Table, check: Check): NewOperation | ServiceError {
    try {
      return check(submission, table);
    } catch (error) {
      this.bugs.report('intake', error);
      return failedByBug(submission.operation.id, error);
    }
  }

  /** All requests meet it that come while the database cannot be asked for the tables. */
  private logCheckFailure(error: unknown): void {
    if (performance.now() < this.nextCheckFailureAt) return;
    this.nextCheckFailureAt = performance.now() + LOG_INTERVAL_MS;
    this.logger.error({ message: 'Operations could not be checked' }, error);
  }
}

/** Before the catalog is asked: whether a table exists is not told to those who may not use it. */
function allowed(request: ParsedRequest | ServiceError, access: Access): ParsedRequest | ServiceError {
  if (request instanceof ServiceError) return request;
  const { target } = request;
  if (!reaches(access, target)) {
    return new ServiceError('TARGET_NOT_ALLOWED', `The API key does not allow operations on ${shown(target)}`, {
      target,
    });
  }
  const source = sourceFor(access, request.source);
  if (source instanceof ServiceError) return source;
  return source === request.source ? request : { ...request, source };
}

function withNearestTable<T>(
  refusal: T | ServiceError,
  { operation: { target }, hints }: Submission,
): T | ServiceError {
  if (!(refusal instanceof ServiceError) || refusal.code !== 'UNKNOWN_TARGET') return refusal;
  // It exists, and is no table.
  if (refusal.details?.kind !== undefined) return refusal;
  const nearest = hints.table(target);
  if (nearest === undefined) return refusal;
  return new ServiceError('UNKNOWN_TARGET', `There is no table ${shown(target)}; did you mean ${shown(nearest)}?`, {
    ...refusal.details,
    nearest,
  });
}
