import { diag, DiagLogLevel } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { cutText } from '../../services/errors/cut-text.js';

/** A collector that is away fails every few seconds. */
const TOLD_EVERY_MS = 60_000;
const LONGEST_REASON = 300;

/** Logs what the SDK of OpenTelemetry reports, such as a collector that is out of reach: one line a minute at most. */
export function logDiagnostics(logger: Pick<Logger, 'warn'>, now = (): number => performance.now()): void {
  let nextAt = -Infinity;
  let leftOut = 0;
  const tell = (report: string): void => {
    if (now() < nextAt) return void (leftOut += 1);
    nextAt = now() + TOLD_EVERY_MS;
    logger.warn(
      { reason: reasonOf(report), leftOut },
      'Telemetry: OpenTelemetry reports a fault; the service goes on without it',
    );
    leftOut = 0;
  };
  const ignore = (): void => undefined;
  diag.setLogger(
    { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** The SDK reports an error as JSON with its stack. */
function reasonOf(report: string): string {
  try {
    const { message, code } = JSON.parse(report) as { message?: unknown; code?: unknown };
    const said = [message, code].filter((each) => typeof each === 'string' && each !== '').join(' ');
    if (said !== '') return cutText(said, LONGEST_REASON);
  } catch {
    // It is plain text.
  }
  return cutText(report, LONGEST_REASON);
}
