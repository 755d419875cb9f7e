import { didYouMean, editsBetween, fold, nearestName } from '../errors/nearest-name.js';
import { ownValue } from '../values/own-value.js';

/** Only settings of the service have names that begin with this. */
const OWN_PREFIX = 'BATCH_';
/**
 * Kubernetes and Docker set variables such as `BATCH_SERVICE_PORT_3000_TCP_ADDR` in every container of a service called
 * `batch-…`.
 */
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)$/;
const LINKED_ADDRESS = /^(?:tcp|udp|sctp):\/\//;
/** A long name may have one more mistake. */
const LONG_NAME = 11;

/**
 * Reports wrong names of environment variables: a name that begins with `BATCH_` and is no setting, and a name that is
 * similar to a setting that is not given. Other programs' variables are ignored.
 *
 * @param given the variables with their values, also empty ones: a setting that is given, even empty, was not misspelt
 * elsewhere
 */
export function unknownVariableFaults(
  given: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): string[] {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  const absent = known.filter((name) => ownValue(given, name) === undefined);
  return unknown.flatMap((name) => {
    if (name.startsWith(OWN_PREFIX)) {
      if (isServiceLink(name, ownValue(given, name) ?? '')) return [];
      return [`${name}: there is no such setting${didYouMean(name, known) || '; remove it or correct its name'}`];
    }
    const meant = nearestName(name, absent);
    if (meant === undefined || !isMisspelt(name, meant)) return [];
    return [
      `${name}: there is no such setting; did you mean "${meant}"? If it belongs to another program, set ${meant} too; it may be empty`,
    ];
  });
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && LINKED_ADDRESS.test(value));
}

/**
 * One mistake: one letter too many, too few or different, two letters in the wrong order; or the same letters in
 * another spelling.
 */
function isMisspelt(name: string, meant: string): boolean {
  const edits = fold(name) === fold(meant) ? 0 : editsBetween(name, meant, 3);
  return edits <= 1 || (edits === 2 && (meant.length >= LONG_NAME || sorted(name) === sorted(meant)));
}

function sorted(name: string): string {
  return [...name].sort().join('');
}
