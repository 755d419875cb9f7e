import { Module } from '@nestjs/common';
import { IntakeModule } from '../../services/intake/intake.module.js';
import { OutcomesModule } from '../../services/outcomes/outcomes.module.js';
import { ChunksController } from './chunks.controller.js';
import { OperationsController } from './operations.controller.js';
import { StatsController } from './stats.controller.js';

/** REST. Health and metrics, which a worker has as well, are in `ProbesModule`. */
@Module({
  imports: [IntakeModule, OutcomesModule],
  controllers: [OperationsController, ChunksController, StatsController],
})
export class HttpModule {}
