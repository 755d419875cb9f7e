import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Settings } from '../config/settings.js';
import { boundedFields, LONGEST_LOGGED } from './bounded-fields.js';
import { cutText } from '../errors/cut-text.js';
import { redactSecrets } from '../../interfaces/redact-secrets.js';
import { currentRequestId } from './request-context.js';

export type LogSettings = Pick<Settings, 'environment' | 'logLevel' | 'role'>;

/**
 * The only logger of the process: JSON lines on stdout in production, readable lines elsewhere. A line that is logged
 * for a request has its `requestId`. Texts and fields are cut before anything else processes them. Secret fields, API
 * keys and the passwords of URLs are hidden wherever they occur.
 */
export function createLogger(settings: LogSettings, destination: pino.DestinationStream = process.stdout): Logger {
  return pino(
    {
      level: settings.logLevel,
      base: { pid: process.pid, role: settings.role },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }), log: boundedFields },
      serializers: { msg: cutMessage, err: (copied: unknown) => copied },
      mixin: () => requestFields(currentRequestId()),
      hooks: { streamWrite: redactSecrets },
    },
    settings.environment === 'production' ? destination : readable(destination),
  );
}

function cutMessage(message: unknown): unknown {
  return typeof message === 'string' ? cutText(message, LONGEST_LOGGED) : message;
}

function requestFields(requestId: string | undefined): object {
  return requestId === undefined ? {} : { requestId };
}

function readable(destination: pino.DestinationStream): pino.DestinationStream {
  return pretty({
    // In this thread and at once, so that the last lines before an exit are not lost.
    sync: true,
    destination: destination as NodeJS.WritableStream,
    colorize: 'isTTY' in destination && destination.isTTY === true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,role,context',
    messageFormat: '{if context}[{context}] {end}{msg}',
  });
}
