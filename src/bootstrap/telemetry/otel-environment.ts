import { ownValue } from '../../services/values/own-value.js';

export type OtelEnvironment = Readonly<Record<string, string | undefined>>;

/** By OpenTelemetry's rules an empty variable counts as absent. */
export function valueOf(environment: OtelEnvironment, name: string): string | undefined {
  const value = ownValue(environment, name);
  return value === '' ? undefined : value;
}
