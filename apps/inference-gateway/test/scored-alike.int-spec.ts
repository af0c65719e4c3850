/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { join } from 'node:path';
import type { ModelInferRequest, ModelInferResponse } from '@headrace/contracts/inference';
import { unary } from '@headrace/grpc';
import { ModelProcess } from '@headrace/scoring';
import { eventually, uniqueName } from '@headrace/testing';
import { aDeployedVersion, aDeploymentChanged, flightColumns } from './builders';
import { RunningGateway } from './running-gateway';

const COLUMNS = flightColumns.length;

describe('a dataset version scored as a job, and the gateway', () => {
  jest.setTimeout(120_000);
  const gateway = new RunningGateway();
  beforeAll(() => gateway.start());
  afterAll(() => gateway.stop());

  it('give the same answer for the same features, to the bit', async () => {
    const endpoint = uniqueName('late-arrival');
    const modelArtifact = await gateway.artifact('flight-like.onnx');
    await gateway.deploy(aDeploymentChanged({ endpoint, versions: [aDeployedVersion(1, { modelArtifact })] }));
    await eventually(async () => expect(await gateway.isReady(endpoint)).toBe(true), { timeoutMs: 30_000 });

    const rows = 1_500;
    // Values of all sizes, and missing ones.
    const features = Float32Array.from({ length: rows * COLUMNS }, (_, index) =>
      index % 17 === 0 ? NaN : Math.sin(index) * 10 ** (index % 4),
    );
    const model = await ModelProcess.start({
      path: join(__dirname, 'fixtures', 'flight-like.onnx'),
      columns: COLUMNS,
      task: 'binary',
      limits: { timeoutMs: 60_000, memoryMiB: 1_024 },
      child: {
        script: join(__dirname, '../../../libs/scoring/src/model-child.ts'),
        execArgv: ['--require', join(__dirname, '../../../libs/testing/jest/run-sources.cjs')],
      },
    });
    const scores = await model.score(features, rows);
    model.stop();
    expect(new Set(scores).size).toBeGreaterThan(100);

    const infer = gateway.inference.modelInfer.bind(gateway.inference);
    const served: number[] = [];
    // Alone, a few together, many together: the gateway batches as requests come.
    for (let from = 0, count = 1; from < rows; from += count, count = count === 1 ? 7 : count === 7 ? 500 : 1) {
      const to = Math.min(rows, from + count);
      const part = features.slice(from * COLUMNS, to * COLUMNS);
      const request = {
        modelName: endpoint,
        modelVersion: '',
        id: '',
        parameters: {},
        inputs: [
          {
            name: 'features',
            datatype: 'FP32',
            shape: [BigInt(to - from), BigInt(COLUMNS)],
            parameters: {},
            contents: undefined,
          },
        ],
        outputs: [],
        rawInputContents: [Buffer.from(part.buffer, part.byteOffset, part.byteLength)],
      };
      const answer = await unary<ModelInferRequest, ModelInferResponse>(infer, request, { timeoutMs: 30_000 });
      const place = answer.outputs.findIndex(({ name }) => name === 'probabilities');
      const raw = Buffer.from(answer.rawOutputContents[place] ?? []);
      for (let row = 0; row < to - from; row += 1) served.push(raw.readFloatLE((row * 2 + 1) * 4));
    }
    expect([...scores]).toEqual(served);
  });
});
