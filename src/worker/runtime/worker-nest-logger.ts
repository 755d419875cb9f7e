import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import type { Level, Logger } from 'pino';

/** The contexts of the lines that Nest logs at its start. They only help to find mistakes in the wiring. */
const WIRING = new Set(['NestFactory', 'InstanceLoader', 'NestApplicationContext']);

/** Passes what is logged through Nest's `Logger` to pino: a text or an object of fields, then errors, stacks, the context. */
export class WorkerNestLogger implements LoggerService {
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
    let fields: Record<string, unknown> = {};
    const texts: string[] = [];
    [message, ...rest].forEach((part, index) => {
      if (part instanceof Error) {
        fields.err = part;
        if (index === 0) texts.push(part.message);
      } else if (typeof part === 'object' && part !== null) {
        fields = { ...fields, ...part };
      } else if (typeof part === 'string' && part.includes('\n    at ')) {
        fields.stack = part;
      } else if (index > 0 && index === rest.length) {
        fields.context = part;
      } else if (part !== undefined) {
        texts.push(typeof part === 'string' ? part : inspect(part));
      }
    });
    const { message: text, ...others } = fields;
    this.pino[level](others, [...texts, ...(typeof text === 'string' ? [text] : [])].join(' '));
  }
}
