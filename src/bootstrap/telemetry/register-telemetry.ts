import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { chooseSampler } from './choose-sampler.js';
import { valueOf, type OtelEnvironment } from './otel-environment.js';

/**
 * Registers the SDK of OpenTelemetry, which sends the spans of the service to `OTEL_EXPORTER_OTLP_ENDPOINT`. The SDK reads the other
 * variables (`OTEL_…`) itself. Only this folder knows the SDK; the service makes its spans through `@opentelemetry/api`.
 */
export function registerTelemetry(environment: OtelEnvironment): void {
  if (valueOf(environment, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return;
  if (valueOf(environment, 'OTEL_TRACES_EXPORTER') === 'none') return;
  const exporter = exporterFor(environment);
  if (exporter === undefined) return;
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'batch-service' }))
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new NodeTracerProvider({
    resource,
    sampler: chooseSampler(environment),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
}

function exporterFor(environment: OtelEnvironment): SpanExporter | undefined {
  const protocol =
    valueOf(environment, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ??
    valueOf(environment, 'OTEL_EXPORTER_OTLP_PROTOCOL') ??
    'http/protobuf';
  if (protocol === 'http/protobuf') return new ProtobufExporter();
  if (protocol === 'http/json') return new JsonExporter();
  process.emitWarning(
    `OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json; got ${JSON.stringify(protocol)}. No spans are sent`,
  );
  return undefined;
}
