import { ServiceError } from '../errors/service-error.js';

export interface PlaceOptions {
  /** True when a failed request is submitted again, unseen by its sender. No later request may be stored before it. */
  retried: boolean;
  /** Called when the operations wait for their flush. Whatever is submitted afterwards is stored after them. */
  onSubmitted?: () => void;
}

/**
 * Requests that are submitted without waiting until the one before is stored. They are stored in their order. If a
 * request that will be submitted again cannot be stored, those behind it do not begin, as after an error in libpq's
 * pipeline mode. Then a new pipeline is needed.
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
  /** True when the request may have stored something. */
  begun = false;

  /** @param order requests of one order are stored in the order of their submission */
  constructor(
    readonly order: SubmissionPipeline,
    private readonly options: PlaceOptions,
  ) {}

  submitted(): void {
    this.options.onSubmitted?.();
  }

  /** Call it just before the operations are stored. @returns why they must not be stored */
  begin(): ServiceError | undefined {
    const { refusal } = this.order;
    if (refusal === undefined) this.begun = true;
    return refusal;
  }

  /** The operations could not be stored, for a temporary reason. Call it before anything else begins. */
  fail({ code }: ServiceError): void {
    if (!this.options.retried) return;
    this.order.refusal ??= new ServiceError(
      code,
      'Earlier operations could not be stored yet, and must be stored first; nothing of this request was begun, send it again',
    );
  }
}
