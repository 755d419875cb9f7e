import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { runWorker, WorkerModule } from 'batch-service/worker';
import { ReservationProcessor } from './reservation.processor.js';

@Module({ imports: [WorkerModule.forRoot()], providers: [ReservationProcessor] })
export class ReservationConsumerModule {}

await runWorker(ReservationConsumerModule);
