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
  /** Why nothing may be begun any more; undefined while it may. */
  refusal: ServiceError | undefined;

  get aborted(): boolean {
    return this.refusal !== undefined;
  }

  /** For the next request, and for one attempt at it. */
  place(options: PlaceOptions): PipelinePlace {
    return new PipelinePlace(this, options);
  }
}

/** The place of one request in a pipeline. */
export class PipelinePlace {
  /** Whether the request may have left something behind. */
  begun = false;

  /** @param order what has the same one is stored in the order of its submission */
  constructor(
    readonly order: SubmissionPipeline,
    private readonly options: PlaceOptions,
  ) {}

  submitted(): void {
    this.options.onSubmitted?.();
  }

  /** To be called when the operations are about to be stored. @returns why they must not be */
  begin(): ServiceError | undefined {
    const { refusal } = this.order;
    if (refusal === undefined) this.begun = true;
    return refusal;
  }

  /** The operations could not be stored for a reason that passes. To be called before anything else is begun. */
  fail({ code }: ServiceError): void {
    if (!this.options.retried) return;
    this.order.refusal ??= new ServiceError(
      code,
      'Operations that came before could not be stored yet, and keep their order; nothing of this request was begun, send it again',
    );
  }
}
