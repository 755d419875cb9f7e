import { Controller, Get, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ILaneFault } from '../../interfaces/lane.js';
import { callerName, type Access } from '../../services/access/access.js';
import { LaneFaultsService } from '../../services/queue/lane-faults.service.js';
import { CallerAccess } from '../caller-access.js';
import { LaneDto } from '../dto/ids.dto.js';
import { namedFieldsPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, BODY_REFUSALS } from './api-problems.js';
import { LaneFaultDto } from './dto/lane.dto.js';

/** Lanes that stand still. */
@ApiTags('lanes')
@Controller(`${API_PREFIX}/lanes`)
export class LanesController {
  constructor(private readonly faults: LaneFaultsService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the lanes that stand still',
    description:
      'Tables that may influence one another are in one lane, and their operations are executed in order. Where the first of ' +
      'them meets a fault that it did not cause (a lock, a time-out), the lane stands still and is tried again with growing ' +
      'pauses. After BATCH_CHUNK_RETRY_LIMIT tries it is parked. All other lanes go on.',
  })
  @ApiOkResponse({ type: [LaneFaultDto] })
  @ApiProblems()
  list(): Promise<ILaneFault[]> {
    return this.faults.list();
  }

  @Post(':lane/resumes')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Try a lane at once',
    description:
      'This also works for a parked lane, and counts its failures from 0 again. To go on without the operation in the way, cancel it: ' +
      '`DELETE operations/:id`.',
  })
  @ApiOkResponse({ type: LaneFaultDto })
  @ApiProblems('INVALID_REQUEST', 'LANE_NOT_FOUND', ...BODY_REFUSALS)
  resume(@Param(namedFieldsPipe) { lane }: LaneDto, @CallerAccess() access: Access): Promise<ILaneFault> {
    return this.faults.resume(lane, callerName(access));
  }
}
