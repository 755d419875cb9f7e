import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Paths of PEM files: the trusted CAs, the certificate that is sent to the other side, and its key. */
export interface CertificateFiles {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

export type CertificateVariables = Readonly<Record<keyof CertificateFiles, string>>;

const PARTS = ['ca', 'cert', 'key'] as const;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/;
const PEM = '-----BEGIN ';

/** Faults of the files, each with the name of its variable. */
export class CertificateError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('; '));
    this.name = 'CertificateError';
  }
}

/**
 * The certificates of a connection, from files. `options` is what Node's TLS takes. After `renew`, new connections use
 * the new content of the files. This is so even if a library has copied the options, because `renew` replaces the texts
 * inside their arrays.
 */
export class Certificates {
  readonly options: Partial<Record<keyof CertificateFiles, string[]>> = {};

  /** @throws CertificateError */
  constructor(
    readonly paths: CertificateFiles,
    private readonly variables: CertificateVariables,
  ) {
    const texts = read(paths, variables);
    for (const part of PARTS) if (texts[part] !== undefined) this.options[part] = [texts[part]];
  }

  /**
   * Reads the files again. If they cannot be used, nothing changes.
   *
   * @returns whether anything is new
   * @throws CertificateError
   */
  renew(): boolean {
    const texts = read(this.paths, this.variables);
    const renewed = PARTS.filter((part) => texts[part] !== this.options[part]?.[0]);
    for (const part of renewed) this.options[part]?.splice(0, 1, texts[part] ?? '');
    return renewed.length > 0;
  }

  /** The paths by their variables. */
  get environment(): Record<string, string> {
    return Object.fromEntries(
      PARTS.flatMap((part) => (this.paths[part] === undefined ? [] : [[this.variables[part], this.paths[part]]])),
    );
  }
}

function read(files: CertificateFiles, variables: CertificateVariables): CertificateFiles {
  const faults: string[] = [];
  const texts: CertificateFiles = {};
  for (const part of PARTS) {
    const path = files[part];
    if (path === undefined) continue;
    try {
      texts[part] = readPem(path);
      if (part !== 'key') checkCertificates(path, texts[part]);
      else checkKey(path, texts[part]);
    } catch (error) {
      faults.push(`${variables[part]}: ${(error as Error).message}`);
    }
  }
  if (faults.length === 0) faults.push(...pairFaults(texts, variables));
  if (faults.length > 0) throw new CertificateError(faults);
  return texts;
}

function readPem(path: string): string {
  // The value may be a key instead of a path, so it is not repeated.
  if (path.includes(PEM)) throw new Error('expected the path of a PEM file; got the PEM text itself');
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Error(`there is no file ${path}`, { cause: error });
    if (code === 'EACCES') throw new Error(`this user may not read the file ${path}`, { cause: error });
    throw new Error(`the file ${path} cannot be read (${code})`, { cause: error });
  }
}

function checkCertificates(path: string, text: string): void {
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) {
    throw new Error(`expected certificates in PEM (${PEM}CERTIFICATE-----); there is none in ${path}`);
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw new Error(`certificate ${index + 1} in ${path} cannot be parsed`, { cause: error });
    }
  }
}

function checkKey(path: string, text: string): void {
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw new Error(
      `the key in ${path} is encrypted; expected a key without a passphrase, in a file that only this user may read`,
    );
  }
  if (!PRIVATE_KEY.test(text)) {
    throw new Error(`expected a private key in PEM (${PEM}PRIVATE KEY-----); there is none in ${path}`);
  }
  try {
    createPrivateKey(text);
  } catch (error) {
    throw new Error(`the private key in ${path} cannot be parsed`, { cause: error });
  }
}

function pairFaults({ cert, key }: CertificateFiles, variables: CertificateVariables): string[] {
  if (cert === undefined && key === undefined) return [];
  if (cert === undefined) return [`${variables.cert}: required with ${variables.key}`];
  if (key === undefined) return [`${variables.key}: required with ${variables.cert}`];
  // The first certificate is the one that is sent. The following ones lead to its CA.
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return [];
  return [`${variables.key}: this is not the key of the certificate in ${variables.cert}`];
}
