import { createServer, type Server } from 'node:net';
import { answersMetadata, brokersInMetadataAnswer, encodeMetadataRequest } from './kafka-probe';

function answerWith(brokers: number): Buffer {
  const answer = Buffer.alloc(16);
  answer.writeInt32BE(12, 0);
  answer.writeInt32BE(1, 4);
  answer.writeInt32BE(brokers, 8);
  return answer;
}

function listen(onData: (write: (bytes: Buffer) => void) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => onData((bytes) => socket.write(bytes)));
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('the probe of Kafka', () => {
  it('asks for the metadata of no topics, with its length in front', () => {
    const request = encodeMetadataRequest('me');
    expect(request.toString('hex')).toBe('00000010' + '0003' + '0001' + '00000001' + '0002' + '6d65' + '00000000');
  });

  it('waits for the whole answer before it counts brokers', () => {
    expect(brokersInMetadataAnswer(answerWith(1).subarray(0, 15))).toBeUndefined();
    expect(brokersInMetadataAnswer(answerWith(1))).toBe(1);
  });

  it.each([
    ['ready once a broker is listed', 1, true],
    ['not ready while no broker has registered', 0, false],
  ])('says %s', async (_, brokers, ready) => {
    const server = await listen((write) => {
      write(answerWith(brokers).subarray(0, 7));
      write(answerWith(brokers).subarray(7));
    });
    expect(await answersMetadata('127.0.0.1', portOf(server))).toBe(ready);
    server.close();
  });

  it('says not ready when something listens that never answers', async () => {
    const server = await listen(() => undefined);
    expect(await answersMetadata('127.0.0.1', portOf(server), 50)).toBe(false);
    server.close();
  });

  it('says not ready when nobody listens', async () => {
    const server = await listen(() => undefined);
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await answersMetadata('127.0.0.1', port)).toBe(false);
  });
});
