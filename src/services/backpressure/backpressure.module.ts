import { Global, Module } from '@nestjs/common';
import { BacklogService } from './backlog.service.js';
import { InFlightBudget } from './in-flight-budget.js';

/** What the process takes on at most: one backlog and one budget, for every transport. */
@Global()
@Module({ providers: [BacklogService, InFlightBudget], exports: [BacklogService, InFlightBudget] })
export class BackpressureModule {}
