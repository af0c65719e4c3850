// What a client of @grpc/grpc-js sees: the same as from the server of @grpc/grpc-js, but for compression.
import { connect, constants } from 'node:http2';
import { compressionAlgorithms, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { eventually, selfSigned } from '@headrace/testing';
import { FastGrpcServer } from '../src';
import { definition, EchoClient, EchoService } from './echo-service';

interface Running {
  readonly port: number;
  close(): Promise<void>;
}

async function startFast(service: EchoService): Promise<Running> {
  const server = new FastGrpcServer();
  server.addService(definition, service.implementation);
  return { port: await server.listen('127.0.0.1', 0), close: () => server.close(2_000) };
}

async function startStandard(service: EchoService): Promise<Running> {
  const server = new Server({ 'grpc.max_receive_message_length': 16 * 1_048_576 });
  server.addService(definition, { ...service.implementation });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => new Promise((resolve) => server.tryShutdown(() => resolve())) };
}

describe.each([
  ['fast', startFast],
  ['standard', startStandard],
])('the %s server', (kind, start) => {
  let service: EchoService;
  let running: Running;
  let client: InstanceType<typeof EchoClient>;

  beforeEach(async () => {
    service = new EchoService();
    running = await start(service);
    client = new EchoClient(`127.0.0.1:${running.port}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
  });

  afterEach(async () => {
    client.close();
    service.release();
    await running.close();
  });

  /** The answer of a unary method, or its status. */
  function ask(method: string, body: Buffer, metadata = new Metadata(), options: object = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client[method]?.(body, metadata, options, (error: unknown, answer?: Buffer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      );
    });
  }

  it('answers many calls at once, each with its own', async () => {
    const bodies = Array.from({ length: 500 }, (_, index) => Buffer.from(`call ${index}`));
    expect(await Promise.all(bodies.map((body) => ask('echo', body)))).toEqual(bodies);
    expect(await ask('echo', Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  it('carries a message of 12 MiB both ways', async () => {
    const body = Buffer.alloc(12 * 1_048_576, 'abcdefg');
    expect((await ask('echo', body)).equals(body)).toBe(true);
  });

  it('refuses a message above its bound and goes on', async () => {
    await expect(ask('echo', Buffer.alloc(17 * 1_048_576))).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(await ask('echo', Buffer.from('next'))).toEqual(Buffer.from('next'));
  });

  it('gives a failure with its code, text and metadata', async () => {
    const error: { metadata: Metadata } = await ask('fail', Buffer.alloc(1)).catch((caught) => caught);
    expect(error).toMatchObject({ code: status.NOT_FOUND, details: '100 % böse\n' });
    expect(error.metadata.get('reason')).toEqual(['none']);
    expect(error.metadata.get('proof-bin')).toEqual([Buffer.from([0, 1, 255])]);
  });

  it('knows what the caller sent beside the message, and sends metadata before and after its own', async () => {
    const metadata = new Metadata();
    metadata.add('name', 'one');
    metadata.add('name', 'two');
    metadata.add('key-bin', Buffer.from([1, 2, 3]));
    const seen: Record<string, unknown> = {};
    const facts = await new Promise<string>((resolve, reject) => {
      const deadline = Date.now() + 30_000;
      const call = client['facts']?.(Buffer.alloc(0), metadata, { deadline }, (error: Error | null, answer?: Buffer) =>
        error ? reject(error) : setImmediate(resolve, String(answer)),
      );
      call?.on('metadata', (early: Metadata) => (seen['early'] = early.get('early')));
      call?.on('status', (ended: { metadata: Metadata }) => (seen['late'] = ended.metadata.get('late')));
    });
    expect(seen).toEqual({ early: ['bird'], late: ['worm'] });
    const { left, names, ...others } = JSON.parse(facts) as { left: number; names: string[]; [fact: string]: unknown };
    // Clients may join values of one name.
    expect(names.join(', ')).toBe('one, two');
    expect(others).toEqual({ path: '/test.Echo/Facts', peer: expect.stringMatching(/^127/), binary: ['010203'] });
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(30_001);
    expect(JSON.parse(String(await ask('facts', Buffer.alloc(0))))).toMatchObject({ left: 'unbounded' });
  });

  it('says so when a method has no handler', async () => {
    await expect(ask('missing', Buffer.alloc(0))).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  it('tells the handler of a deadline that passes and of a call that is taken back', async () => {
    await expect(ask('wait', Buffer.alloc(0), new Metadata(), { deadline: Date.now() + 50 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await eventually(() => expect(service.cancelled).toBe(1));
    const call = client['wait']?.(Buffer.alloc(0), () => undefined);
    await eventually(() => expect(service.waiting).toBe(2));
    call?.cancel();
    await eventually(() => expect(service.cancelled).toBe(2));
  });

  it('takes a stream of requests', async () => {
    const length = await new Promise<Buffer>((resolve, reject) => {
      const call = client['length']?.((error: Error | null, answer?: Buffer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      ) as unknown as { write(part: Buffer): void; end(): void };
      for (let index = 0; index < 1_000; index += 1) call.write(Buffer.alloc(2_000));
      call.end();
    });
    expect(length.toString()).toBe('2000000');
  });

  it('gives a stream of answers in order', async () => {
    const call = client['count']?.(Buffer.from('20000')) as unknown as AsyncIterable<Buffer>;
    let next = 0;
    for await (const part of call) {
      if (part.toString() !== String(next)) throw new Error(`got ${part.toString()} instead of ${next}`);
      next += 1;
    }
    expect(next).toBe(20_000);
  });

  it('gives and takes at once, held back by who is slower', async () => {
    const call = client['both']?.() as unknown as AsyncIterable<Buffer> & { write(part: Buffer): void; end(): void };
    for (let index = 0; index < 400; index += 1) call.write(Buffer.alloc(50_000, index));
    call.end();
    let bytes = 0;
    for await (const part of call) bytes += part.length;
    expect(bytes).toBe(20_000_000);
  });

  it('ends a stream with the error of its handler', async () => {
    const call = client['refuseBoth']?.() as unknown as AsyncIterable<Buffer>;
    const read = async (): Promise<void> => {
      for await (const part of call) throw new Error(`an answer: ${part.toString()}`);
    };
    await expect(read()).rejects.toMatchObject({ code: status.PERMISSION_DENIED, details: 'not you' });
  });

  it('stops writing when the reader goes', async () => {
    const call = client['forever']?.(Buffer.from('x')) as unknown as {
      cancel(): void;
      on(event: string, listener: () => void): void;
    };
    call.on('error', () => undefined);
    await new Promise<void>((resolve) => call.on('data', resolve));
    call.cancel();
    await eventually(() => expect(service.cancelled).toBe(1));
  });

  it('finishes what runs when it shuts down', async () => {
    const answer = ask('wait', Buffer.from('late'));
    await eventually(() => expect(service.waiting).toBe(1));
    const closing = running.close();
    service.release();
    expect(await answer).toEqual(Buffer.from('late'));
    await closing;
    running = await start(service);
  });

  it('serves a client that keeps no header table, and tells others than gRPC what it is', async () => {
    const session = connect(`http://127.0.0.1:${running.port}`, { settings: { headerTableSize: 0 } });
    const get = (path: string, headers: object): Promise<Record<string, unknown>> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':method': 'POST', ':path': path, ...headers });
        const seen: Record<string, unknown> = {};
        stream.on('response', (response) => Object.assign(seen, response));
        stream.on('trailers', (trailers) => Object.assign(seen, trailers));
        stream
          .on('error', reject)
          .on('end', () => resolve(seen))
          .resume();
        stream.end(Buffer.from([0, 0, 0, 0, 1, 7]));
      });
    for (let round = 0; round < 3; round += 1)
      expect(await get('/test.Echo/Echo', { 'content-type': 'application/grpc', te: 'trailers' })).toMatchObject({
        [constants.HTTP2_HEADER_STATUS]: 200,
        'grpc-status': '0',
      });
    expect(await get('/test.Echo/Echo', { 'content-type': 'text/plain' })).toMatchObject({ ':status': 415 });
    session.close();
  });

  if (kind === 'fast') {
    it('refuses compressed messages, saying what it takes', async () => {
      const zipped = new EchoClient(`127.0.0.1:${running.port}`, credentials.createInsecure(), {
        'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
      });
      const asked = new Promise((resolve, reject) => {
        zipped['echo']?.(Buffer.alloc(10_000), (error: unknown, answer: unknown) =>
          error ? reject(error) : resolve(answer),
        );
      });
      await expect(asked).rejects.toMatchObject({
        code: status.UNIMPLEMENTED,
        details: expect.stringContaining('identity'),
      });
      zipped.close();
    });

    it('says nothing of what a handler threw', async () => {
      const error: Error = await ask('throws', Buffer.alloc(0)).catch((caught) => caught);
      expect(error).toMatchObject({ code: status.UNKNOWN });
      expect(error.message).not.toContain('secret');
    });
  }
});

it('speaks TLS with those who offer h2, and with nobody else', async () => {
  const { key, cert } = selfSigned();
  const service = new EchoService();
  const server = new FastGrpcServer({ tls: { key, cert } });
  server.addService(definition, service.implementation);
  const port = await server.listen('127.0.0.1', 0);
  const client = new EchoClient(`localhost:${port}`, credentials.createSsl(cert));
  const answer = await new Promise((resolve, reject) => {
    client['echo']?.(Buffer.from('secret'), (error: unknown, got: unknown) => (error ? reject(error) : resolve(got)));
  });
  expect(answer).toEqual(Buffer.from('secret'));
  const plain = new EchoClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const refused = new Promise((resolve, reject) => {
    plain['echo']?.(Buffer.from('x'), (error: unknown, got: unknown) => (error ? reject(error) : resolve(got)));
  });
  await expect(refused).rejects.toMatchObject({ code: status.UNAVAILABLE });
  client.close();
  plain.close();
  await server.close(1_000);
});
