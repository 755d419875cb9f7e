import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { FrameSocket } from '../support/frame-socket.js';

const COLUMNS = `
  id int primary key, n numeric, c numeric(40, 25), f float8, r real, b int8, j json, jb jsonb, t text, na numeric[], ia int[],
  ja jsonb[]`;
const SCHEMA = `
  create table given (${COLUMNS});
  create table told (${COLUMNS});
  create table amounts (key numeric primary key, total numeric not null default 0, note json)`;

/** An operation as JSON text, which no parser of this process has seen. */
type OperationText = string;

interface Entry {
  id?: string;
  error?: { code: string; message: string };
}

/** Every way into the service. Each answers what became of each operation; an event answers nothing. */
const WAYS = ['REST', 'REST in bulk', 'AMQP', 'AMQP in bulk', 'AMQP event', 'TCP', 'TCP in bulk'] as const;
type Way = (typeof WAYS)[number];

describe('the digits that callers send', () => {
  let app: TestApp;
  let tcpApp: TestApp;
  let amqp: AmqpCaller;
  let tcp: FrameSocket;
  let nextId = 1;

  beforeAll(async () => {
    app = await startTestApp({}, { schema: SCHEMA });
    tcpApp = await startTestApp({ BATCH_SERVICE_RMQ_URL: '' }, { database: app.database });
    amqp = await connectAmqpCaller(app.settings.rabbitmq!.url, app.settings.rabbitmq!.queue);
    tcp = await FrameSocket.open(tcpApp.settings.rpcTcp.port);
  });
  afterAll(async () => {
    tcp?.socket.destroy();
    await amqp?.close();
    await tcpApp?.close();
    await app?.close();
  });

  async function post(path: string, body: string): Promise<unknown> {
    const response = await fetch(`${app.url}/api/v1/operations${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return response.json();
  }

  async function callTcp(body: string): Promise<unknown> {
    tcp.socket.write(`${body.length}#${body}`);
    return tcp.next();
  }

  async function hand(way: Way, operation: OperationText): Promise<Entry> {
    const many = `{"operations":[${operation}]}`;
    const message = (pattern: string, data: string): string => `{"pattern":"${pattern}","id":"1","data":${data}}`;
    switch (way) {
      case 'REST':
        return problemToEntry((await post('', operation)) as Entry & { code?: string; detail?: string });
      case 'REST in bulk':
        return ((await post('/bulk', many)) as { results: [Entry] }).results[0];
      case 'AMQP':
        return toEntry(await amqp.callRaw(message('create_operation', operation)));
      case 'AMQP in bulk':
        return firstResult(await amqp.callRaw(message('create_operations', many)));
      case 'AMQP event':
        await amqp.sendRaw(`{"pattern":"create_operation","data":${operation}}`);
        return {};
      case 'TCP':
        return toEntry(await callTcp(message('create_operation', operation)));
      case 'TCP in bulk':
        return firstResult(await callTcp(message('create_operations', many)));
    }
  }

  /** Waits until the operation is over, and answers the text that tells of it. */
  async function outcome(id: string): Promise<string> {
    const response = await fetch(`${app.url}/api/v1/operations/${id}?wait=10000`);
    return response.text();
  }

  /** The row as PostgreSQL shows it. */
  async function shown(table: string, id: number): Promise<Record<string, string | null> | undefined> {
    const { rows } = await app.database.client.query<Record<string, string | null>>(
      `select n::text, c::text, f::text, r::text, b::text, j::text, jb::text, t, na::text, ia::text, ja::text
       from ${table} where id = $1`,
      [id],
    );
    return rows[0];
  }

  /** What PostgreSQL itself makes of the text; undefined when it refuses it. */
  async function told(column: string, text: string): Promise<Record<string, string | null> | undefined> {
    const id = nextId++;
    try {
      await app.database.client.query(`insert into told (id, ${column}) values ($1, $2)`, [id, text]);
    } catch {
      return undefined;
    }
    return shown('told', id);
  }

  /** Hands over an insert of one value; answers the row, or why there is none. */
  async function insert(way: Way, column: string, json: string): Promise<unknown> {
    const [answer] = await insertIntoEach(way, [column], json);
    return answer;
  }

  /** Hands over an insert for each column, then awaits all: those that come together are executed in one chunk. */
  async function insertIntoEach(way: Way, columns: readonly string[], json: string): Promise<unknown[]> {
    const inserts: { id: string; row: number; column: string; refusal?: string }[] = [];
    for (const column of columns) {
      const [row, id] = [nextId++, randomUUID()];
      const text = `{"id":"${id}","operationType":"insert","target":"given","values":{"id":${row},"${column}":${json}}}`;
      const { error } = await hand(way, text);
      inserts.push({ id, row, column, refusal: error?.code });
    }
    return Promise.all(
      inserts.map(async ({ id, row, column, refusal }) => {
        if (refusal !== undefined) return refusal;
        if (way === 'AMQP event') await eventually(async () => expect(await outcome(id)).toContain('settledAt'));
        const operation = await outcome(id);
        expect(operation).toContain(`"${column}":${json}`);
        const { status, error } = JSON.parse(operation) as { status: string; error?: { code: string } };
        return status === 'completed' ? shown('given', row) : error?.code;
      }),
    );
  }

  describe.each(WAYS)('over %s', (way) => {
    it('keeps a number of forty digits in numeric', async () => {
      const number = '123456789012345.1234567890123456789012345';
      expect(await insert(way, 'c', number)).toMatchObject({ c: number });
    });

    it('keeps the digits and the order of names in json and jsonb', async () => {
      const object =
        '{"b":12345678901234567890,"10":[1.10,-0,1e400],"9":{"z":1,"z":2},"a":0.1000000000000000055511151231257827}';
      expect(await insert(way, 'j', object)).toMatchObject({ j: object });
      expect(await insert(way, 'jb', '{"a":12345678901234567890}')).toMatchObject({
        jb: '{"a": 12345678901234567890}',
      });
    });
  });

  const digits = fc.stringMatching(/^\d{1,60}$/);
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      digits.map((text) => text.replace(/^0+(?=\d)/, '')),
      fc.option(digits, { nil: undefined }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 40 })), { nil: undefined }),
    )
    .map(
      ([sign, whole, fraction, exponent]) =>
        `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent === undefined ? '' : exponent.join('')}`,
    );
  const name = fc.oneof(fc.constantFrom('1', '2', '10', 'a', 'b', '__proto__', ''), fc.string({ maxLength: 5 }));
  const { json } = fc.letrec<{ json: string; leaf: string }>((tie) => ({
    leaf: fc.oneof(
      number,
      fc.constantFrom('true', 'false', 'null'),
      storable().map((text) => JSON.stringify(text)),
    ),
    json: fc.oneof(
      { depthSize: 'small' },
      tie('leaf'),
      fc.array(tie('json'), { maxLength: 4 }).map((elements) => `[${elements.join(',')}]`),
      fc
        .array(fc.tuple(name.filter(isStorable), tie('json')), { maxLength: 4 })
        .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`),
    ),
  }));
  const way = fc.constantFrom(...WAYS.filter((each) => each !== 'AMQP event'));
  const RUNS = { numRuns: 60 };

  async function expectAsTold(by: Way, columns: readonly string[], text: string): Promise<void> {
    const expected = await Promise.all(columns.map((column) => told(column, text)));
    expect(await insertIntoEach(by, columns, text)).toEqual(expected.map((row) => row ?? 'VALUE_OUT_OF_RANGE'));
  }

  it('stores any number in numeric, float8 and float4 as PostgreSQL stores its text', async () => {
    await fc.assert(
      fc.asyncProperty(way, number, (by, text) => expectAsTold(by, ['n', 'c', 'f', 'r'], text)),
      RUNS,
    );
  });

  it('stores any JSON in json and jsonb as PostgreSQL stores its text', async () => {
    await fc.assert(
      fc.asyncProperty(way, json, async (by, text) => {
        fc.pre(text !== 'null');
        await expectAsTold(by, ['j', 'jb'], text);
      }),
      RUNS,
    );
  });

  it('stores a whole number in an integer column as it is, or says that it has to be a string', async () => {
    await fc.assert(
      fc.asyncProperty(way, number, async (by, text) => {
        const expected = await told('b', text.replace(/\.0*$/, ''));
        const answer = await insert(by, 'b', text);
        if (typeof answer === 'string') expect(['INVALID_VALUE', 'VALUE_OUT_OF_RANGE']).toContain(answer);
        else expect(BigInt(String((answer as { b: string }).b))).toBe(wholeValue(text));
        if (expected !== undefined && /^-?\d{1,15}$/.test(text)) expect(answer).toMatchObject({ b: expected.b });
      }),
      RUNS,
    );
    const { error } = await hand(
      'REST in bulk',
      `{"operationType":"insert","target":"given","values":{"id":${nextId++},"b":9007199254740993}}`,
    );
    expect(error).toMatchObject({
      code: 'INVALID_VALUE',
      message: expect.stringContaining('send it as a string') as string,
    });
  });

  it('fails where PostgreSQL refuses the number, and makes nothing else of it', async () => {
    for (const [column, text] of [
      ['f', '1e400'],
      ['f', '1e-400'],
      ['n', '1e400000'],
      ['c', '1234567890123456.0'],
      ['jb', '{"a":[1e400000]}'],
    ] as const) {
      expect(await insert('REST in bulk', column, text)).toBe('VALUE_OUT_OF_RANGE');
      expect(await told(column, text)).toBeUndefined();
    }
  });

  it('refuses the same requests in exact JSON as in any other', async () => {
    const deep = `${'['.repeat(101)}1.0${']'.repeat(101)}`;
    for (const value of ['{"a":1.0,"b":"\\u0000"}', '{"a":1.0,"\\ud800":1}', deep]) {
      expect(await insert('AMQP', 'j', value)).toBe('INVALID_VALUE');
    }
  });

  it('refuses a name that stands twice around the operations', async () => {
    const list = '{"operations":[],"operations":[]}';
    expect(await post('/bulk', list)).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await callTcp(`{"pattern":"create_operations","id":1,"data":${list}}`)).toMatchObject({
      err: { code: 'INVALID_REQUEST' },
    });
    expect(await amqp.callRaw('{"pattern":"create_operations","pattern":"cancel_operation"}')).toMatchObject({
      err: { code: 'MALFORMED_MESSAGE' },
    });
  });

  it('refuses a number for a text column: which text it would be is a guess', async () => {
    expect(await insert('REST', 't', '1.10')).toBe('INVALID_VALUE');
  });

  it('keeps the digits of elements of arrays', async () => {
    expect(await insert('REST', 'na', '[1.10,12345678901234567890,null,1e3]')).toMatchObject({
      na: '{1.10,12345678901234567890,NULL,1000}',
    });
    expect(await insert('AMQP', 'ia', '[[1.0,2],[3,1e2]]')).toMatchObject({ ia: '{{1,2},{3,100}}' });
    expect(await insert('TCP', 'ja', '[1.10,[12345678901234567890],{"a":1.0}]')).toMatchObject({
      ja: '{1.10,[12345678901234567890],"{\\"a\\": 1.0}"}',
    });
  });

  it('adds increments to their last digit, several on one row as one', async () => {
    const key = '12345678901234567890.5';
    const add = (spelled: string, total: string): OperationText =>
      `{"operationType":"increment","target":"amounts","key":{"key":${spelled}},"values":{"total":${total}},"mustExist":true}`;
    const operations = [
      `{"operationType":"insert","target":"amounts","values":{"key":${key},"total":0}}`,
      add(key, '0.10000000000000000000000001'),
      add(key, '10000000000000000000.10'),
      add(`${key}0`, '1.0'),
    ];
    const { results } = (await post('/bulk', `{"operations":[${operations.join(',')}]}`)) as {
      results: { id: string }[];
    };
    for (const { id } of results) expect(await outcome(id)).toContain('"status":"completed"');
    const { rows } = await app.database.client.query('select total::text from amounts where key = $1', [key]);
    expect(rows).toEqual([{ total: '10000000000000000001.20000000000000000000000001' }]);
  });

  it('knows a row by the value of its key, however it is spelled', async () => {
    const spellings = ['7.0', '7.00', '7', '70e-1', '0.7e1'];
    const operations = spellings.map(
      (key, index) => `{"operationType":"upsert","target":"amounts","values":{"key":${key},"total":${index}.50}}`,
    );
    const { results } = (await post('/bulk', `{"operations":[${operations.join(',')}]}`)) as {
      results: { id: string }[];
    };
    for (const { id } of results) expect(await outcome(id)).toContain('"status":"completed"');
    const { rows } = await app.database.client.query('select total::text from amounts where key = 7');
    expect(rows).toEqual([{ total: '4.50' }]);
  });

  it('takes the same request twice for one operation, whatever its spelling, and another number for another', async () => {
    const id = randomUUID();
    const text = (spelled: string): string =>
      `{"id":"${id}","operationType":"insert","target":"given","values":{"n":${spelled},"id":900001}}`;
    expect(await hand('REST', text('12345678901234567890.0'))).toMatchObject({ id, created: true });
    expect(await hand('TCP', text(' 12345678901234567890.0'))).toMatchObject({ id, created: false });
    expect(await hand('AMQP', text('12345678901234567890.00'))).toMatchObject({ id, created: false });
    expect(await hand('REST', text('12345678901234567891.0'))).toMatchObject({
      error: { code: 'IDEMPOTENCY_CONFLICT' },
    });
  });

  it('refuses a name that stands twice in an operation: one of the values would be lost', async () => {
    const twice = [
      '{"operationType":"insert","target":"given","values":{"id":900002,"n":1,"n":2}}',
      '{"operationType":"insert","target":"given","target":"told","values":{"id":900002}}',
    ];
    for (const each of WAYS.filter((one) => one !== 'AMQP event')) {
      for (const text of twice) {
        const { error } = await hand(each, text);
        expect(error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('twice') as string });
      }
    }
  });

  it('tells of a row that is missing with the key that was sent', async () => {
    const { id } = await hand(
      'REST',
      '{"operationType":"delete","target":"amounts","key":{"key":12345678901234567890.10},"mustExist":true}',
    );
    expect(await outcome(id!)).toContain('has no row with key {\\"key\\":12345678901234567890.10}');
  });

  it('explains a plan by the values that were sent', async () => {
    const operation = '{"operationType":"delete","target":"amounts","key":{"key":12345678901234567890.10}}';
    const upsert = '{"operationType":"upsert","target":"amounts","values":{"key":12345678901234567890.10}}';
    const plan = await post('/plan', `{"operations":[${operation},${upsert}]}`);
    expect(JSON.stringify(plan)).toContain('= (12345678901234567890.10)');
  });

  it('answers over TCP with the id that was sent', async () => {
    tcp.socket.write(frame('{"pattern":"get_operation","id":12345678901234567890,"data":{"id":"1"}}'));
    const answer = await rawAnswer(tcp);
    expect(answer).toContain('"id":12345678901234567890');
  });
});

const frame = (body: string): string => `${body.length}#${body}`;

async function rawAnswer({ socket }: FrameSocket): Promise<string> {
  return new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
}

function problemToEntry({ code, detail, ...answer }: Entry & { code?: string; detail?: string }): Entry {
  return code === undefined ? answer : { error: { code, message: detail ?? '' } };
}

function toEntry(answer: unknown): Entry {
  const { response, err } = answer as { response?: Entry; err?: { code: string; message: string } };
  return err === undefined ? response! : { error: err };
}

function firstResult(answer: unknown): Entry {
  const { response } = answer as { response: { results: [Entry] } };
  return response.results[0];
}

function storable(): fc.Arbitrary<string> {
  return fc.string({ unit: 'grapheme' }).filter(isStorable);
}

const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Of a number that is whole. */
function wholeValue(text: string): bigint {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(
    text,
  )!;
  const places = Number(exponent) - fraction.length;
  const digits = BigInt(`${whole}${fraction}`);
  const value = places >= 0 ? digits * 10n ** BigInt(places) : digits / 10n ** BigInt(-places);
  return sign === '-' ? -value : value;
}
