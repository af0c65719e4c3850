import { credentials, status } from '@grpc/grpc-js';
import { HealthClient, type HealthCheckResponse } from '@headrace/contracts/grpc/health/v1/health';
import { selfSigned } from '@headrace/testing';
import { TokenTable } from './access';
import { unary } from './client';
import { startGrpcServer } from './server';
import type { ServerTls } from './transport';

describe.each(['standard', 'fast'] as const)('TLS on the %s server', (server) => {
  const own = selfSigned();
  const caller = selfSigned();
  const open: { close(): void }[] = [];
  let stop: () => Promise<void>;

  async function serve(tls: ServerTls): Promise<number> {
    const running = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      server,
      tls,
      services: [],
      tokens: new TokenTable(),
      log: { error: () => undefined },
    });
    stop = () => running.close(1_000);
    return running.port;
  }

  function check(port: number, as: ReturnType<typeof credentials.createSsl>): Promise<HealthCheckResponse> {
    const client = new HealthClient(`localhost:${port}`, as);
    open.push(client);
    return unary<{ service: string }, HealthCheckResponse>(
      client.check.bind(client),
      { service: '' },
      { timeoutMs: 10_000 },
    );
  }

  afterEach(async () => {
    for (const client of open.splice(0)) client.close();
    await stop();
  });

  it('answers callers who trust its certificate, and nobody in the clear', async () => {
    const port = await serve({ certificate: own.cert, key: Buffer.from(own.key) });
    expect(await check(port, credentials.createSsl(own.cert))).toEqual({ status: 1 });
    await expect(check(port, credentials.createInsecure())).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await expect(check(port, credentials.createSsl(caller.cert))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('wants to see a certificate of an authority that it was given', async () => {
    const port = await serve({ certificate: own.cert, key: Buffer.from(own.key), clientAuthorities: caller.cert });
    const shown = credentials.createSsl(own.cert, Buffer.from(caller.key), caller.cert);
    expect(await check(port, shown)).toEqual({ status: 1 });
    await expect(check(port, credentials.createSsl(own.cert))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const another = credentials.createSsl(own.cert, Buffer.from(own.key), own.cert);
    await expect(check(port, another)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});
