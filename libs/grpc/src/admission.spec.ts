import { randomBytes } from 'node:crypto';
import { credentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  GRPCInferenceServiceClient,
  GRPCInferenceServiceService,
  ModelInferRequest,
  ModelInferResponse,
  type ServerLiveResponse,
} from '@headrace/contracts/inference';
import { TokenTable } from './access';
import { unary } from './client';
import { startGrpcServer } from './server';

describe.each(['standard', 'fast'] as const)('admission by headers on the %s server', (kind) => {
  let running: Awaited<ReturnType<typeof startGrpcServer>>;
  let client: GRPCInferenceServiceClient;
  let open = true;
  let refusing = (): boolean => false;
  const handled: number[] = [];
  const peers = new Set<string>();

  beforeAll(async () => {
    running = await startGrpcServer({
      server: kind,
      host: '127.0.0.1',
      port: 0,
      services: [
        {
          definition: GRPCInferenceServiceService,
          implementation: {},
          access: {},
          raw: {
            modelInfer: (
              { request }: ServerUnaryCall<ModelInferRequest, ModelInferResponse>,
              respond: sendUnaryData<ModelInferResponse>,
            ) => {
              handled.push(request.rawInputContents[0]?.length ?? 0);
              respond(null, ModelInferResponse.fromPartial({ modelName: request.modelName }));
            },
            serverLive: (_call: unknown, respond: sendUnaryData<unknown>) => respond(null, { live: true }),
          },
          admission: {
            modelInfer: {
              get refusing() {
                return refusing();
              },
              refusal: (peer) => {
                peers.add(peer());
                return open ? undefined : { code: status.RESOURCE_EXHAUSTED, details: 'not now' };
              },
            },
          },
        },
      ],
      tokens: new TokenTable(undefined),
      log: { error: () => undefined },
    });
    client = new GRPCInferenceServiceClient(`127.0.0.1:${running.port}`, credentials.createInsecure());
  });

  afterAll(async () => {
    client.close();
    await running.close(1_000);
  });

  const infer = () =>
    unary<ModelInferRequest, ModelInferResponse>(
      client.modelInfer.bind(client),
      ModelInferRequest.fromPartial({ modelName: 'm', rawInputContents: [randomBytes(200_000)] }),
      { timeoutMs: 30_000 },
    );

  it('lets in, refuses before the handler sees anything, and lets in again', async () => {
    expect((await infer()).modelName).toBe('m');
    open = false;
    // Ten times the window of a connection: what is refused must not use it up.
    const refused = await Promise.allSettled(Array.from({ length: 100 }, infer));
    const codes = refused.map((result) => result.status === 'rejected' && (result.reason as { code: status }).code);
    expect(new Set(codes)).toEqual(new Set([status.RESOURCE_EXHAUSTED]));
    expect(handled).toEqual([200_000]);
    open = true;
    expect((await infer()).modelName).toBe('m');
    expect([...peers]).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  });

  it('loses nothing of large messages while it begins and ends to ask for headers first', async () => {
    let asked = 0;
    refusing = () => (asked += 1) % 7 < 3;
    handled.length = 0;
    await Promise.all(Array.from({ length: 100 }, infer));
    await Promise.all(Array.from({ length: 100 }, infer));
    expect(handled).toEqual(new Array(200).fill(200_000));
    refusing = () => false;
  });

  it('asks for the methods that have one only', async () => {
    open = false;
    const live = unary<object, ServerLiveResponse>(client.serverLive.bind(client), {}, { timeoutMs: 30_000 });
    expect(await live).toEqual({ live: true });
    open = true;
  });
});
