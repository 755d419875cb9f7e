import 'reflect-metadata';
import { BullModule } from '@nestjs/bullmq';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { WorkerQueuesModule } from 'batch-service/worker';
import pg from 'pg';
import { RESERVATION_QUEUE } from '../reservation-job.js';
import { ReservationController } from './reservation.controller.js';
import { ReservationService } from './reservation.service.js';

// PORT, DATABASE_URL and REDIS_URL are its settings.
@Module({
  imports: [WorkerQueuesModule.forRoot(), BullModule.registerQueue({ name: RESERVATION_QUEUE })],
  controllers: [ReservationController],
  providers: [
    ReservationService,
    { provide: pg.Pool, useFactory: () => new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 5 }) },
  ],
})
class ProducerModule {}

const app = await NestFactory.create(ProducerModule, { logger: ['error', 'warn', 'log'] });
app.enableShutdownHooks();
const description = new DocumentBuilder().setTitle('Reservations').setVersion('1').build();
SwaggerModule.setup('api', app, SwaggerModule.createDocument(app, description));
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
new Logger('Producer').log(`Listening on ${await app.getUrl()}`);
