import { Global, Module } from '@nestjs/common';
import { WakeUpService } from './wake-up.service.js';

@Global()
@Module({ providers: [WakeUpService], exports: [WakeUpService] })
export class WakeUpModule {}
