import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import type { Level, Logger } from 'pino';

/** The contexts of about forty lines that Nest logs at its start. They only help to find mistakes in the wiring. */
const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
  'NestMicroservice',
]);

/**
 * Passes what is logged through Nest's `Logger` to pino. A message may be a text or an object of fields, with its text
 * in `message` or `msg`. Further arguments are errors, stacks, objects of fields, and last the context, as in Nest.
 */
export class NestLogger implements LoggerService {
  constructor(private readonly pino: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write(WIRING.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest logs an error at the start before it throws it. The code that catches such an error reports it, once. */
  error(message: unknown, ...rest: unknown[]): void {
    if (rest.at(-1) !== 'ExceptionHandler') this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const { fields, text } = logLine([message, ...rest]);
    this.pino[level](fields, text);
  }
}

interface LogLine {
  fields: Record<string, unknown>;
  text: string;
}

function logLine(parts: readonly unknown[]): LogLine {
  let fields: Record<string, unknown> = {};
  const texts: string[] = [];
  parts.forEach((part, index) => {
    const isLast = index > 0 && index === parts.length - 1;
    if (part instanceof Error) {
      fields.err = part;
      if (index === 0) texts.push(part.message);
    } else if (typeof part === 'object' && part !== null) {
      const { message, msg, ...others } = part as Record<string, unknown>;
      fields = { ...fields, ...others };
      const text = message ?? msg;
      if (typeof text === 'string') texts.push(text);
    } else if (typeof part === 'string' && isLast && !isStack(part)) {
      fields.context = part;
    } else if (typeof part === 'string' && index > 0 && isStack(part)) {
      fields.stack = part;
    } else if (part !== undefined && part !== null) {
      texts.push(typeof part === 'string' ? part : inspect(part));
    }
  });
  return { fields, text: texts.join(' ') };
}

/** Searches for lines in V8's form. An expression with `\s+` would scan a text of many line breaks again and again. */
function isStack(text: string): boolean {
  return text.includes('\n    at ');
}
