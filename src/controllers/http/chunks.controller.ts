import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { IChunk, IChunkDetail } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { ChunksService } from '../../services/outcomes/chunks.service.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { ChunkDetailDto, ChunkPageDto } from './dto/chunk.dto.js';
import { PageQueryDto } from './dto/queries.dto.js';
import { ChunkIdPipe } from './pipes/chunk-id.pipe.js';
import { queryPipe } from './pipes/query.pipe.js';

/** The history of the poller. */
@ApiTags('chunks')
@Controller(`${API_PREFIX}/chunks`)
export class ChunksController {
  constructor(private readonly chunks: ChunksService) {}

  @Get()
  @ApiOperation({ summary: 'List chunks, newest first' })
  @ApiOkResponse({ type: ChunkPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) query: PageQueryDto): Promise<IPage<IChunk>> {
    return this.chunks.list(query);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Read a chunk with its failures by code and its groups' })
  @ApiParam({
    name: 'id',
    description: 'The number of the chunk: `chunkId` of an operation.',
    schema: { type: 'string' },
  })
  @ApiOkResponse({ type: ChunkDetailDto })
  @ApiProblems('INVALID_REQUEST', 'CHUNK_NOT_FOUND')
  get(@Param('id', ChunkIdPipe) id: string): Promise<IChunkDetail> {
    return this.chunks.get(id);
  }
}
