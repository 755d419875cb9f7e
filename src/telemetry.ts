import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

// `node --import ./dist/telemetry.js dist/main.js`. It runs before the service, also in its threads. Without an address for spans it
// loads nothing.
if (isMainThread) {
  if (existsSync('.env')) process.loadEnvFile('.env');
  if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) {
    const { registerTelemetry } = await import('./bootstrap/telemetry/register-telemetry.js');
    registerTelemetry(process.env);
  }
}
