import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Paths of PEM files. */
export interface TestCertificate {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** Default: `DNS:localhost`, so that 127.0.0.1 is another host. */
  names?: string;
  /** Default: one; -1: it has expired. */
  days?: number;
}

/** A CA of a test, made with the command `openssl`. */
export class TestCa {
  private made = 0;

  private constructor(
    private readonly folder: string,
    /** Path of its certificate. */
    readonly cert: string,
    private readonly key: string,
  ) {}

  static async make(): Promise<TestCa> {
    const folder = await mkdtemp(join(tmpdir(), 'batch-test-ca-'));
    // A server that runs as another user reads its certificate here.
    await chmod(folder, 0o755);
    const [cert, key] = [join(folder, 'ca.pem'), join(folder, 'ca.key')];
    await run('openssl', ['req', '-x509', ...KEY, '-days', '2', '-subj', '/CN=Test CA', '-keyout', key, '-out', cert]);
    return new TestCa(folder, cert, key);
  }

  async issue(
    subject: string,
    { names = 'DNS:localhost', days = 1 }: CertificateOptions = {},
  ): Promise<TestCertificate> {
    this.made += 1;
    const file = (ending: string): string => join(this.folder, `${this.made}.${ending}`);
    const [request, cert, key] = [file('csr'), file('pem'), file('key')];
    const named = ['-subj', `/CN=${subject}`, '-addext', `subjectAltName=${names}`];
    await run('openssl', ['req', '-new', ...KEY, ...named, '-keyout', key, '-out', request]);
    const signed = ['-CA', this.cert, '-CAkey', this.key, '-CAcreateserial', '-days', String(days)];
    await run('openssl', ['x509', '-req', '-in', request, ...signed, '-copy_extensions', 'copy', '-out', cert]);
    return { cert, key };
  }

  read(): Promise<string> {
    return readFile(this.cert, 'utf8');
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
