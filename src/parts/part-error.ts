/** Every code, and whether the same call may succeed later. */
const RETRYABLE = {
  PACKAGE_MISSING: false,
  PART_NOT_CONFIGURED: false,
  PART_SETTINGS_INVALID: false,
  TIMED_OUT: true,
  ABORTED: true,
  TLS_REFUSED: false,

  MAIL_INVALID: false,
  MAIL_REFUSED: false,
  MAIL_LOGIN_REFUSED: false,
  MAIL_DEFERRED: true,
  MAIL_UNAVAILABLE: true,

  FILE_PATH_INVALID: false,
  FILE_NOT_FOUND: false,
  FILES_REFUSED: false,
  FILES_LOGIN_REFUSED: false,
  FILES_SOURCE_FAILED: true,
  FILES_UNAVAILABLE: true,

  PUSH_UNREGISTERED: false,
  PUSH_INVALID: false,
  PUSH_REFUSED: false,
  PUSH_LOGIN_REFUSED: false,
  PUSH_BUSY: true,
  PUSH_UNAVAILABLE: true,

  GATEWAY_INVALID: false,
  GATEWAY_REFUSED: false,
  GATEWAY_LOGIN_REFUSED: false,
  GATEWAY_BUSY: true,
  GATEWAY_UNAVAILABLE: true,
} as const satisfies Record<string, boolean>;

export type PartErrorCode = keyof typeof RETRYABLE;

export const PART_ERROR_CODES = Object.keys(RETRYABLE) as readonly PartErrorCode[];

export interface PartErrorOptions extends ErrorOptions {
  /** The HTTP status, or the reply code of SMTP or FTP. */
  status?: number | undefined;
  /** How long the server asks to wait before the next attempt, in milliseconds. */
  retryAfterMs?: number | undefined;
}

/** An error of a part. The code is stable; the message names the thing, and holds no secret of the settings. */
export class PartError extends Error {
  /** Whether the same call may succeed later. If not, a job that fails with it need not be tried again. */
  readonly retryable: boolean;
  /** Whether a server refuses the login of the settings. Then the work is not at fault: it may succeed with other settings. */
  readonly loginRefused: boolean;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: PartErrorCode,
    message: string,
    { status, retryAfterMs, ...options }: PartErrorOptions = {},
  ) {
    super(message, options);
    this.name = new.target.name;
    this.retryable = RETRYABLE[code];
    this.loginRefused = code.endsWith('_LOGIN_REFUSED');
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The settings of parts cannot be used. All faults at once, each with the name of its variable. */
export class PartSettingsError extends PartError {
  constructor(readonly faults: readonly string[]) {
    super('PART_SETTINGS_INVALID', `The settings cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}
