import 'reflect-metadata';
import { runWorker } from 'batch-service/worker';
import { PaymentWorkerModule } from './payment-worker.module.js';

await runWorker(PaymentWorkerModule);
