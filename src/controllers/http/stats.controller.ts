import { Controller, Get, Query, Req, Sse, type MessageEvent } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { map, type Observable } from 'rxjs';
import type { IStats, IStatsHistory } from '../../interfaces/stats.js';
import { AccessService } from '../../services/access/access.service.js';
import { MAX_LISTENERS, StatsFeedService, type FedStats } from '../../services/outcomes/stats-feed.service.js';
import { HISTORY_MINUTES, StatsSamplerService } from '../../services/outcomes/stats-sampler.service.js';
import { StatsService } from '../../services/outcomes/stats.service.js';
import { queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { toEventStream } from './event-stream.js';
import { StatsDto, StatsHistoryDto, StatsHistoryQueryDto } from './dto/stats.dto.js';

@ApiTags('stats')
@Controller(`${API_PREFIX}/stats`)
export class StatsController {
  constructor(
    private readonly statsService: StatsService,
    private readonly sampler: StatsSamplerService,
    private readonly feed: StatsFeedService,
    private readonly access: AccessService,
  ) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'The state of the queue at this moment' })
  @ApiOkResponse({ type: StatsDto })
  @ApiProblems()
  stats(): Promise<IStats> {
    return this.statsService.stats();
  }

  @Get('history')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'The queue over the last hour, in steps of ten seconds',
    description:
      'The service keeps it in the database, so it is the same from every process, and a restart does not lose it.',
  })
  @ApiOkResponse({ type: StatsHistoryDto })
  @ApiProblems('INVALID_REQUEST')
  history(@Query(queryPipe) { minutes = HISTORY_MINUTES }: StatsHistoryQueryDto): Promise<IStatsHistory> {
    return this.sampler.history(minutes);
  }

  @Sse('stream')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'The state of the queue every second, as server-sent events',
    description:
      'Event `stats`: the same as `GET stats`. Event `unavailable`: the database did not answer. A comment comes every five ' +
      'seconds. The stream ends when the service stops, or when the API key is no longer valid. A process has at most ' +
      `${MAX_LISTENERS} streams.`,
  })
  @ApiProduces('text/event-stream')
  @ApiOkResponse({
    description: 'The data of an event `stats` is JSON in one line.',
    content: {
      'text/event-stream': { schema: { type: 'string' }, example: 'event: stats\ndata: {"pending":120}\n\n' },
    },
  })
  @ApiProblems()
  stream(@Req() request: Request): Observable<MessageEvent> {
    return toEventStream(this.feed.listen().pipe(map(toEvent)), request, this.access);
  }
}

const toEvent = (stats: FedStats): MessageEvent =>
  stats === undefined ? { type: 'unavailable', data: {} } : { type: 'stats', data: stats };
