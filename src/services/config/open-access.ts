import { isLoopback } from '../../interfaces/loopback.js';
import type { Settings } from './settings.js';

/** Whether other machines can use a process with these settings without an API key. RPC over TCP is only local. */
export function isOpen({ access, role, workerHealthPort, http }: Settings): boolean {
  const listens = role !== 'worker' || workerHealthPort !== undefined;
  return listens && !access.required && !isLoopback(http.host);
}

export function openAccessFaults(settings: Settings): string[] {
  if (settings.access.allowOpen || !isOpen(settings)) return [];
  return [
    `HTTP_HOST: other machines reach ${settings.http.host}, and no API keys are required: whoever can connect may write to the database. ` +
      'Set BATCH_REQUIRE_API_KEY=true, or listen on 127.0.0.1, or, where a network of your own protects it, set BATCH_ALLOW_OPEN_ACCESS=true',
  ];
}
