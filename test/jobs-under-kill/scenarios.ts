import { duringCall, mixed, mostlyCalls, mostlyIsolation } from './kill-point.js';
import type { Scenario, ScenarioResult } from './run-scenario.js';
import { SABOTAGES } from './sabotage.js';

const CSV: Scenario = {
  name: 'csv',
  job: 'csv',
  source: { count: 3000, badShare: 0.02 },
  chunkSize: 100,
  plan: mixed,
};

const MIGRATION: Scenario = {
  name: 'migration',
  job: 'migration',
  source: { count: 3000, badShare: 0.02 },
  chunkSize: 100,
  plan: mixed,
};

/** Every chunk has bad rows, and more of them than savepoints are released in one transaction. */
const ISOLATION: Scenario = {
  name: 'isolation',
  job: 'csv',
  source: { count: 1500, badShare: 0.2 },
  chunkSize: 300,
  plan: mostlyIsolation,
};

/** The process dies while PostgreSQL looks for the bad rows by itself. */
const ISOLATION_IN_DATABASE: Scenario = {
  ...ISOLATION,
  name: 'isolation in the database',
  isolation: 'database',
  plan: mostlyCalls,
};

export const SCENARIOS: readonly Scenario[] = [CSV, MIGRATION, ISOLATION, ISOLATION_IN_DATABASE];

/** With so many bad rows that hardly a chunk is without a skip. */
const control = (scenario: Scenario, sabotage: keyof typeof SABOTAGES): Scenario => ({
  ...scenario,
  source: { count: 1500, badShare: Math.max(scenario.source.badShare, 0.05) },
  name: `${scenario.name} with ${sabotage}`,
  sabotage,
  plan: SABOTAGES[sabotage].plan,
});

export const CONTROLS: readonly Scenario[] = [
  control(CSV, 'write-outside'),
  control(CSV, 'forget-position'),
  control(CSV, 'tell-outside'),
  control(MIGRATION, 'forget-position'),
  control(MIGRATION, 'tell-outside'),
  control(ISOLATION, 'position-first'),
  { ...control(ISOLATION_IN_DATABASE, 'position-first'), plan: duringCall },
];

/** A run that was hardly disturbed shows nothing. */
export function weaknessOf({ plan }: Scenario, { kills, byPhase }: ScenarioResult): string | undefined {
  if ((plan === mostlyIsolation || plan === mostlyCalls) && byPhase.isolation < kills / 4) {
    return `SHOWS TOO LITTLE: only ${byPhase.isolation} of ${kills} kills hit an isolation`;
  }
  return undefined;
}
