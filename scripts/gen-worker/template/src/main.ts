import './environment.js';
import { runWorker } from 'batch-service/worker';
import { __CLASS__WorkerModule } from './__NAME__-worker.module.js';

await runWorker(__CLASS__WorkerModule);
