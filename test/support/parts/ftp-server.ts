import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile, chmod } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';
import { canInstall, installPackages } from '../services/install.js';
import { findExecutable } from '../services/run-command.js';
import type { TestCertificate } from '../tls/test-certificates.js';

export interface FtpServer {
  port: number;
  /** The folder of the login, on this machine. */
  folder: string;
  close(): Promise<void>;
}

export interface FtpTls {
  certificate: TestCertificate;
  kind: 'explicit' | 'implicit';
}

/** Whether vsftpd is there or can be installed: as root on Debian. It also needs root to run as an unprivileged user. */
export async function ftpServerIsPossible(): Promise<boolean> {
  return process.getuid?.() === 0 && ((await findExecutable('vsftpd')) !== undefined || (await canInstall()));
}

/**
 * A real FTP server (vsftpd) on 127.0.0.1, in a folder of its own, with the user `anonymous`. It is installed when it is missing.
 *
 * @param tls it takes neither a login nor data without TLS then
 */
export async function startFtpServer(tls?: FtpTls): Promise<FtpServer> {
  if ((await findExecutable('vsftpd')) === undefined) await installPackages(['vsftpd'], console.log);
  const home = await mkdtemp(join(tmpdir(), 'batch-ftp-'));
  await chmod(home, 0o755);
  const folder = join(home, 'files');
  // vsftpd refuses a root that its user may write to.
  await mkdir(folder);
  await chmod(folder, 0o777);
  await mkdir(join(home, 'empty'));
  const port = await freePort();
  const settings = {
    ...{ listen: 'YES', listen_address: '127.0.0.1', listen_port: port, background: 'NO', run_as_launching_user: 'NO' },
    ...{ anonymous_enable: 'YES', local_enable: 'NO', anon_root: home, no_anon_password: 'NO' },
    ...{
      write_enable: 'YES',
      anon_upload_enable: 'YES',
      anon_mkdir_write_enable: 'YES',
      anon_other_write_enable: 'YES',
    },
    ...{ anon_umask: '022', anon_world_readable_only: 'NO', secure_chroot_dir: join(home, 'empty') },
    ...{
      seccomp_sandbox: 'NO',
      isolate: 'NO',
      isolate_network: 'NO',
      xferlog_enable: 'NO',
    },
    ...{ utf8_filesystem: 'YES' },
    ...(tls && tlsSettings(tls)),
  };
  const file = join(home, 'vsftpd.conf');
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const server = spawn('vsftpd', [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(server, 'exit');
  let said = '';
  for (const output of [server.stdout, server.stderr]) output.on('data', (part: Buffer) => (said += part.toString()));
  await eventually(async () => {
    if (server.exitCode !== null) throw new Error(`vsftpd has ended: ${said}`);
    const socket = connect(port, '127.0.0.1');
    // With implicit TLS it says nothing before the handshake.
    await once(socket, tls?.kind === 'implicit' ? 'connect' : 'data').finally(() => socket.destroy());
  });
  return {
    port,
    folder,
    async close() {
      server.kill('SIGKILL');
      await ended;
      await rm(home, { recursive: true });
    },
  };
}

function tlsSettings({ certificate, kind }: FtpTls): Record<string, string> {
  return {
    ...{ ssl_enable: 'YES', rsa_cert_file: certificate.cert, rsa_private_key_file: certificate.key },
    ...{ implicit_ssl: kind === 'implicit' ? 'YES' : 'NO', allow_anon_ssl: 'YES' },
    ...{ force_anon_logins_ssl: 'YES', force_anon_data_ssl: 'YES', require_ssl_reuse: 'YES' },
  };
}
