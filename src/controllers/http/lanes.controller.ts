import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { ILane, ILaneBlock, ISkippedOperation } from '../../interfaces/lane.js';
import { callerName, type Access } from '../../services/access/access.js';
import { LaneSkipsService } from '../../services/outcomes/lane-skips.service.js';
import { LaneBlocksService } from '../../services/queue/lane-blocks.service.js';
import { LaneListService } from '../../services/queue/lane-list.service.js';
import { CallerAccess } from '../caller-access.js';
import { LaneDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, NO_BODY_REFUSALS } from './api-problems.js';
import { LaneBlockDto, SkippedOperationDto, ListedLaneDto, ListLanesQueryDto, SkipQueryDto } from './dto/lane.dto.js';

@ApiTags('lanes')
@Controller(`${API_PREFIX}/lanes`)
export class LanesController {
  constructor(
    private readonly faults: LaneBlocksService,
    private readonly lanes: LaneListService,
    private readonly skips: LaneSkipsService,
  ) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the blocked lanes, or all lanes',
    description:
      'Tables that may influence one another are in one lane, and their operations are executed in order. Where the first of ' +
      'them meets a fault that it did not cause (a lock, a time-out), the lane is blocked and is tried again with growing ' +
      'pauses. After BATCH_LANE_RETRY_LIMIT tries it is parked. All other lanes go on.',
  })
  @ApiExtraModels(LaneBlockDto, ListedLaneDto)
  @ApiOkResponse({
    description: 'With `state=all`, the items have more fields: the block of a lane is then its field `block`.',
    schema: {
      oneOf: [LaneBlockDto, ListedLaneDto].map((item) => ({ type: 'array', items: { $ref: getSchemaPath(item) } })),
    },
  })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) { state }: ListLanesQueryDto): Promise<ILane[] | ILaneBlock[]> {
    return state === 'all' ? this.lanes.list() : this.faults.list();
  }

  @Post(':lane/resumes')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Try a lane at once',
    description:
      'This also works for a parked lane, and counts its failures from 0 again. To go on without the blocking operation: ' +
      '`POST lanes/:lane/skips`.',
  })
  @ApiOkResponse({ type: LaneBlockDto })
  @ApiProblems('INVALID_REQUEST', 'LANE_NOT_FOUND', ...NO_BODY_REFUSALS)
  resume(@Param(namedFieldsPipe) { lane }: LaneDto, @CallerAccess() access: Access): Promise<ILaneBlock> {
    return this.faults.resume(lane, callerName(access));
  }

  @Post(':lane/skips')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Cancel the operation that blocks a lane, so that the lane goes on',
    description:
      'The operation is cancelled as by `DELETE operations/:id`, and can be retried later. With `operationId` only that one ' +
      'is cancelled: if another operation blocks the lane by then, the answer is `BLOCK_CHANGED`.',
  })
  @ApiOkResponse({ type: SkippedOperationDto })
  @ApiProblems(
    'INVALID_REQUEST',
    'LANE_NOT_FOUND',
    'BLOCK_CHANGED',
    'NOT_CANCELLABLE',
    'LANE_BUSY',
    ...NO_BODY_REFUSALS,
  )
  skip(
    @Param(namedFieldsPipe) { lane }: LaneDto,
    @Query(queryPipe) { operationId }: SkipQueryDto,
    @CallerAccess() access: Access,
  ): Promise<ISkippedOperation> {
    return this.skips.skip(lane, access, operationId);
  }
}
