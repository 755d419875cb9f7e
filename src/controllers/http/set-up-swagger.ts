import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../interfaces/settled-event.js';
import { SETTINGS, type Settings } from '../../services/config/settings.js';
import { ownValue } from '../../services/values/own-value.js';
import { EVERY_TARGET_EXTENSION, SCOPE_EXTENSION, SECURITY_SCHEMES } from '../require-scope.js';
import { PlanOperationsDto, ServiceErrorDto } from './dto/create-operations.dto.js';
import { JobParameterValueDto } from './dto/job.dto.js';
import { OperationsSettledMessageDto } from './dto/settled-message.dto.js';

const DOCS_PATH = 'api/docs';

const DESCRIPTION = `Takes single writes from many services and writes them to PostgreSQL with a few set-based statements: in
order and exactly once. Notifies each caller of the results.

Errors are \`application/problem+json\` with a stable \`code\`; RPC answers the same codes as \`ServiceErrorDto\`. Notifications of
settled operations are published to the exchange \`${EVENTS_EXCHANGE}\` with the routing key \`${settledRoutingKey('<source>')}\`, as
\`OperationsSettledMessageDto\`. Every answer has the header \`x-request-id\`. If the request has one, it is used, and it identifies the request in the log.
Where API keys are required, a request sends one as \`Authorization: Bearer bsk_…\` or \`X-API-Key: bsk_…\`. Each endpoint names the
scope that it needs. The answer for an unknown path is 404 and \`ROUTE_NOT_FOUND\`; for a method that the path does not support it is 405,
\`METHOD_NOT_ALLOWED\` and the header \`Allow\`.`;

/** Serves `/api/docs` for people and `/api/docs-json` for programs. */
export function setUpSwagger(app: INestApplication): void {
  SwaggerModule.setup(DOCS_PATH, app, () => describeApi(app), {
    jsonDocumentUrl: `${DOCS_PATH}-json`,
    yamlDocumentUrl: `${DOCS_PATH}-yaml`,
    customSiteTitle: 'Batch Service',
  });
}

export function describeApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Batch Service')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'bsk_<id>_<secret>' }, SECURITY_SCHEMES.bearer)
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, SECURITY_SCHEMES.header)
    .addTag('operations', 'Single-row writes and their results')
    .addTag('chunks', 'Committed transactions of the poller')
    .addTag('lanes', 'Lanes, and what waits in them')
    .addTag('parked messages', 'Messages that could not be executed')
    .addTag('jobs', 'Batch jobs and their executions')
    .addTag('stats', 'The queue now')
    .addTag('access', 'What the caller may do')
    .build();
  const extraModels = [ServiceErrorDto, OperationsSettledMessageDto, JobParameterValueDto];
  const document = SwaggerModule.createDocument(app, config, { extraModels });
  const { intake } = app.get<Settings>(SETTINGS);
  return tellPlanLimit(tellScopes(document), intake.planLimit);
}

function tellPlanLimit(document: OpenAPIObject, maxItems: number): OpenAPIObject {
  const schema = ownValue(document.components?.schemas ?? {}, PlanOperationsDto.name);
  if (schema === undefined || !('properties' in schema)) throw new Error(`There is no ${PlanOperationsDto.name}`);
  const { operations } = schema.properties ?? {};
  schema.properties = { ...schema.properties, operations: { ...operations!, maxItems } };
  return document;
}

type Described = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** People read descriptions, not extensions. Endpoints that need no key say so too. */
function tellScopes(document: OpenAPIObject): OpenAPIObject {
  for (const path of Object.values(document.paths)) {
    for (const operation of METHODS.flatMap((method) => path[method] ?? [])) tellScope(operation);
  }
  return document;
}

function tellScope(operation: Described): void {
  const extensions = operation as unknown as Record<string, unknown>;
  const scope = extensions[SCOPE_EXTENSION];
  if (typeof scope !== 'string') {
    operation.security = [];
    return;
  }
  const unlimited = extensions[EVERY_TARGET_EXTENSION] === true ? ', not limited to targets' : '';
  const needed = `Scope of the API key: \`${scope}\`${unlimited}.`;
  operation.description = [operation.description, needed].filter(Boolean).join('\n\n');
}
