export const PART_ERROR_CODES = ['PACKAGE_MISSING'] as const;

export type PartErrorCode = (typeof PART_ERROR_CODES)[number];

/** An error of a part. The code is stable; the message names the thing and says what to do. */
export class PartError extends Error {
  constructor(
    readonly code: PartErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}
