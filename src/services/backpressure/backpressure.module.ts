import { Global, Module } from '@nestjs/common';
import { BacklogService } from './backlog.service.js';
import { InFlightBudget } from './in-flight-budget.js';

/** Limits what the process accepts: one backlog and one budget for all transports. */
@Global()
@Module({ providers: [BacklogService, InFlightBudget], exports: [BacklogService, InFlightBudget] })
export class BackpressureModule {}
