import { refuseArguments, unknownCommand } from './run-command.js';

export const ALERTS_USAGE = `Usage: npm run --silent alerts -- <command>
  test   sends a message to every channel that is configured, and says for each whether it was accepted
`;

/**
 * There is only one command.
 *
 * @throws UsageError
 */
export function checkAlertsCommand([name, ...others]: readonly string[]): void {
  if (name !== 'test') return unknownCommand(name);
  refuseArguments(name, others);
}
