import { credentials, Metadata, status } from '@grpc/grpc-js';
import {
  FeatureServiceService,
  type FeatureServiceServer,
} from '@headrace/contracts/proto/features/v1/features_service';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthClient,
  type HealthCheckResponse,
  type HealthListResponse,
} from '@headrace/contracts/grpc/health/v1/health';
import {
  ServerReflectionClient,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '@headrace/contracts/grpc/reflection/v1/reflection';
import { TokenTable } from './access';
import { unary } from './client';
import { startGrpcServer } from './server';
import { grpcService } from './service';

const NAME = 'headrace.features.v1.FeatureService';
let ready = true;
let running: Awaited<ReturnType<typeof startGrpcServer>>;
let health: HealthClient;
let reflection: ServerReflectionClient;

beforeAll(async () => {
  running = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    services: [
      grpcService<FeatureServiceServer>(
        FeatureServiceService,
        {
          getOnlineFeatures: () => Promise.resolve({ rows: [] }),
          checkServingSkew: () => Promise.reject(new Error('not here')),
          listScoringJobs: () => Promise.reject(new Error('not here')),
        },
        { getOnlineFeatures: 'authenticated', checkServingSkew: 'authenticated', listScoringJobs: 'authenticated' },
      ),
    ],
    tokens: new TokenTable(),
    log: { error: () => undefined },
    isReady: () => ready,
  });
  const address = `127.0.0.1:${running.port}`;
  health = new HealthClient(address, credentials.createInsecure());
  reflection = new ServerReflectionClient(address, credentials.createInsecure());
});

afterAll(async () => {
  health.close();
  reflection.close();
  await running.close(1_000);
});

describe('health over gRPC', () => {
  const check = (service: string): Promise<HealthCheckResponse> =>
    unary<{ service: string }, HealthCheckResponse>(health.check.bind(health), { service }, { timeoutMs: 5_000 });

  it('is that of the process, for the server and each of its services', async () => {
    expect(await check('')).toEqual({ status: ServingStatus.SERVING });
    ready = false;
    expect(await check(NAME)).toEqual({ status: ServingStatus.NOT_SERVING });
    ready = true;
    await expect(check('headrace.Nothing')).rejects.toMatchObject({ code: status.NOT_FOUND });
    const list = await unary<object, HealthListResponse>(health.list.bind(health), {}, { timeoutMs: 5_000 });
    expect(Object.keys(list.statuses).sort()).toEqual(['', 'grpc.health.v1.Health', NAME]);
  });

  it('tells a watcher each change', async () => {
    const told: ServingStatus[] = [];
    const call = health.watch({ service: NAME }, new Metadata());
    const enough = new Promise<void>((resolve) => {
      call.on('data', ({ status: now }: HealthCheckResponse) => {
        told.push(now);
        ready = told.length !== 1;
        if (told.length === 3) resolve();
      });
    });
    call.on('error', () => undefined);
    await enough;
    call.cancel();
    expect(told).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING, ServingStatus.SERVING]);
  });
});

describe('reflection', () => {
  async function ask(messageRequest: ServerReflectionRequest['messageRequest']): Promise<ServerReflectionResponse> {
    const call = reflection.serverReflectionInfo();
    const answered = new Promise<ServerReflectionResponse>((resolve, reject) => {
      call.on('data', resolve);
      call.on('error', reject);
    });
    call.write({ host: '', messageRequest });
    call.end();
    return answered;
  }

  it('lists what is mounted and nothing else', async () => {
    const { messageResponse } = await ask({ $case: 'listServices', value: '' });
    expect(messageResponse).toEqual({
      $case: 'listServicesResponse',
      value: {
        service: [
          { name: 'grpc.health.v1.Health' },
          { name: 'grpc.reflection.v1.ServerReflection' },
          { name: 'grpc.reflection.v1alpha.ServerReflection' },
          { name: NAME },
        ],
      },
    });
  });

  it.each([
    NAME,
    `${NAME}.GetOnlineFeatures`,
    'headrace.features.v1.FeatureVector',
    'headrace.features.v1.FeatureVector.values',
  ])('describes %s with what its file imports', async (symbol) => {
    const { messageResponse } = await ask({ $case: 'fileContainingSymbol', value: symbol });
    if (messageResponse?.$case !== 'fileDescriptorResponse') throw new Error(JSON.stringify(messageResponse));
    const [file, ...imported] = messageResponse.value.fileDescriptorProto.map((bytes) => Buffer.from(bytes).toString());
    expect(file).toContain('headrace/features/v1/features_service.proto');
    expect(imported.some((text) => text.includes('headrace/common/v1/common.proto'))).toBe(true);
  });

  it('says what it does not know', async () => {
    const { messageResponse } = await ask({ $case: 'fileContainingSymbol', value: 'headrace.Nothing' });
    expect(messageResponse).toMatchObject({ $case: 'errorResponse', value: { errorCode: status.NOT_FOUND } });
  });
});
