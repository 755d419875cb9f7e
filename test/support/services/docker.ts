import { findExecutable, runCommand } from './run-command.js';

export interface DockerContainer {
  /** The port on 127.0.0.1 that leads to the container's. */
  port: number;
  stop(): Promise<void>;
}

/** True where a Docker engine answers; the client alone is not enough. */
export async function dockerAnswers(): Promise<boolean> {
  if ((await findExecutable('docker')) === undefined) return false;
  return runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 10_000 }).then(
    (version) => version !== '',
    () => false,
  );
}

/** Starts a container that goes with `stop`, and publishes `containerPort` on a free port of 127.0.0.1. */
export async function startContainer(image: string, containerPort: number): Promise<DockerContainer> {
  const id = await runCommand(
    'docker',
    ['run', '--detach', '--rm', '--publish', `127.0.0.1::${containerPort}`, image],
    { timeoutMs: 300_000 },
  );
  const stop = async (): Promise<void> => {
    await runCommand('docker', ['rm', '--force', '--volumes', id]);
  };
  try {
    const address = await runCommand('docker', ['port', id, `${containerPort}/tcp`]);
    return { port: Number(address.slice(address.lastIndexOf(':') + 1)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
