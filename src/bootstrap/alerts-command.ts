export interface AlertsCommand {
  name: 'test';
}

export const ALERTS_USAGE = `Usage: npm run --silent alerts -- <command>
  test   sends a message to every channel that is configured, and says for each whether it was accepted
`;

/** Undefined: the command line asks for something that does not exist. */
export function parseAlertsCommand([name, ...others]: readonly string[]): AlertsCommand | undefined {
  return name === 'test' && others.length === 0 ? { name } : undefined;
}
