import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../interfaces/settled-event.js';
import { ServiceErrorDto } from './dto/create-operations.dto.js';
import { OperationsSettledMessageDto } from './dto/settled-message.dto.js';

const DESCRIPTION = `Takes single writes from many services and lands them in PostgreSQL as a few set-based statements: in
order, exactly once, each caller told what became of its own.

Errors are \`application/problem+json\` with a stable \`code\`; RPC answers the same codes as \`ServiceErrorDto\`. The outcome of
operations is announced in the exchange \`${EVENTS_EXCHANGE}\`, routing key \`${settledRoutingKey('<source>')}\`, as
\`OperationsSettledMessageDto\`. Every answer carries the header \`x-request-id\`; one sent with the request is kept, and names the request in the log.
A path that is not there, or not with this method, is answered with 404 and \`ROUTE_NOT_FOUND\`.`;

/** Serves `/api/docs` for people and `/api/docs-json` for programs. */
export function setUpSwagger(app: INestApplication): void {
  SwaggerModule.setup('api/docs', app, () => describeApi(app), {
    jsonDocumentUrl: 'api/docs-json',
    yamlDocumentUrl: 'api/docs-yaml',
    customSiteTitle: 'Batch Service',
  });
}

export function describeApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Batch Service')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addTag('operations', 'Single-row writes and what became of them')
    .addTag('chunks', 'Committed transactions of the poller')
    .addTag('stats', 'The queue now')
    .build();
  return SwaggerModule.createDocument(app, config, { extraModels: [ServiceErrorDto, OperationsSettledMessageDto] });
}
