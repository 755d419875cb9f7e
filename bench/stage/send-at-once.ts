/**
 * Socket options of NestJS' clients and servers for RabbitMQ. By default small messages wait for the acknowledgement of those before;
 * between the service and its client they do not, and who is compared with them shall not either.
 */
export const SEND_AT_ONCE = { connectionOptions: { noDelay: true } };
