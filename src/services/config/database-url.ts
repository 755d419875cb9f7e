import { isIPv6 } from 'node:net';
import { ownValue } from '../values/own-value.js';

/** The variables that `DATABASE_URL` may stand for. */
const PARTS = ['DB_HOST', 'DB_PORT', 'DB_NAME', 'DB_USERNAME', 'DB_PASSWORD'] as const;
/** Parameters of the URL, in the words of libpq, and the variables that have the same meaning. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['sslmode', 'DB_SSL'],
  ['sslrootcert', 'DB_SSL_CA'],
  ['sslcert', 'DB_SSL_CERT'],
  ['sslkey', 'DB_SSL_KEY'],
]);
/** What the URL calls each of the variables. */
const WORDS: ReadonlyMap<string, string> = new Map([
  [PARTS[0], 'host'],
  [PARTS[1], 'port'],
  [PARTS[2], 'database'],
  [PARTS[3], 'user'],
  [PARTS[4], 'password'],
  ...[...PARAMETERS].map(([parameter, name]): [string, string] => [name, parameter]),
]);
const EXAMPLE = 'postgres://user:password@host:5432/database?sslmode=verify-full';

/** The variables without `DATABASE_URL`, and what is wrong with it. */
export interface ReadDatabaseUrl {
  variables: Record<string, string | undefined>;
  faults: string[];
  /** How a fault of a variable begins that the URL stands for: in the words of the URL. */
  wordsOf: ReadonlyMap<string, string>;
}

/**
 * Replaces `DATABASE_URL` by the variables that it stands for. Then all other code knows one way to name a database.
 * The value is never part of a message, because it may contain a password.
 *
 * @param given variables that have a value
 */
export function readDatabaseUrl(given: Readonly<Record<string, string | undefined>>): ReadDatabaseUrl {
  const { DATABASE_URL: text, ...others } = given;
  if (text === undefined) return { variables: others, faults: [], wordsOf: new Map() };
  const url = parseUrl(text);
  if (url === undefined)
    return {
      variables: others,
      faults: [
        fault(
          `expected a URL that begins with postgres:// or postgresql://, such as ${EXAMPLE}; a password has %23 %2F %3F %40 %3A %25 for # / ? @ : %`,
        ),
      ],
      wordsOf: new Map(),
    };
  const parts = partsOf(url);
  const doubled = Object.keys(parts).filter((name) => ownValue(others, name) !== undefined);
  return {
    variables: { ...others, ...parts },
    faults: [
      ...faultsOf(url),
      ...doubled.map((name) => fault(`it and ${name} both say the same thing; remove one of the two`)),
    ],
    wordsOf: new Map(Object.keys(parts).map((name) => [name, fault(WORDS.get(name)!)])),
  };
}

function partsOf(url: URL): Record<string, string> {
  const values: readonly [name: string, value: string][] = [
    [PARTS[0], hostOf(url)],
    [PARTS[1], url.port],
    [PARTS[2], decodeURIComponent(url.pathname.slice(1))],
    [PARTS[3], decodeURIComponent(url.username)],
    [PARTS[4], decodeURIComponent(url.password)],
    ...[...PARAMETERS].map(([parameter, name]): [string, string] => [name, url.searchParams.get(parameter) ?? '']),
  ];
  return Object.fromEntries(values.filter(([, value]) => value !== ''));
}

function faultsOf(url: URL): string[] {
  const unknown = [...new Set(url.searchParams.keys())].filter((name) => !PARAMETERS.has(name));
  return [
    ...(url.hostname === '' ? [fault(`names no host; expected a URL such as ${EXAMPLE}`)] : []),
    ...(url.hostname.includes(',') || url.host.includes('%2C')
      ? [fault('names several hosts; expected one, which leads to the primary')]
      : []),
    ...(url.pathname.slice(1) === '' ? [fault('names no database; add it as the path, such as /batch_service')] : []),
    ...unknown.map((name) =>
      fault(
        `the parameter ${name} is not supported; expected ${[...PARAMETERS.keys()].join(', ')}, or set the DB_ variables`,
      ),
    ),
  ];
}

/** Undefined for a text that is no URL of PostgreSQL, or that has a `%` without two digits after it. */
function parseUrl(text: string): URL | undefined {
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  try {
    partsOf(url);
    return url;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Without the brackets of an IPv6 address, and decoded: PostgreSQL's scheme is none of those that URL decodes. */
function hostOf({ hostname }: URL): string {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIPv6(bare) ? bare : decodeURIComponent(hostname);
}

const fault = (text: string): string => `DATABASE_URL: ${text}`;
