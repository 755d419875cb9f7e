import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { ReservationAnswer } from '../reservation-job.js';

const ANSWERS = ['reserved', 'already-reserved', 'sold-out', 'unknown-event'] as const;

export class AcceptedDto {
  @ApiProperty({ format: 'uuid', description: 'The id of the request, under which its answer is found' })
  request!: string;
}

export class AnswerDto {
  @ApiProperty({ format: 'uuid' })
  request!: string;

  @ApiProperty({ enum: ANSWERS })
  answer!: ReservationAnswer['answer'];

  @ApiPropertyOptional({ description: 'The seat of the user, if there is one' })
  seat?: number;
}

export class UserReservationDto {
  @ApiProperty()
  eventId!: number;

  @ApiProperty()
  userId!: number;

  @ApiProperty({ type: [AnswerDto], description: 'One for each request of the user that is decided' })
  answers!: AnswerDto[];
}

export class EventStateDto {
  @ApiProperty()
  eventId!: number;

  @ApiProperty()
  seats!: number;

  @ApiProperty({ description: 'Seats that are given' })
  reserved!: number;

  @ApiProperty({ description: 'Requests that have an answer, whichever' })
  answered!: number;
}

export class QueueStateDto {
  @ApiProperty()
  waiting!: number;

  @ApiProperty()
  active!: number;

  @ApiProperty()
  delayed!: number;

  @ApiProperty()
  failed!: number;
}

export class StateDto {
  @ApiProperty({ type: [EventStateDto] })
  events!: EventStateDto[];

  @ApiProperty({ type: QueueStateDto, nullable: true, description: 'null while Redis does not answer' })
  queue!: QueueStateDto | null;
}
