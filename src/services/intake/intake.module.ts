import { Module } from '@nestjs/common';
import { CatalogModule } from '../catalog/catalog.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { IntakeService } from './intake.service.js';

@Module({ imports: [CatalogModule, QueueModule], providers: [IntakeService], exports: [IntakeService] })
export class IntakeModule {}
