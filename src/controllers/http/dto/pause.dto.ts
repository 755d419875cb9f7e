import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsString } from 'class-validator';
import {
  PAUSE_KINDS,
  type IPause,
  type IPauseAnswer,
  type IPauseState,
  type PauseKind,
} from '../../../interfaces/pause.js';
import { GIVEN } from '../../dto/ids.dto.js';
import { Fields } from './fields.js';

const KIND = { enum: PAUSE_KINDS, enumName: 'PauseKind', example: 'target' } as const;
const NAME = {
  description: 'The number of a lane, a table, or a source.',
  example: 'public.orders',
} as const;

@Fields<IPause>({
  kind: KIND,
  name: NAME,
  drain: {
    description: 'True: new operations are refused, and what waits is executed. False: nothing of it is executed.',
    example: false,
  },
  pausedAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  by: { optional: true, description: 'Absent: the caller was not known.', example: 'key:1f0c9a7e5b2d4c68' },
  reason: { optional: true, example: 'new index, ticket 4711' },
})
export class PauseDto {}

@Fields<Pick<IPauseState, 'remaining' | 'remainingIsExact'>>({
  remaining: {
    description: 'Operations of it that wait, scheduled ones included. Counted up to 10 000.',
    example: 0,
  },
  remainingIsExact: { description: 'False: there may be more than `remaining`.', example: true },
})
export class PauseStateDto extends PauseDto {}

@Fields<Pick<IPauseAnswer, 'running'>>({
  running: {
    description:
      'True: a transaction that began before the pause had not ended after two seconds: a chunk, or for a drain one that stores operations.',
    example: false,
  },
})
export class PauseAnswerDto extends PauseDto {}

/** The body of a request that pauses. */
export class NewPauseDto {
  @ApiProperty(KIND)
  kind!: PauseKind;

  @ApiProperty({ ...NAME, type: String })
  name!: string;

  @ApiPropertyOptional({ type: String, maxLength: 500, description: 'For people.', example: 'new index, ticket 4711' })
  reason?: string;

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description: 'True: new operations are refused with `PAUSED`, and what waits is executed.',
  })
  drain?: boolean;
}

/** Names a pause in a path. */
export class PauseNameDto {
  @ApiProperty(KIND)
  @IsIn(PAUSE_KINDS, { message: `The kind of a pause must be one of ${PAUSE_KINDS.join(', ')}${GIVEN}` })
  kind!: PauseKind;

  @ApiProperty({ ...NAME, type: String })
  @IsString()
  name!: string;
}
