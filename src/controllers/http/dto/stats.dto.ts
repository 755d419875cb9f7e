import { ApiProperty } from '@nestjs/swagger';
import type { IStats } from '../../../interfaces/stats.js';

export class LastMinuteDto {
  @ApiProperty({ example: 42 })
  chunks!: number;

  @ApiProperty({ example: 41_800 })
  completed!: number;

  @ApiProperty({ example: 12 })
  failed!: number;

  @ApiProperty({ example: 210 })
  statements!: number;
}

export class StatsDto implements IStats {
  @ApiProperty({ description: 'Operations that wait for the next chunk.', example: 120 })
  pending!: number;

  @ApiProperty({ description: 'Operations that wait for their time.', example: 3 })
  scheduled!: number;

  @ApiProperty({
    description: 'Age of the oldest pending operation, in milliseconds; 0 when none waits.',
    example: 850,
  })
  lagMs!: number;

  @ApiProperty({ description: 'Lanes that are parked: see `GET lanes`.', example: 0 })
  parkedLanes!: number;

  @ApiProperty({ description: 'Workers that were seen in the last seconds.', example: 2 })
  workers!: number;

  @ApiProperty({ description: 'Failed operations that are still stored.', example: 12 })
  failed!: number;

  @ApiProperty({ type: LastMinuteDto, description: 'Chunks and operations settled in the last minute.' })
  lastMinute!: LastMinuteDto;

  @ApiProperty({ description: 'Chunks that are not announced yet.', example: 0 })
  unannounced!: number;

  @ApiProperty({ description: 'Notifications that the broker refuses: see `GET notifications`.', example: 0 })
  parkedNotifications!: number;
}
