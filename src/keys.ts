import { awaitDatabase } from './bootstrap/await-database.js';
import { withDatabase } from './bootstrap/embedded-database.js';
import { KEYS_USAGE, parseKeysCommand, type KeysCommand } from './bootstrap/keys-command.js';
import { readSettings } from './bootstrap/read-settings.js';
import { commandActor, explain, runCommand, say } from './bootstrap/run-command.js';
import { StartError } from './bootstrap/start-error.js';
import { parseApiKey } from './services/access/api-key.js';
import { ApiKeysService, type ApiKeyRequest } from './services/access/api-keys.service.js';
import { REVOCATION_DELAY_MS } from './services/access/credential-cache.js';
import { sealingKey, type SealingKey } from './services/access/sealed-hash.js';
import { describeUnreadable } from './services/access/unreadable-keys.js';
import type { Settings } from './services/config/settings.js';

// `node dist/keys.js create|list|revoke|rotate`: the keys of the callers of REST and of RPC over TCP. Output for
// programs is on stdout (a new key; the list as JSON, one key a line). Output for people is on stderr.

await runCommand(KEYS_USAGE, async (args) => {
  const command = parseKeysCommand(args);
  await withDatabase(readSettings(), (settings) => executeOn(settings, command));
});

/** It does not wait for a database that is down, because a person prefers an error. */
async function executeOn(settings: Settings, command: KeysCommand): Promise<void> {
  const impatient = { ...settings, database: { ...settings.database, poolSize: 1, waitMs: 0 } };
  const database = await awaitDatabase(impatient, { onAttempt: () => undefined });
  try {
    await execute(command, new ApiKeysService(database.manager, commandActor()), settings);
  } finally {
    await database.destroy();
  }
}

async function execute(command: KeysCommand, keys: ApiKeysService, settings: Settings): Promise<void> {
  switch (command.kind) {
    case 'create':
      return create(command.key, keys, settings);
    case 'list':
      return list(keys, settings);
    case 'revoke':
      return revoke(command.id, keys);
    case 'rotate':
      return rotate(keys, settings);
    default:
      command satisfies never;
  }
}

async function create(key: ApiKeyRequest, keys: ApiKeysService, { access }: Settings): Promise<void> {
  const [current] = sealingKeysOf(access);
  const text = await keys.create(key, current);
  await handOver(text, keys);
  explain(
    `The key of ${key.name}, with scope ${key.scopes.join(', ')}. It is shown once, because only its encrypted hash is stored.`,
  );
  if (!access.required) explain('With these settings the service asks for no key: see BATCH_REQUIRE_API_KEY.');
}

/** If the new key could not be printed, it is revoked, because nobody has it. */
async function handOver(text: string, keys: ApiKeysService): Promise<void> {
  try {
    await say(text);
  } catch (error) {
    const id = parseApiKey(text)?.id ?? '';
    explain(`The key ${id} could not be handed over: ${(error as Error).message}`);
    await keys.revoke(id);
    throw new StartError('It was revoked, because nobody has it.', { cause: error });
  }
}

/** Reports keys with an old or unknown secret, if the secrets are set. */
async function list(keys: ApiKeysService, { access }: Settings): Promise<void> {
  const all = await keys.list();
  for (const key of all) await say(JSON.stringify(key));
  if (access.secret !== undefined) {
    const [current, ...others] = sealingKeysOf(access).map(({ version }) => version);
    const active = all.filter(({ state }) => state === 'active');
    const unreadable = active.filter(({ secretVersion }) => ![current, ...others].includes(secretVersion));
    const behind = active.filter(({ secretVersion }) => others.includes(secretVersion));
    if (unreadable.length > 0) explain(`${describeUnreadable(unreadable)}.`);
    if (behind.length > 0) {
      explain(`${behind.length} are still encrypted with API_KEY_ENCRYPTION_SECRET_PREVIOUS: run \`keys rotate\`.`);
    }
  }
  if (all.length === 0) explain('There are no keys.');
}

async function revoke(id: string, keys: ApiKeysService): Promise<void> {
  const revoked = await keys.revoke(id);
  // The given text is not shown, because it may be a whole key.
  if (revoked === undefined) throw new StartError('There is no key with this id; `list` shows the ids');
  if (revoked.already) explain(`The key of ${revoked.name} was revoked before.`);
  else explain(`The key of ${revoked.name} is revoked; no process accepts it after ${REVOCATION_DELAY_MS / 1000} s.`);
}

/** May be repeated. Callers are not affected if every process knows both secrets. */
async function rotate(keys: ApiKeysService, { access }: Settings): Promise<void> {
  const { rotated, unknown } = await keys.rotate(sealingKeysOf(access));
  explain(`${rotated.length} keys were encrypted again; API_KEY_ENCRYPTION_SECRET alone now decrypts them.`);
  if (unknown.length === 0) return;
  const left = (await keys.list()).filter(({ id }) => unknown.includes(id));
  throw new StartError(`${describeUnreadable(left)}.`);
}

function sealingKeysOf({ secret, previousSecret }: Settings['access']): [SealingKey, ...SealingKey[]] {
  if (secret === undefined) {
    throw new StartError(
      'API_KEY_ENCRYPTION_SECRET is needed: the same as for the service, a random text of at least 32 characters',
    );
  }
  return [sealingKey(secret), ...(previousSecret === undefined ? [] : [sealingKey(previousSecret)])];
}
