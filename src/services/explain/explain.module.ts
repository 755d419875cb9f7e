import { Module } from '@nestjs/common';
import { CatalogModule } from '../catalog/catalog.module.js';
import { IntakeModule } from '../intake/intake.module.js';
import { ExplainService } from './explain.service.js';

@Module({
  imports: [IntakeModule, CatalogModule],
  providers: [ExplainService],
  exports: [ExplainService],
})
export class ExplainModule {}
