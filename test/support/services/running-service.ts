/** A service that tests may use, found or started. */
export interface RunningService<Connection> {
  connection: Connection;
  /** For people: `RabbitMQ 3.10.8 on 127.0.0.1:5672, found`. */
  description: string;
  /** Stops it if it was started, and removes what was made in it. */
  stop(): Promise<void>;
}

export type Log = (message: string) => void;

/** Set to `true`, it makes the run ignore what listens on the usual ports of this machine. */
export function ignoresLocalServices(environment: NodeJS.ProcessEnv): boolean {
  return environment.TEST_IGNORE_LOCAL_SERVICES === 'true';
}

/** The variable's value; an empty one counts as absent, as in the service's own settings. */
export function given(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  return environment[name] === '' ? undefined : environment[name];
}
