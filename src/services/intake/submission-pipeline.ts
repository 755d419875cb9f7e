import { ServiceError } from '../errors/service-error.js';

export interface PlaceOptions {
  /** Its sender hears of no failure: the request is handed over again, and nothing may be stored before it meanwhile. */
  retried: boolean;
  /** Told when the operations of the request stand in the queue of the intake: what is handed over now is stored after them. */
  onSubmitted?: () => void;
}

/**
 * Requests of which each is handed over before the one before it is stored. It promises that they are stored in their order: where
 * one that is handed over again could not be stored, those behind it that were not begun are not begun any more, as behind an error
 * in libpq's pipeline mode. After that a new pipeline is needed.
 */
export class SubmissionPipeline {
  private abortedBy: ServiceError | undefined;

  get aborted(): boolean {
    return this.abortedBy !== undefined;
  }

  /** For the next request, and for one attempt at it. */
  place(options: PlaceOptions): PipelinePlace {
    return new PipelinePlace(this, options);
  }

  /** @returns why nothing may be begun any more; undefined while it may */
  get refusal(): ServiceError | undefined {
    return this.abortedBy;
  }

  abort(cause: ServiceError): void {
    this.abortedBy ??= notBegun(cause);
  }
}

/** The place of one request in a pipeline. */
export class PipelinePlace {
  private wasBegun = false;

  constructor(
    private readonly pipeline: SubmissionPipeline,
    private readonly options: PlaceOptions,
  ) {}

  /** Whether the request may have left something behind. */
  get begun(): boolean {
    return this.wasBegun;
  }

  /** What has the same one is stored in the order of its submission. */
  get order(): object {
    return this.pipeline;
  }

  submitted(): void {
    this.options.onSubmitted?.();
  }

  /** To be called when the operations are about to be stored. @returns why they must not be */
  begin(): ServiceError | undefined {
    const { refusal } = this.pipeline;
    if (refusal === undefined) this.wasBegun = true;
    return refusal;
  }

  /** The operations could not be stored for a reason that passes. To be called before anything else is begun. */
  fail(cause: ServiceError): void {
    if (this.options.retried) this.pipeline.abort(cause);
  }
}

function notBegun({ code }: ServiceError): ServiceError {
  return new ServiceError(
    code,
    'Operations that came before could not be stored yet, and keep their order; nothing of this request was begun, send it again',
  );
}
