import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IStats, IStatsHistory } from '../../interfaces/stats.js';
import { HISTORY_MINUTES, StatsSamplerService } from '../../services/outcomes/stats-sampler.service.js';
import { StatsService } from '../../services/outcomes/stats.service.js';
import { queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { StatsDto, StatsHistoryDto, StatsHistoryQueryDto } from './dto/stats.dto.js';

@ApiTags('stats')
@Controller(`${API_PREFIX}/stats`)
export class StatsController {
  constructor(
    private readonly statsService: StatsService,
    private readonly sampler: StatsSamplerService,
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
}
