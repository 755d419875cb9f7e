import { Module } from '@nestjs/common';
import { WorkerModule } from 'batch-service/worker';
import { __CLASS__Processor } from './__NAME__.processor.js';
import { __CLASS__Tables } from './__NAME__.tables.js';

/** What this process is made of. */
@Module({ imports: [WorkerModule.forRoot()], providers: [__CLASS__Tables, __CLASS__Processor] })
export class __CLASS__WorkerModule {}
