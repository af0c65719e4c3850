/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { events } from '@headrace/contracts';
import type {
  ModelInferRequest,
  ModelInferResponse,
  ServerReadyRequest,
  ServerReadyResponse,
} from '@headrace/contracts/inference';
import type { PredictRequest, PredictResponse } from '@headrace/contracts/proto/inference/v1/inference_service';
import { startKafka, type EmbeddedKafka } from '@headrace/embedded';
import { unary } from '@headrace/grpc';
import { eventually } from '@headrace/testing';
import { aDeployedVersion, aDeploymentChanged, aPredictRequest, anInferRequest, flightColumns } from './builders';
import { RunningGateway } from './running-gateway';

jest.setTimeout(180_000);

const ENDPOINT = 'late-arrival';
const row = flightColumns.map((_, index) => index);
const gateway = new RunningGateway();
let folder: string;
let kafka: EmbeddedKafka;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-kafka-'));
  // Its own, because it is taken away.
  kafka = await startKafka({ dataDirectory: join(folder, 'kafka') });
  await gateway.start([kafka.brokers]);
});
afterAll(async () => {
  await gateway.stop();
  await kafka.stop();
  await rm(folder, { recursive: true, force: true });
});

function infer(): Promise<ModelInferResponse> {
  const { inference } = gateway;
  const request = anInferRequest(row, { modelName: ENDPOINT });
  return unary<ModelInferRequest, ModelInferResponse>(inference.modelInfer.bind(inference), request, {
    timeoutMs: 10_000,
  });
}

function predict(predictionId: string): Promise<PredictResponse> {
  const client = gateway.predict;
  const request = aPredictRequest({ endpoint: ENDPOINT, predictionId });
  return unary<PredictRequest, PredictResponse>(client.predict.bind(client), request, { timeoutMs: 10_000 });
}

async function serverReady(): Promise<boolean> {
  const { inference } = gateway;
  const { ready } = await unary<ServerReadyRequest, ServerReadyResponse>(
    inference.serverReady.bind(inference),
    {},
    { timeoutMs: 10_000 },
  );
  return ready;
}

async function deploy(generation: number, version: number, file: string): Promise<void> {
  const deployed = aDeployedVersion(version, { modelArtifact: await gateway.artifact(file) });
  await gateway.deploy(aDeploymentChanged({ endpoint: ENDPOINT, generation, versions: [deployed] }));
  await eventually(async () => expect(await gateway.isReady(ENDPOINT, String(version))).toBe(true), {
    timeoutMs: 60_000,
  });
}

describe('a gateway whose world is away', () => {
  it('starts again and serves what it served, is ready, and follows the log and publishes when Kafka is back', async () => {
    await deploy(1, 1, 'flight-like.onnx');
    const before = await infer();
    expect(await predict('before')).toMatchObject({ version: 1, fallback: false });

    await gateway.stopGateway();
    await kafka.stop();
    await gateway.removeArtifacts();
    gateway.features.error = status.UNAVAILABLE;
    await gateway.startGateway();

    await eventually(async () => expect(await infer()).toEqual(before), { timeoutMs: 60_000 });
    expect(await predict('alone')).toMatchObject({
      output: 0.2,
      fallback: true,
      fallbackReason: 'feature_store_unavailable',
    });
    await eventually(async () => expect(await serverReady()).toBe(true), { timeoutMs: 30_000 });
    // With the features it answers by the model.
    gateway.features.error = undefined;
    await eventually(
      async () => expect(await predict('with-features')).toMatchObject({ version: 1, fallback: false }),
      {
        timeoutMs: 30_000,
      },
    );

    await kafka.restart();
    await deploy(2, 2, 'flight-like-small.onnx');
    expect((await infer()).modelVersion).toBe('2');
    await eventually(
      async () => {
        const served = (await gateway.published(events.PredictionServed)).map(({ eventId }) => eventId);
        expect(served).toEqual(expect.arrayContaining(['before', 'alone', 'with-features']));
      },
      { timeoutMs: 60_000 },
    );
  });
});
