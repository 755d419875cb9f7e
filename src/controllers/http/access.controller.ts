import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IAccess } from '../../interfaces/access.js';
import type { Access } from '../../services/access/access.js';
import { CallerAccess } from '../caller-access.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { AccessDto } from './dto/access.dto.js';

@ApiTags('access')
@Controller(`${API_PREFIX}/access`)
export class AccessController {
  @Get()
  @RequireScope('read')
  @ApiOperation({
    summary: 'What the caller may do',
    description: 'For programs that show a person what the key allows, such as the dashboard.',
  })
  @ApiOkResponse({ type: AccessDto })
  @ApiProblems()
  get(@CallerAccess() { keyId, scopes, targets, sources }: Access): IAccess {
    return {
      keyRequired: keyId !== undefined,
      scopes: [...scopes],
      everyTarget: targets === undefined,
      ...(sources !== undefined && { sources: [...sources] }),
    };
  }
}
