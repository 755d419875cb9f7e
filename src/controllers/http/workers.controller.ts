import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IWorker } from '../../interfaces/worker.js';
import { WorkersService } from '../../services/outcomes/workers.service.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { WorkerDto } from './dto/worker.dto.js';

@ApiTags('stats')
@Controller(`${API_PREFIX}/workers`)
export class WorkersController {
  constructor(private readonly workers: WorkersService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'List the processes that execute operations' })
  @ApiOkResponse({ type: [WorkerDto] })
  @ApiProblems()
  list(): Promise<IWorker[]> {
    return this.workers.list();
  }
}
