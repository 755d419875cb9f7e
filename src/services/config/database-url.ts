import { isIPv6 } from 'node:net';
import { ownValue } from '../values/own-value.js';

/** Parameters of the URL, in the words of libpq, and the variables that have the same meaning. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['sslmode', 'DB_SSL'],
  ['sslrootcert', 'DB_SSL_CA'],
  ['sslcert', 'DB_SSL_CERT'],
  ['sslkey', 'DB_SSL_KEY'],
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
  const doubled = parts.filter(({ variable }) => ownValue(others, variable) !== undefined);
  return {
    variables: { ...others, ...Object.fromEntries(parts.map(({ variable, value }) => [variable, value])) },
    faults: [
      ...faultsOf(url),
      ...doubled.map(({ variable }) => fault(`it and ${variable} both say the same thing; remove one of the two`)),
    ],
    wordsOf: new Map(parts.map(({ variable, word }) => [variable, fault(word)])),
  };
}

/** A part of the URL that is given, in the word of the URL, and the variable that it stands for. */
interface Part {
  word: string;
  variable: string;
  value: string;
}

function partsOf(url: URL): Part[] {
  const parts = [
    { word: 'host', variable: 'DB_HOST', value: hostOf(url) },
    { word: 'port', variable: 'DB_PORT', value: url.port },
    { word: 'database', variable: 'DB_NAME', value: decodeURIComponent(url.pathname.slice(1)) },
    { word: 'user', variable: 'DB_USERNAME', value: decodeURIComponent(url.username) },
    { word: 'password', variable: 'DB_PASSWORD', value: decodeURIComponent(url.password) },
    ...[...PARAMETERS].map(([word, variable]) => ({ word, variable, value: url.searchParams.get(word) ?? '' })),
  ];
  return parts.filter(({ value }) => value !== '');
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
