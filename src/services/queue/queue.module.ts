import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LaneFaultEntity } from '../../entities/lane-fault.entity.js';
import { CatalogModule } from '../catalog/catalog.module.js';
import { ClaimService } from './claim.service.js';
import { LaneFaultsService } from './lane-faults.service.js';
import { LaneRegisterService } from './lane-register.service.js';
import { LanesService } from './lanes.service.js';
import { QueueService } from './queue.service.js';
import { ShapesService } from './shapes.service.js';

@Module({
  imports: [CatalogModule, TypeOrmModule.forFeature([LaneFaultEntity])],
  providers: [QueueService, ClaimService, LanesService, LaneRegisterService, LaneFaultsService, ShapesService],
  exports: [QueueService, ClaimService, LanesService, LaneRegisterService, LaneFaultsService],
})
export class QueueModule {}
