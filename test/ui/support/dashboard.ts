import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { freePort } from '../../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../../support/test-settings.js';

/** A service that really runs, as a process of its own, with the dashboard that `npm run build` has built. */
export interface Dashboard {
  url: string;
  database: TestDatabase;
  /** Starts another process of the service in this role, on the same database and broker. Whoever starts it ends it. */
  startProcess(as: string): Promise<ServiceProcess>;
  /** Asks the REST API. */
  api<T>(method: string, path: string, body?: unknown, key?: string): Promise<T>;
  /** Ends the process, as a power failure does. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface DashboardOptions {
  schema?: string;
  role?: 'all' | 'api';
}

export async function startDashboard(
  environment: TestEnvironment = {},
  { schema, role = 'all' }: DashboardOptions = {},
): Promise<Dashboard> {
  const database = await createTestDatabase();
  if (schema !== undefined) await database.client.query(schema);
  const port = await freePort();
  const settings = testEnvironment({
    ...database.environment,
    LOG_LEVEL: 'info',
    HTTP_PORT: String(port),
    BATCH_RPC_TCP_PORT: String(await freePort()),
    BATCH_PROCESS_OPERATION_INTERVAL: '50',
    ...environment,
  });
  let process: ServiceProcess | undefined;
  const url = `http://127.0.0.1:${port}`;
  const dashboard: Dashboard = {
    url,
    database,
    async startProcess(as) {
      const started = await startServiceProcess({
        environment: { ...settings, HTTP_PORT: String(await freePort()) },
        args: [as],
      });
      await started.up();
      return started;
    },
    async api<T>(method: string, path: string, body?: unknown, key?: string) {
      const response = await fetch(`${url}/api/v1/${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
        ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
      });
      return (await response.json()) as T;
    },
    async kill() {
      await process?.end();
      process = undefined;
    },
    async start() {
      process = await startServiceProcess({ environment: settings, args: [role] });
      await process.up();
    },
    async close() {
      await dashboard.kill();
      await database.drop();
    },
  };
  try {
    await dashboard.start();
  } catch (error) {
    await dashboard.close();
    throw error;
  }
  return dashboard;
}
