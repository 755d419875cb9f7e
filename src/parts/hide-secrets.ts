const HIDDEN = '***';
/** A shorter text would be found in words that are no secrets. */
const SHORTEST = 4;

/** The text without these secrets, also where it has them percent-encoded. A server may repeat in an answer what it was sent. */
export function hideSecrets(text: string, secrets: readonly (string | undefined)[]): string {
  let hidden = text;
  for (const secret of secrets) {
    if (secret === undefined || secret.length < SHORTEST) continue;
    for (const form of new Set([secret, encodeURIComponent(secret)])) hidden = hidden.replaceAll(form, HIDDEN);
  }
  return hidden;
}
