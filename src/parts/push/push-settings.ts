import type { ServiceAccount } from './service-account.js';

export interface PushSettings {
  /** Of the API, without a path. */
  url: string;
  account: ServiceAccount;
}
