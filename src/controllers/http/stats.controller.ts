import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IStats } from '../../interfaces/stats.js';
import { StatsService } from '../../services/outcomes/stats.service.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { StatsDto } from './dto/stats.dto.js';

@ApiTags('stats')
@Controller(`${API_PREFIX}/stats`)
export class StatsController {
  constructor(private readonly statsService: StatsService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'The state of the queue at this moment' })
  @ApiOkResponse({ type: StatsDto })
  @ApiProblems()
  stats(): Promise<IStats> {
    return this.statsService.stats();
  }
}
