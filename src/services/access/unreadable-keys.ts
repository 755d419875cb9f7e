const SHOWN = 5;

/** Lists the keys that none of the secrets can decrypt, and says what to do. */
export function describeUnreadable(keys: readonly { id: string; name: string }[]): string {
  const listed = keys.slice(0, SHOWN).map(({ id, name }) => `${id} (${name})`);
  const rest = keys.length > SHOWN ? ` and ${keys.length - SHOWN} more` : '';
  const are = keys.length === 1 ? '1 API key is' : `${keys.length} API keys are`;
  return (
    `${are} encrypted with neither API_KEY_ENCRYPTION_SECRET nor API_KEY_ENCRYPTION_SECRET_PREVIOUS, and therefore refused: ` +
    `${listed.join(', ')}${rest}. Set API_KEY_ENCRYPTION_SECRET_PREVIOUS to the earlier secret and run \`keys rotate\`, or revoke them`
  );
}
