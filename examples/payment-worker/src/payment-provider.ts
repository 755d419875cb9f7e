/** What the provider made of an order. Neither changes when the order is sent again. */
export type Charge = { status: 'charged'; chargeId: string } | { status: 'declined'; reason: string };

export interface ChargeRequest {
  orderId: string;
  amount: number;
  currency: string;
}

/** The provider did not say what became of the charge: it may have been made, or not. */
export class ProviderUnavailableError extends Error {
  readonly code = 'PROVIDER_UNAVAILABLE';
  override readonly name = 'ProviderUnavailableError';
}

const TIMEOUT_MS = 2000;

/** Charges orders through the REST interface of a payment provider. */
export class PaymentProvider {
  constructor(private readonly url: string) {}

  /**
   * Charges an order. The key is the id of the order, so however often the order is sent, the provider charges it once.
   *
   * @throws ProviderUnavailableError after 5xx, 2 seconds without an answer, or a broken connection: send it again
   */
  async charge(request: ChargeRequest, signal: AbortSignal): Promise<Charge> {
    const response = await this.post(request, signal);
    if (response.status === 402)
      return { status: 'declined', reason: (await this.read<{ reason: string }>(response)).reason };
    if (response.status >= 500) throw new ProviderUnavailableError(`The provider answered with ${response.status}`);
    if (!response.ok) throw new Error(`The provider refused order ${request.orderId} with ${response.status}`);
    return { status: 'charged', chargeId: (await this.read<{ chargeId: string }>(response)).chargeId };
  }

  private async post(request: ChargeRequest, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(new URL('/charges', this.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `order-${request.orderId}` },
        body: JSON.stringify(request),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (error) {
      throw new ProviderUnavailableError('The provider did not answer', { cause: error });
    }
  }

  private async read<Body>(response: Response): Promise<Body> {
    try {
      return (await response.json()) as Body;
    } catch (error) {
      throw new ProviderUnavailableError('The answer of the provider broke off', { cause: error });
    }
  }
}
