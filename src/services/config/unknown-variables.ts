import { didYouMean, editsBetween, fold, nearestName } from '../errors/nearest-name.js';
import { ownValue } from '../values/own-value.js';

/** Names that begin so are the service's alone. */
const OWN_PREFIX = 'BATCH_';
/** Kubernetes and Docker tell every container of a service called `batch-…`: `BATCH_SERVICE_PORT_3000_TCP_ADDR` and the like. */
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)$/;
const LINKED_ADDRESS = /^(?:tcp|udp|sctp):\/\//;
/** A long name may have one mistake more. */
const LONG_NAME = 11;

/**
 * What is wrong with the names of the environment's variables: one that begins with `BATCH_` and is no setting, and one that is nearly
 * the name of a setting which is not given. Other programs' variables are left alone.
 *
 * @param given the variables with their values, empty ones too: a setting that is given, even empty, was not misspelt elsewhere
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
      return [`${name}: there is no such setting${didYouMean(name, known) || '; remove it, or correct its name'}`];
    }
    const meant = nearestName(name, absent);
    if (meant === undefined || !isMisspelt(name, meant)) return [];
    return [
      `${name}: there is no such setting; did you mean "${meant}"? If it belongs to another program, set ${meant} as well; it may be empty`,
    ];
  });
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && LINKED_ADDRESS.test(value));
}

/** One mistake: a letter too many, too few or another, two that changed places; or the same letters in another spelling. */
function isMisspelt(name: string, meant: string): boolean {
  const edits = fold(name) === fold(meant) ? 0 : editsBetween(name, meant, 3);
  return edits <= 1 || (edits === 2 && (meant.length >= LONG_NAME || sorted(name) === sorted(meant)));
}

function sorted(name: string): string {
  return [...name].sort().join('');
}
