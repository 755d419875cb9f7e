import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { ItemReader, ItemStream } from '../../../src/batch/chunk/item.js';
import { split, subflow } from '../../../src/batch/flow/flow-builder.js';
import type { BatchErrorCode } from '../../../src/batch/model/batch-error.js';
import type { ExecutionContext, JsonValue } from '../../../src/batch/model/execution-context.js';
import { JobParameters, type JobParametersInput } from '../../../src/batch/model/job-parameters.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { JsonLinesItemReader } from '../../../src/batch/readers/json-lines-item-reader.js';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { TemporaryFolder } from '../../support/batch-items.js';
import { b, engine, itemsOf, listReader, table } from './support/engine.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

const tasklet = (name: string, work: () => void = () => undefined) =>
  b
    .step(name)
    .tasklet(() => work())
    .build();

/** Reads the lines of a file after a step that has nothing to do with it. */
function importJob() {
  const ran: string[] = [];
  const lines = table();
  const load = b
    .step('load')
    .chunk(2)
    .reader((scope) => new FlatFileItemReader({ resource: scope.param('file'), columns: ['id'], map: ({ id }) => id }))
    .writer(lines.writer)
    .build();
  const job = b
    .job('import')
    .parameters({ file: { type: 'file', required: true } })
    .start(tasklet('prepare', () => void ran.push('prepare')))
    .next(load)
    .build();
  return { job, ran, lines };
}

describe('a parameter of type file', () => {
  mkdirSync(folder.file('folder'));

  it.each<[string, JobParametersInput[string], RegExp]>([
    ['is not there', folder.file('missing'), /"file" must be a file that can be read: ENOENT.*missing/],
    ['is a directory', folder.file('folder'), /"file" must be a file, and ".*folder" is a directory/],
    ['has no name', '', /"file" must be the path of a file, and is ""/],
    ['is no text', 7, /"file" must be the path of a file, and is 7/],
  ])('is refused when it %s, and nothing is stored', async (_, file, message) => {
    const { job, ran } = importJob();
    const { operator, repository } = engine([job]);
    await expect(operator.start('import', { file })).rejects.toMatchObject({
      code: 'INVALID_JOB_PARAMETERS',
      message: expect.stringMatching(message) as string,
    });
    expect(await repository.findExecutions({ limit: 10 })).toEqual([]);
    expect(ran).toEqual([]);
  });

  it('is refused in the same way on a restart, and accepted when the file is back', async () => {
    const file = folder.file('removed', '1\n2\n"broken\n');
    const { job, lines } = importJob();
    const { run, operator, repository } = engine([job]);
    const failed = await run({ file });
    expect(failed.status).toBe('FAILED');

    rmSync(file);
    await expect(operator.restart(failed.id)).rejects.toMatchObject({ code: 'INVALID_JOB_PARAMETERS' });
    expect(await repository.findExecutions({ limit: 10 })).toHaveLength(1);

    writeFileSync(file, '1\n2\n3\n');
    const { id } = await operator.restart(failed.id);
    expect((await operator.awaitEnd(id)).status).toBe('COMPLETED');
    expect(lines.rows).toEqual(['1', '2', '3']);
  });

  it('is not looked for by a process that runs no jobs. The one that does begins no step without it', async () => {
    const { job, ran } = importJob();
    const repository = new MemoryJobRepository();
    const api = engine([job], repository, { runsJobs: false });
    const { id } = await api.operator.start('import', { file: folder.file('elsewhere') });
    const worker = engine([job], repository);
    await worker.operator.adopt();
    const { status, exitStatus } = await worker.operator.awaitEnd(id);
    expect([status, exitStatus.description]).toEqual([
      'FAILED',
      expect.stringMatching(/^INVALID_JOB_PARAMETERS: Job "import" was not started.*ENOENT.*elsewhere/),
    ]);
    expect([ran, await repository.stepExecutions(id)]).toEqual([[], []]);
  });

  it('keeps an interrupted job for a process that has the file', async () => {
    const file = folder.file('of another machine', '1\n');
    const { job, lines } = importJob();
    const repository = new MemoryJobRepository();
    const execution = await repository.createExecution({
      jobName: 'import',
      parameters: JobParameters.read('import', { file }, job.parameters),
      recoveries: 0,
      owner: 'a process that has gone',
      leaseMs: -1,
      decide: () => ({ context: {}, restartAt: undefined }),
    });

    rmSync(file);
    const { operator } = engine([job], repository);
    await operator.recover();
    expect((await repository.interrupted(['import'])).map(({ id }) => id)).toEqual([execution.id]);

    writeFileSync(file, '1\n');
    await operator.recover();
    const [latest] = await repository.findExecutions({ limit: 1 });
    expect((await operator.awaitEnd(latest!.id)).status).toBe('COMPLETED');
    expect(lines.rows).toEqual(['1']);
  });
});

describe('an error of the engine fails its step with its code, and nothing of its chunk is committed:', () => {
  const endsWith = async (reader: ItemReader<string> & ItemStream) => {
    const rows = table();
    const job = b.job('job').start(b.step('load').chunk(2).reader(reader).writer(rows.writer).build()).build();
    const { run, steps } = engine([job]);
    const execution = await run();
    const [step] = await steps(execution);
    expect([execution.status, step!.status]).toEqual(['FAILED', 'FAILED']);
    expect(step!.exitStatus.description).toBe(execution.exitStatus.description);
    return { rows: rows.rows, description: execution.exitStatus.description, step: step! };
  };
  const idsOf = (name: string, text?: string) =>
    new FlatFileItemReader({ resource: folder.file(name, text), columns: ['id'], map: ({ id }) => id });

  it.each<[string, () => ItemReader<string> & ItemStream, RegExp, string[]]>([
    [
      'a broken line',
      () => idsOf('broken', '1\n2\n3\n4,4\n'),
      /^FLAT_FILE_PARSE_FAILED: Line 4 of ".*broken" has 2 values instead of 1: "4,4"/,
      ['1', '2'],
    ],
    [
      'a line that is no JSON',
      () => new JsonLinesItemReader<string>({ resource: folder.file('json', '"1"\n"2"\n3"\n') }),
      /^JSON_LINE_PARSE_FAILED: Line 3 of ".*json" is no JSON/,
      ['1', '2'],
    ],
    [
      'a header that names a column twice',
      () => new FlatFileItemReader({ resource: folder.file('twice', 'id,id\n1,2\n'), columns: true, map: () => '1' }),
      /^FLAT_FILE_HEADER_INVALID: .*names the column "id" twice/,
      [],
    ],
    [
      'a file of a reader that is not there',
      () => idsOf('nowhere'),
      /^RESOURCE_NOT_FOUND: The file ".*nowhere" cannot be opened: ENOENT/,
      [],
    ],
    [
      'a context that is no JSON',
      () => {
        let chunks = 0;
        return Object.assign(listReader(itemsOf(10)), {
          name: 'mine',
          update: (context: ExecutionContext) => {
            chunks += 1;
            context.put('at', (chunks < 2 ? chunks : new Map()) as JsonValue);
          },
        });
      },
      /^CONTEXT_NOT_JSON: The execution context keeps JSON only, and "mine.at" is a Map/,
      ['1', '2'],
    ],
  ])('%s', async (_, reader, description, rows) => {
    const ended = await endsWith(reader());
    expect(ended.description).toMatch(description);
    expect(ended.rows).toEqual(rows);
    expect(ended.step.writeCount).toBe(rows.length);
  });

  it.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /"key" is of type undefined/],
    ['a number that JSON does not know', NaN, /"key" is NaN/],
    ['a date', new Date(0), /"key" is a Date/],
    ['something within a list', [1, { deep: () => 1 }], /"key\[1\].deep" is of type function/],
  ])('a context that is given %s', async (_, value, message) => {
    const job = b
      .job('job')
      .start(
        b
          .step('put')
          .tasklet(({ scope }) => scope.step.context.put('key', value as JsonValue))
          .build(),
      )
      .build();
    const { run, steps } = engine([job]);
    const execution = await run();
    expect(execution.exitStatus.description).toMatch(message);
    expect((await steps(execution))[0]).toMatchObject({ status: 'FAILED', commitCount: 0, rollbackCount: 1 });
    expect((await steps(execution))[0]!.context.keys()).toEqual([]);
  });
});

describe('a flow with a step that it does not have', () => {
  const a = tasklet('a');
  const restarts = () => b.flow('inner').start(a).on('*').stopAndRestart(tasklet('again')).build();

  it.each<[string, () => unknown, RegExp, BatchErrorCode?]>([
    ['to go on from', () => b.job('job').start(a).from(tasklet('b')), /has no "b" yet/, 'NO_SUCH_STEP'],
    ['as its start', () => b.job('job').build(), /"job" has no start/],
    ['twice, with two meanings', () => b.job('job').start(a).next(tasklet('a')), /two different places .*"a"/],
    ['to restart at, inside of a split', () => b.job('job').start(split('s', restarts())).build(), /stopAndRestart/],
    ['before any is named', () => b.job('job').next(a), /no place to go on from at next/],
  ])('%s is refused when it is built', (_, build, message, code = 'INVALID_JOB_DEFINITION') => {
    expect(build).toThrow(expect.objectContaining({ code }) as Error);
    expect(build).toThrow(message);
  });

  it.each([false, true])(
    'to restart at, since its code has changed, is not restarted: in a flow of it %s',
    async (inner) => {
      const jobWith = (name: string) => {
        const flow = b.flow('part').start(a).on('*').stopAndRestart(tasklet(name)).build();
        return inner
          ? b.job('job').start(subflow(flow)).build()
          : b.job('job').start(a).on('*').stopAndRestart(tasklet(name)).build();
      };
      const repository = new MemoryJobRepository();
      const { id, status } = await engine([jobWith('old')], repository).run();
      expect(status).toBe('STOPPED');
      const { operator } = engine([jobWith('new')], repository);
      await expect(operator.restart(id)).rejects.toMatchObject({
        code: 'JOB_RESTART_REFUSED',
        message: expect.stringContaining(`it stopped before "${inner ? 'part/' : ''}old"`) as string,
      });
      expect(await repository.findExecutions({ limit: 10 })).toHaveLength(1);
      expect((await engine([jobWith('old')], repository).run()).status).toBe('COMPLETED');
    },
  );
});
