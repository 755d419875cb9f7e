/** The answer of `GET /health/ready`. It is no part of the API, so src/interfaces does not have it. */
export interface IHealth {
  status: 'ready' | 'not_ready';
  parts: Record<string, { status: 'up' | 'degraded' | 'down'; reason?: string }>;
}
