import { refuseArguments, unknownCommand } from './run-command.js';

export interface AlertsCommand {
  name: 'test';
}

export const ALERTS_USAGE = `Usage: npm run --silent alerts -- <command>
  test   sends a message to every channel that is configured, and says for each whether it was accepted
`;

/** @throws UsageError */
export function parseAlertsCommand([name, ...others]: readonly string[]): AlertsCommand {
  if (name !== 'test') return unknownCommand(name);
  refuseArguments(name, others);
  return { name };
}
