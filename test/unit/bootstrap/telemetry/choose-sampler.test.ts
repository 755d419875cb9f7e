import { ROOT_CONTEXT, SpanKind, trace, TraceFlags, type Context, type Link } from '@opentelemetry/api';
import { SamplingDecision } from '@opentelemetry/sdk-trace-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseSampler } from '../../../../src/bootstrap/telemetry/choose-sampler.js';
import type { OtelEnvironment } from '../../../../src/bootstrap/telemetry/otel-environment.js';

const TRACE = 'f'.repeat(32);
const spanContext = (traceFlags: TraceFlags) => ({
  traceId: TRACE,
  spanId: '1'.repeat(16),
  traceFlags,
  isRemote: true,
});
const SAMPLED: Link = { context: spanContext(TraceFlags.SAMPLED) };
const NOT_SAMPLED: Link = { context: spanContext(TraceFlags.NONE) };
const below = (flags: TraceFlags): Context => trace.setSpanContext(ROOT_CONTEXT, spanContext(flags));

function samples(environment: OtelEnvironment, parent: Context, links: Link[] = []): boolean {
  const sampler = chooseSampler(environment);
  const { decision } = sampler.shouldSample(parent, TRACE, 'a span', SpanKind.INTERNAL, {}, links);
  return decision === SamplingDecision.RECORD_AND_SAMPLED;
}

describe('chooseSampler', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([
    [undefined, { root: true, belowSampled: true, belowOthers: false }],
    ['', { root: true, belowSampled: true, belowOthers: false }],
    ['parentbased_always_on', { root: true, belowSampled: true, belowOthers: false }],
    ['parentbased_always_off', { root: false, belowSampled: true, belowOthers: false }],
    ['always_on', { root: true, belowSampled: true, belowOthers: true }],
    ['always_off', { root: false, belowSampled: false, belowOthers: false }],
  ])('samples by OTEL_TRACES_SAMPLER=%s', (name, expected) => {
    const environment = { OTEL_TRACES_SAMPLER: name };
    expect({
      root: samples(environment, ROOT_CONTEXT),
      belowSampled: samples(environment, below(TraceFlags.SAMPLED)),
      belowOthers: samples(environment, below(TraceFlags.NONE)),
    }).toEqual(expected);
  });

  it.each(['traceidratio', 'parentbased_traceidratio'])('samples the ratio that %s is given', (name) => {
    const sampled = (ratio: string) =>
      samples({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }, ROOT_CONTEXT);
    expect([sampled('0'), sampled('1'), sampled('')]).toEqual([false, true, true]);
  });

  it.each(['traceidratio', 'parentbased_traceidratio', 'parentbased_always_off'])(
    'samples with %s a chunk that links to a sampled caller, and no other',
    (name) => {
      const environment = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: '0' };
      expect(samples(environment, ROOT_CONTEXT, [NOT_SAMPLED, SAMPLED])).toBe(true);
      expect(samples(environment, ROOT_CONTEXT, [NOT_SAMPLED])).toBe(false);
    },
  );

  it('samples no linked span when the operator wants none at all', () => {
    expect(samples({ OTEL_TRACES_SAMPLER: 'always_off' }, ROOT_CONTEXT, [SAMPLED])).toBe(false);
  });

  it.each([
    { OTEL_TRACES_SAMPLER: 'sometimes' },
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'half' },
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
  ])('says what is wrong in %o, and samples every trace', (environment) => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    expect(samples(environment, ROOT_CONTEXT)).toBe(true);
    expect(warned).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/^OTEL_TRACES_SAMPLER/));
  });
});
