import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { SubmissionPipeline } from '../../src/services/intake/submission-pipeline.js';

const AWAY = new ServiceError('SERVICE_UNAVAILABLE', 'The database did not confirm the operation', {
  id: 'of another',
});

describe('a pipeline of submissions', () => {
  it('begins nothing behind one that is handed over again', () => {
    const pipeline = new SubmissionPipeline();
    const [first, second] = [pipeline.place({ retried: true }), pipeline.place({ retried: true })];
    expect(first.begin()).toBeUndefined();
    first.fail(AWAY);
    expect(second.begin()).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: undefined });
    expect([first.begun, second.begun]).toEqual([true, false]);
    expect(pipeline.aborted).toBe(true);
  });

  it('goes on behind one whose caller is told of the failure', () => {
    const pipeline = new SubmissionPipeline();
    pipeline.place({ retried: false }).fail(AWAY);
    expect(pipeline.place({ retried: true }).begin()).toBeUndefined();
    expect(pipeline.aborted).toBe(false);
  });

  it('refuses what comes behind with the first failure', () => {
    const pipeline = new SubmissionPipeline();
    pipeline.place({ retried: true }).fail(AWAY);
    pipeline.place({ retried: true }).fail(new ServiceError('OVERLOADED', 'The service has too much to do'));
    expect(pipeline.refusal?.code).toBe('SERVICE_UNAVAILABLE');
  });
});
