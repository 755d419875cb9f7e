/**
 * Errors by which AWS, or a server that speaks its API, refuses a key, a token or a signature; or by which the SDK says that it has found no key.
 * They come from the service itself, or from STS that gives the keys of a role. Sources: the pages "Error responses" of S3 and "Common errors" of
 * SES and STS.
 */
const LOGIN_NAMES: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'SignatureDoesNotMatch',
  'InvalidSignatureException',
  'IncompleteSignature',
  'IncompleteSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'InvalidIdentityToken',
  'InvalidIdentityTokenException',
  'RequestTimeTooSkewed',
  'RequestExpired',
]);
/** A signature has the time in it. */
const WRONG_CLOCK = /^Request(TimeTooSkewed|Expired)$|^Signature (expired|not yet current)/;

/** STS gives no keys for the role. */
const NO_ROLE = /not authorized to perform:? sts:/i;
const NO_RIGHT = /^AccessDenied/;

export function isAwsLoginRefusal({ name, message }: Error): boolean {
  return LOGIN_NAMES.has(name) || (NO_RIGHT.test(name) && NO_ROLE.test(message));
}

export function isAwsRightMissing({ name }: Error): boolean {
  return NO_RIGHT.test(name);
}

/** Ends a message about a refused login or a missing right. */
export function awsLoginCure(error: Error): string {
  const { name, message } = error;
  if (isAwsRightMissing(error)) return 'check the rights of the credentials of AWS';
  if (WRONG_CLOCK.test(name) || WRONG_CLOCK.test(message)) return 'check the clock of this machine';
  return 'check the credentials of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, or the role of the machine';
}
