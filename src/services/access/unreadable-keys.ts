const SHOWN = 5;

/** What is wrong with keys that are encrypted with none of the secrets, and the cure. */
export function describeUnreadable(keys: readonly { id: string; name: string }[]): string {
  const listed = keys.slice(0, SHOWN).map(({ id, name }) => `${id} (${name})`);
  const rest = keys.length > SHOWN ? ` and ${keys.length - SHOWN} more` : '';
  const are = keys.length === 1 ? '1 API key is' : `${keys.length} API keys are`;
  return (
    `${are} encrypted with neither API_KEY_ENCRYPTION_SECRET nor API_KEY_ENCRYPTION_SECRET_PREVIOUS, and refused: ` +
    `${listed.join(', ')}${rest}. Set the secret of before as API_KEY_ENCRYPTION_SECRET_PREVIOUS and run \`keys rotate\`, or revoke them`
  );
}
