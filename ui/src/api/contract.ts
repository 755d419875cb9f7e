// What the REST API answers, as far as src/interfaces does not tell it yet.

export interface IParkedMessage {
  id: string;
  messageId?: string;
  code: string;
  reason: string;
  parkedAt: string;
  body: string;
  bodyEncoding: 'utf-8' | 'base64';
  bodyBytes: number;
  bodyIsComplete: boolean;
}

export interface IParkedMessages {
  items: IParkedMessage[];
  nextCursor?: string;
  total: number;
}

export interface IHealth {
  status: 'ready' | 'not_ready';
  parts: Record<string, { status: 'up' | 'degraded' | 'down'; reason?: string }>;
}
