import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IChunk, IChunkDetail, IChunkGroupMember } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { callerName, type Access } from '../../services/access/access.js';
import { ChunksService } from '../../services/outcomes/chunks.service.js';
import { CallerAccess } from '../caller-access.js';
import { ChunkGroupIdDto, ChunkIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, NO_BODY_REFUSALS } from './api-problems.js';
import { ChunkDetailDto, ChunkGroupMemberPageDto, ChunkPageDto } from './dto/chunk.dto.js';
import { ListChunksQueryDto, PageQueryDto } from './dto/queries.dto.js';

/** The history of the poller. */
@ApiTags('chunks')
@Controller(`${API_PREFIX}/chunks`)
export class ChunksController {
  constructor(private readonly chunks: ChunksService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List chunks, newest first',
    description:
      'A page examines 10 000 chunks at most. So it may have fewer than `limit` chunks, and still not be the last.',
  })
  @ApiOkResponse({ type: ChunkPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) query: ListChunksQueryDto): Promise<IPage<IChunk>> {
    return this.chunks.list(query);
  }

  @Get(':id')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'Read a chunk with its failures by code and its groups' })
  @ApiOkResponse({ type: ChunkDetailDto })
  @ApiProblems('INVALID_REQUEST', 'CHUNK_NOT_FOUND')
  get(@Param(namedFieldsPipe) { id }: ChunkIdDto): Promise<IChunkDetail> {
    return this.chunks.get(id);
  }

  @Get(':id/groups/:group/operations')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the operations of a group',
    description: 'Those that the chunk settled. Empty for a group that was not kept.',
  })
  @ApiOkResponse({ type: ChunkGroupMemberPageDto })
  @ApiProblems('INVALID_REQUEST', 'CHUNK_NOT_FOUND')
  listGroup(
    @Param(namedFieldsPipe) { id, group }: ChunkGroupIdDto,
    @Query(queryPipe) query: PageQueryDto,
  ): Promise<IPage<IChunkGroupMember>> {
    return this.chunks.groupMembers(id, group, query);
  }

  @Post(':id/notifications')
  @RequireScope('admin')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Send the notifications of a chunk again, to every source whose operations it settled',
    description:
      'For a source whose queue was not bound at the time (`unrouted`), or whose consumer lost the notification. The ' +
      '`message_id` is the same as before. When `notifiedAt` is present again, they were sent. If no receiver is ' +
      'configured (`BATCH_SERVICE_RMQ_URL`), the request is refused with `NOT_SUPPORTED`.',
  })
  @ApiAcceptedResponse({ type: ChunkDetailDto, description: 'They are sent as soon as a worker runs.' })
  @ApiProblems('INVALID_REQUEST', 'CHUNK_NOT_FOUND', 'NOT_SUPPORTED', ...NO_BODY_REFUSALS)
  notifyAgain(@Param(namedFieldsPipe) { id }: ChunkIdDto, @CallerAccess() access: Access): Promise<IChunkDetail> {
    return this.chunks.notifyAgain(id, callerName(access));
  }
}
