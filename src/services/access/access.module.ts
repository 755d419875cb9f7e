import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { AccessService } from './access.service.js';
import { RateLimitService } from './rate-limit.service.js';

/** Checks for every transport what a caller may do, and how often. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([ApiKeyEntity])],
  providers: [AccessService, RateLimitService],
  exports: [AccessService, RateLimitService],
})
export class AccessModule {}
