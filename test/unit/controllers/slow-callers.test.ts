import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { answerUnreadable } from '../../../src/controllers/http/answer-unreadable.js';
import { limitConnections } from '../../../src/controllers/http/limit-connections.js';
import { MetricsService } from '../../../src/services/observability/metrics.service.js';

describe('a caller of HTTP that is slow on purpose', () => {
  let server: Server;

  beforeEach(async () => {
    server = createServer({ connectionsCheckingInterval: 50 }, (_request, response) => void response.end('well'));
    answerUnreadable(server, new MetricsService(), { headersMs: 300, requestMs: 600 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function open(from = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress: from });
    socket.on('error', () => undefined);
    socket.resume();
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  it.each<[what: string, head: string, drop: string]>([
    ['says nothing', '', ''],
    ['sends its headers byte by byte', 'GET / HTTP/1.1\r\nhost: a\r\nx: ', 'x'],
    ['sends its body byte by byte', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n', 'x'],
  ])('is given up when it %s', async (_what, head, drop) => {
    const socket = await open();
    const closed = once(socket, 'close');
    if (head !== '') socket.write(head);
    const dripping = setInterval(() => drop !== '' && socket.write(drop), 20);
    onTestFinished(() => clearInterval(dripping));
    await closed;
  });

  it('keeps the others out neither in all nor from another address', async () => {
    const refused: string[] = [];
    limitConnections(server, { total: 5, perAddress: 3 }, (why) => refused.push(why));
    const first = await Promise.all([open(), open(), open()]);
    await once(await open(), 'close');
    await Promise.all([open('127.0.0.2'), open('127.0.0.2')]);
    await once(await open('127.0.0.3'), 'close');
    expect(refused).toEqual(['there are 3 from 127.0.0.1', 'there are 5']);
    const ended = once(first[0], 'close');
    first[0].destroy();
    await ended;
  });
});
