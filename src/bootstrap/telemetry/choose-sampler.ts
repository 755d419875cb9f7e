import { TraceFlags, type Attributes, type Context, type Link, type SpanKind } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type Sampler,
  type SamplingResult,
} from '@opentelemetry/sdk-trace-node';
import { valueOf, type OtelEnvironment } from './otel-environment.js';

/**
 * The sampler that `OTEL_TRACES_SAMPLER` names. The span of a chunk belongs to no trace of a caller. Sampled by itself, a sampled caller
 * would mostly link to a chunk that nobody has seen. So a span that links to a sampled one is sampled too.
 */
export function chooseSampler(environment: OtelEnvironment): Sampler {
  const name = valueOf(environment, 'OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const root = (sampler: Sampler): Sampler => new LinkSampler(sampler);
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return root(new TraceIdRatioBasedSampler(ratioOf(environment)));
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: root(new AlwaysOffSampler()) });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: root(new TraceIdRatioBasedSampler(ratioOf(environment))) });
    default:
      if (name !== 'parentbased_always_on') {
        process.emitWarning(`OTEL_TRACES_SAMPLER: there is no sampler ${JSON.stringify(name)}; every trace is sampled`);
      }
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  }
}

function ratioOf(environment: OtelEnvironment): number {
  const text = valueOf(environment, 'OTEL_TRACES_SAMPLER_ARG') ?? '1';
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  process.emitWarning(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1; got ${JSON.stringify(text)}. 1 is used`);
  return 1;
}

/** Samples what links to a sampled span, and leaves everything else to another sampler. */
class LinkSampler implements Sampler {
  constructor(private readonly others: Sampler) {}

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    if (links.some(isSampled)) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    return this.others.shouldSample(context, traceId, name, kind, attributes, links);
  }

  toString(): string {
    return `LinkSampler{${this.others.toString()}}`;
  }
}

const isSampled = ({ context }: Link): boolean => (context.traceFlags & TraceFlags.SAMPLED) !== 0;
