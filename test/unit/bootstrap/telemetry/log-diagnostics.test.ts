import { diag } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { logDiagnostics } from '../../../../src/bootstrap/telemetry/log-diagnostics.js';

describe('logDiagnostics', () => {
  afterEach(() => diag.disable());

  it('logs one line a minute, with the number of those that were left out', () => {
    let now = 0;
    const lines: unknown[] = [];
    logDiagnostics({ warn: (fields: unknown) => void lines.push(fields) }, () => now);
    diag.error(JSON.stringify({ stack: 'Error: …', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' }));
    diag.warn('a span was dropped');
    diag.error('again');
    diag.info('nobody needs this');
    now = 60_000;
    diag.warn('x'.repeat(1000));
    expect(lines).toEqual([
      { reason: 'connect ECONNREFUSED ECONNREFUSED', leftOut: 0 },
      { reason: expect.stringMatching(/^x{200,299}/) as string, leftOut: 2 },
    ]);
  });
});
