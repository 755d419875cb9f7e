/** Reports all faults of the environment at once, each with the variable's name and what was expected. */
export class InvalidSettingsError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The settings cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\nSee .env.example.`);
    this.name = 'InvalidSettingsError';
  }
}
