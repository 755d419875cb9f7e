import { Controller, Get, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ILaneBlock } from '../../interfaces/lane.js';
import { callerName, type Access } from '../../services/access/access.js';
import { LaneBlocksService } from '../../services/queue/lane-blocks.service.js';
import { CallerAccess } from '../caller-access.js';
import { LaneDto } from '../dto/ids.dto.js';
import { namedFieldsPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, BODY_REFUSALS } from './api-problems.js';
import { LaneBlockDto } from './dto/lane.dto.js';

@ApiTags('lanes')
@Controller(`${API_PREFIX}/lanes`)
export class LanesController {
  constructor(private readonly faults: LaneBlocksService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the blocked lanes',
    description:
      'Tables that may influence one another are in one lane, and their operations are executed in order. Where the first of ' +
      'them meets a fault that it did not cause (a lock, a time-out), the lane is blocked and is tried again with growing ' +
      'pauses. After BATCH_LANE_RETRY_LIMIT tries it is parked. All other lanes go on.',
  })
  @ApiOkResponse({ type: [LaneBlockDto] })
  @ApiProblems()
  list(): Promise<ILaneBlock[]> {
    return this.faults.list();
  }

  @Post(':lane/resumes')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Try a lane at once',
    description:
      'This also works for a parked lane, and counts its failures from 0 again. To go on without the blocking operation, cancel it: ' +
      '`DELETE operations/:id`.',
  })
  @ApiOkResponse({ type: LaneBlockDto })
  @ApiProblems('INVALID_REQUEST', 'LANE_NOT_FOUND', ...BODY_REFUSALS)
  resume(@Param(namedFieldsPipe) { lane }: LaneDto, @CallerAccess() access: Access): Promise<ILaneBlock> {
    return this.faults.resume(lane, callerName(access));
  }
}
