export interface GatewaySettings {
  url: string;
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  scope: string | undefined;
  /** Of all attempts of one message together. */
  timeoutMs: number;
  /** The most attempts of one message. */
  attempts: number;
}
