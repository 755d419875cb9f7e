import type { BatchStatus } from './batch-status.js';

/** From the best to the worst. Every other code is worse than these. */
const CODES = ['EXECUTING', 'COMPLETED', 'NOOP', 'STOPPED', 'FAILED', 'UNKNOWN'];
const SEPARATOR = '; ';

/** How an execution ended, for flows and for people. Immutable. A listener may give a code of its own, such as `COMPLETED WITH SKIPS`. */
export class ExitStatus {
  static readonly EXECUTING = new ExitStatus('EXECUTING');
  static readonly COMPLETED = new ExitStatus('COMPLETED');
  static readonly NOOP = new ExitStatus('NOOP');
  static readonly STOPPED = new ExitStatus('STOPPED');
  static readonly FAILED = new ExitStatus('FAILED');
  static readonly UNKNOWN = new ExitStatus('UNKNOWN');

  constructor(
    readonly code: string,
    readonly description = '',
  ) {}

  /** The exit status of an execution that nothing else was said of. */
  static of(status: BatchStatus): ExitStatus {
    switch (status) {
      case 'COMPLETED':
        return ExitStatus.COMPLETED;
      case 'STARTING':
      case 'STARTED':
      case 'STOPPING':
        return ExitStatus.EXECUTING;
      case 'STOPPED':
        return ExitStatus.STOPPED;
      case 'FAILED':
      case 'ABANDONED':
        return ExitStatus.FAILED;
      case 'UNKNOWN':
        return ExitStatus.UNKNOWN;
      default:
        return status satisfies never;
    }
  }

  /** The worse code of the two, with both descriptions. */
  and(other: ExitStatus): ExitStatus {
    const code = severityOf(other.code) > severityOf(this.code) ? other.code : this.code;
    return new ExitStatus(code, this.description).describedBy(other.description);
  }

  /** The same code, with this text added to the description. */
  describedBy(text: string): ExitStatus {
    if (text === '' || this.description === text) return this;
    return new ExitStatus(this.code, this.description === '' ? text : `${this.description}${SEPARATOR}${text}`);
  }
}

function severityOf(code: string): number {
  const index = CODES.indexOf(code);
  return index === -1 ? CODES.length : index;
}
