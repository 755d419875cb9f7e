import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LaneBlockEntity } from '../../entities/lane-block.entity.js';
import { CatalogModule } from '../catalog/catalog.module.js';
import { ClaimService } from './claim.service.js';
import { LaneBlocksService } from './lane-blocks.service.js';
import { LaneListService } from './lane-list.service.js';
import { LaneRegisterService } from './lane-register.service.js';
import { LanesService } from './lanes.service.js';
import { QueueService } from './queue.service.js';
import { ShapesService } from './shapes.service.js';

@Module({
  imports: [CatalogModule, TypeOrmModule.forFeature([LaneBlockEntity])],
  providers: [
    QueueService,
    ClaimService,
    LanesService,
    LaneRegisterService,
    LaneBlocksService,
    LaneListService,
    ShapesService,
  ],
  exports: [QueueService, ClaimService, LanesService, LaneRegisterService, LaneBlocksService, LaneListService],
})
export class QueueModule {}
