import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status, type Metadata, type ServerDuplexStream, type sendUnaryData } from '@grpc/grpc-js';
import {
  GRPCInferenceServiceClient,
  GRPCInferenceServiceService,
  ModelInferRequest,
  type ModelInferResponse,
  type ModelStreamInferResponse,
} from '@headrace/contracts/inference';
import { TokenTable } from './access';
import { authorization, unary } from './client';
import { startGrpcServer } from './server';

const folder = mkdtempSync(join(tmpdir(), 'raw-access-'));
const tokens = join(folder, 'tokens.json');
const sha256 = createHash('sha256').update('open-sesame').digest('hex');
writeFileSync(tokens, JSON.stringify([{ sha256, subject: 'ann', roles: ['viewer'] }]));
const answer: ModelInferResponse = {
  modelName: 'm',
  modelVersion: '1',
  id: '',
  parameters: {},
  outputs: [],
  rawOutputContents: [],
};
let running: Awaited<ReturnType<typeof startGrpcServer>>;
let client: GRPCInferenceServiceClient;

beforeAll(async () => {
  running = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    services: [
      {
        definition: GRPCInferenceServiceService,
        implementation: {},
        access: {},
        raw: {
          modelInfer: (_call: unknown, respond: sendUnaryData<ModelInferResponse>) => respond(null, answer),
          modelStreamInfer: (call: ServerDuplexStream<ModelInferRequest, ModelStreamInferResponse>) => {
            call.on('data', () => call.write({ errorMessage: '', inferResponse: answer }));
            call.on('end', () => call.end());
          },
        },
        rawAccess: 'authenticated',
      },
    ],
    tokens: new TokenTable(tokens),
    log: { error: () => undefined },
  });
  client = new GRPCInferenceServiceClient(`127.0.0.1:${running.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await running.close(1_000);
  rmSync(folder, { recursive: true });
});

const request = ModelInferRequest.fromPartial({ modelName: 'm' });

function stream(metadata: Metadata): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = client.modelStreamInfer(metadata);
    call.on('data', resolve);
    call.on('error', reject);
    call.write(request);
    call.end();
  });
}

describe('raw methods that need a token', () => {
  const infer = (metadata: Metadata): Promise<ModelInferResponse> =>
    unary<ModelInferRequest, ModelInferResponse>(client.modelInfer.bind(client), request, {
      timeoutMs: 5_000,
      metadata,
    });

  it('refuse callers without one, on streams too', async () => {
    await expect(infer(authorization(undefined))).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    await expect(infer(authorization('guessed'))).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    await expect(stream(authorization(undefined))).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it('answer callers who bring it', async () => {
    expect(await infer(authorization('open-sesame'))).toMatchObject({ modelName: 'm' });
    expect(await stream(authorization('open-sesame'))).toMatchObject({ inferResponse: { modelName: 'm' } });
  });
});
