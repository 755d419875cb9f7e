import { BadRequestException, Controller, Get, Headers, HttpCode, Param, ParseIntPipe, Post } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { isUUID } from 'class-validator';
import { randomUUID } from 'node:crypto';
import { AcceptedDto, StateDto, UserReservationDto } from './reservation.dto.js';
import { ReservationService } from './reservation.service.js';

@ApiTags('reservation')
@Controller('reservation')
export class ReservationController {
  constructor(private readonly reservations: ReservationService) {}

  @Post(':eventId/:userId')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Asks for a seat. The request is in the queue when this is answered; a consumer decides it',
  })
  @ApiHeader({
    name: 'idempotency-key',
    required: false,
    description: 'A UUID, the id of the request. To send a request again, send the same key: it is decided once',
  })
  @ApiAcceptedResponse({ type: AcceptedDto })
  @ApiServiceUnavailableResponse({
    description: 'The queue does not answer. Send the request again, with the same key',
  })
  async ask(
    @Param('eventId', ParseIntPipe) eventId: number,
    @Param('userId', ParseIntPipe) userId: number,
    @Headers('idempotency-key') key?: string,
  ): Promise<AcceptedDto> {
    if (key !== undefined && !isUUID(key)) throw new BadRequestException('The header idempotency-key must be a UUID');
    const request = key ?? randomUUID();
    await this.reservations.ask(request, { eventId, userId });
    return { request };
  }

  @Get(':eventId/:userId')
  @ApiOperation({ summary: 'What became of the requests of a user' })
  @ApiOkResponse({ type: UserReservationDto })
  async ofUser(
    @Param('eventId', ParseIntPipe) eventId: number,
    @Param('userId', ParseIntPipe) userId: number,
  ): Promise<UserReservationDto> {
    return { eventId, userId, answers: await this.reservations.answersOf(eventId, userId) };
  }

  @Get()
  @ApiOperation({ summary: 'How many seats are given, and what is in the queue' })
  @ApiOkResponse({ type: StateDto })
  async state(): Promise<StateDto> {
    const [events, queue] = await Promise.all([this.reservations.events(), this.reservations.queueState()]);
    return { events, queue };
  }
}
