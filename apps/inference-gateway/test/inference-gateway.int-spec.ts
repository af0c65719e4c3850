/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { status } from '@grpc/grpc-js';
import { events } from '@headrace/contracts';
import type { ModelInferRequest, ModelInferResponse } from '@headrace/contracts/inference';
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictRequest, PredictResponse } from '@headrace/contracts/proto/inference/v1/inference_service';
import {
  GuardrailAction,
  VersionRole,
  type DeploymentChanged,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import { unary } from '@headrace/grpc';
import { eventually, uniqueName } from '@headrace/testing';
import {
  aDeployedVersion,
  aDeploymentChanged,
  aPairedRollout,
  aPredictRequest,
  anInferRequest,
  flightColumns,
} from './builders';
import { RunningGateway } from './running-gateway';

jest.setTimeout(120_000);

const gateway = new RunningGateway();
const row = flightColumns.map((_, index) => index);

beforeAll(() => gateway.start());
afterAll(() => gateway.stop());

function infer(request: ModelInferRequest): Promise<ModelInferResponse> {
  const { inference } = gateway;
  return unary<ModelInferRequest, ModelInferResponse>(inference.modelInfer.bind(inference), request, {
    timeoutMs: 10_000,
  });
}

function predict(request: PredictRequest): Promise<PredictResponse> {
  const client = gateway.predict;
  return unary<PredictRequest, PredictResponse>(client.predict.bind(client), request, { timeoutMs: 10_000 });
}

const isReady = (name: string, version = ''): Promise<boolean> => gateway.isReady(name, version);

async function serving(endpoint: string, version: number): Promise<void> {
  await eventually(async () => expect(await isReady(endpoint, String(version))).toBe(true), { timeoutMs: 60_000 });
}

/** Endpoint of its own for each spec: the topics are shared. */
async function deploy(changed: DeploymentChanged, endpoint: string, files = ['flight-like.onnx']): Promise<string> {
  const versions = await Promise.all(
    changed.versions.map(async (version, index) => ({
      ...version,
      modelArtifact: await gateway.artifact(files[index] ?? 'flight-like-small.onnx'),
    })),
  );
  return gateway.deploy({ ...changed, endpoint, versions });
}

describe('the gateway on the real Kafka', () => {
  it('serves a deployment by tensor and by entity with the same number, and logs what it answered', async () => {
    const endpoint = uniqueName('late');
    await expect(infer(anInferRequest(row, { modelName: endpoint }))).rejects.toMatchObject({
      code: expect.any(Number),
    });
    const deployment = await deploy(aDeploymentChanged(), endpoint);
    await serving(endpoint, 1);

    const raw = await infer(anInferRequest(row, { modelName: endpoint }));
    expect(raw).toMatchObject({ modelName: endpoint, modelVersion: '1', id: 'request-1' });
    expect(raw.outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ['label', 'INT64', [1n]],
      ['probabilities', 'FP32', [1n, 2n]],
    ]);
    const probability = Buffer.from(raw.rawOutputContents[1] ?? []).readFloatLE(4);

    const predictionId = uniqueName('prediction');
    const answer = await predict(aPredictRequest({ endpoint, predictionId }));
    expect(answer).toMatchObject({ predictionId, version: 1, assignment: 'champion', fallback: false });
    expect(answer.output).toBe(probability);
    expect(answer.features.map(({ value }) => value)).toEqual(row);

    await eventually(async () => {
      const [logged] = (await gateway.published(events.PredictionServed)).filter(
        ({ eventId }) => eventId === predictionId,
      );
      expect(logged).toMatchObject({
        key: 'f-1',
        source: expect.stringContaining('inference-gateway'),
        causationId: deployment,
        correlationId: `loop/${endpoint}`,
        data: {
          endpoint,
          version: 1,
          output: probability,
          featureNames: flightColumns.map(({ name }) => name),
          featureValues: row,
          joinKey: 'f-1',
          deploymentGeneration: 1,
        },
      });
      const activated = (await gateway.published(events.DeploymentActivated)).filter(
        ({ data }) => data.endpoint === endpoint,
      );
      expect(activated).toHaveLength(1);
      expect(activated[0]).toMatchObject({ causationId: deployment, data: { generation: 1, versions: [1] } });
    });
  });

  it('says what is wrong with a request', async () => {
    const endpoint = uniqueName('late');
    await deploy(aDeploymentChanged(), endpoint, ['flight-like-small.onnx']);
    await serving(endpoint, 1);
    const wrong: [Promise<unknown>, status, string][] = [
      [
        infer(anInferRequest([1, 2], { modelName: endpoint })),
        status.INVALID_ARGUMENT,
        'input "features": expected shape [N, 11]',
      ],
      [infer(anInferRequest(row, { modelName: 'nothing-of-the-kind' })), status.NOT_FOUND, 'there is no endpoint'],
      [
        infer(anInferRequest(row, { modelName: endpoint, modelVersion: '7' })),
        status.NOT_FOUND,
        'no loaded version "7": loaded are 1',
      ],
      [predict(aPredictRequest({ endpoint, entities: {} })), status.INVALID_ARGUMENT, 'entities["origin"] is missing'],
      [predict(aPredictRequest({ endpoint: 'nothing-of-the-kind' })), status.NOT_FOUND, 'there is no endpoint'],
    ];
    // All at once: a refusal that nobody waits for yet would be an unhandled one.
    await Promise.all(
      wrong.map(([call, code, details]) =>
        expect(call).rejects.toMatchObject({ code, details: expect.stringContaining(details) }),
      ),
    );
  });

  it('answers typed contents in kind and only the outputs that were asked for', async () => {
    const endpoint = uniqueName('late');
    await deploy(aDeploymentChanged(), endpoint, ['flight-like-small.onnx']);
    await serving(endpoint, 1);
    const request = anInferRequest(row, { modelName: endpoint, rawInputContents: [] });
    const [input] = request.inputs;
    if (!input) throw new Error('the builder gives one input');
    const contents = {
      boolContents: [],
      intContents: [],
      int64Contents: [],
      uintContents: [],
      uint64Contents: [],
      fp32Contents: row,
      fp64Contents: [],
      bytesContents: [],
    };
    const asked = { ...request, inputs: [{ ...input, contents }], outputs: [{ name: 'label', parameters: {} }] };
    const answer = await infer(asked);
    expect(answer.rawOutputContents).toEqual([]);
    expect(answer.outputs).toMatchObject([{ name: 'label', contents: { int64Contents: [expect.any(BigInt)] } }]);
  });

  it('scores by both versions during a rollout, fails no request when versions change, and lets the old one go', async () => {
    const endpoint = uniqueName('late');
    const files = ['flight-like.onnx', 'flight-like-small.onnx'];
    await deploy(aDeploymentChanged(), endpoint, files);
    await serving(endpoint, 1);
    let asking = true;
    const versions = new Set<number>();
    const ask = async (caller: number): Promise<void> => {
      for (let turn = 0; asking; turn += 1) {
        const predictionId = `${endpoint}-${caller}-${turn}`;
        const answer = await predict(aPredictRequest({ endpoint, predictionId }));
        expect(answer.fallback).toBe(false);
        versions.add(answer.version);
      }
    };
    const callers = Array.from({ length: 8 }, (_, caller) => ask(caller));
    await deploy({ ...aPairedRollout(25), generation: 2 }, endpoint, files);
    await serving(endpoint, 2);
    await eventually(() => expect(versions).toEqual(new Set([1, 2])));
    const [, second] = aPairedRollout().versions;
    if (!second) throw new Error('the builder gives two versions');
    const promoted = { ...second, role: VersionRole.CHAMPION, weightPercent: 100 };
    await deploy(aDeploymentChanged({ generation: 3, versions: [promoted] }), endpoint, ['flight-like-small.onnx']);
    await eventually(async () => expect(await isReady(endpoint, '1')).toBe(false));
    asking = false;
    await Promise.all(callers);

    await eventually(async () => {
      const served = (await gateway.published(events.PredictionServed)).filter(
        ({ data }) => data.endpoint === endpoint,
      );
      const paired = served.filter(({ data }) => data.deploymentGeneration === 2).map(({ data }) => data);
      expect(paired.length).toBeGreaterThan(4);
      for (const { version, shadowScores } of paired) {
        expect(shadowScores.map((shadow) => shadow.version)).toEqual([version === 1 ? 2 : 1]);
      }
      const canary = paired.filter(({ assignment }) => assignment === 'canary').length;
      expect(Math.abs(canary - paired.length * 0.25)).toBeLessThanOrEqual(1);
    });
  });

  it('compares a shadow and returns its answer to nobody, even if asked for it by number', async () => {
    const endpoint = uniqueName('late');
    const files = ['flight-like.onnx', 'flight-like-small.onnx'];
    const changed = aPairedRollout(0);
    const [champion, candidate] = changed.versions;
    if (!champion || !candidate) throw new Error('the builder gives two versions');
    const versions = [champion, { ...candidate, role: VersionRole.SHADOW }];
    await deploy({ ...changed, generation: 1, versions }, endpoint, files);
    await serving(endpoint, 1);
    const asked = Array.from({ length: 50 }, (_, index) =>
      predict(aPredictRequest({ endpoint, predictionId: `${endpoint}-${index}` })),
    );
    for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ version: 1, assignment: 'champion' });
    await expect(infer(anInferRequest(row, { modelName: endpoint, modelVersion: '2' }))).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await eventually(async () => {
      const served = (await gateway.published(events.PredictionServed)).filter(
        ({ data }) => data.endpoint === endpoint,
      );
      expect(served).toHaveLength(50);
      expect(served.every(({ data }) => data.shadowScores[0]?.version === 2)).toBe(true);
    });
  });

  it('flags inputs outside of the profile, and refuses where that is declared', async () => {
    const endpoint = uniqueName('late');
    const changed = aDeploymentChanged();
    const { behaviour } = changed;
    const [version] = changed.versions;
    if (!behaviour || !version) throw new Error('the builder gives both');
    const features = flightColumns.map(({ name }, index) => ({ name, edges: [0, index === 4 ? 2 : 100] }));
    const profile = { contract: 'headrace.dev/profile/v1', features };
    const versions = [{ ...version, profileArtifact: await gateway.put(JSON.stringify(profile), 'profile.json') }];
    const guardrails = {
      outsideProfile: { action: GuardrailAction.FLAG, tolerance: 0 },
      lowConfidence: undefined,
      missingFeatures: undefined,
      fallbackVersion: 0,
    };
    await deploy({ ...changed, versions, behaviour: { ...behaviour, guardrails } }, endpoint);
    await serving(endpoint, 1);
    const reason = `outside of what the version was validated on: ${flightColumns[4]?.name ?? ''}`;
    const reasons = [{ guardrail: 'outside_profile', action: 'flag', reason }];
    const predictionId = uniqueName('prediction');
    const flagged = await predict(aPredictRequest({ endpoint, predictionId }));
    expect(flagged).toMatchObject({ version: 1, fallback: false, guardrails: reasons });
    await eventually(async () => {
      const found = (await gateway.published(events.PredictionServed)).find(({ eventId }) => eventId === predictionId);
      expect(found?.data.guardrails).toEqual(reasons);
    });

    const strict = { ...guardrails, outsideProfile: { action: GuardrailAction.REFUSE, tolerance: 0 } };
    await deploy({ ...changed, generation: 2, versions, behaviour: { ...behaviour, guardrails: strict } }, endpoint);
    await eventually(() =>
      expect(predict(aPredictRequest({ endpoint }))).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        details: expect.stringContaining(reason),
      }),
    );
  });

  it('goes on with the champion when a canary cannot be loaded, and says so', async () => {
    const endpoint = uniqueName('late');
    await deploy(aDeploymentChanged(), endpoint, ['flight-like-small.onnx']);
    await serving(endpoint, 1);
    const cause = await deploy({ ...aPairedRollout(), generation: 2 }, endpoint, [
      'flight-like-small.onnx',
      'hostile/slow.onnx',
    ]);
    await eventually(
      async () => {
        const failed = (await gateway.published(events.ModelLoadFailed)).filter(
          ({ data }) => data.endpoint === endpoint,
        );
        expect(failed).toHaveLength(1);
        expect(failed[0]).toMatchObject({ causationId: cause, data: { generation: 2, version: 2, code: 'too_slow' } });
      },
      { timeoutMs: 60_000 },
    );
    expect(await predict(aPredictRequest({ endpoint }))).toMatchObject({ version: 1, fallback: false });
  });

  it('lets nobody wait for nothing when a candidate hangs: the champion answers, and its failure is told', async () => {
    const endpoint = uniqueName('late');
    const files = ['flight-like-small.onnx', 'hostile/hangs-on-negative.onnx'];
    await deploy(aDeploymentChanged(), endpoint, files);
    await serving(endpoint, 1);
    const cause = await deploy({ ...aPairedRollout(50), generation: 2 }, endpoint, files);
    await serving(endpoint, 2);
    const answers = [];
    for (const first of [1, 1, -1, -1, -1, -1]) {
      answers.push(await infer(anInferRequest([first, ...row.slice(1)], { modelName: endpoint })));
    }
    const versions = answers.map(({ modelVersion }) => modelVersion);
    expect(new Set(versions.slice(0, 2))).toEqual(new Set(['1', '2']));
    expect(versions.slice(2)).toEqual(['1', '1', '1', '1']);
    expect(await predict(aPredictRequest({ endpoint }))).toMatchObject({ fallback: false });
    await eventually(async () => {
      const failed = (await gateway.published(events.ModelLoadFailed)).filter(({ data }) => data.endpoint === endpoint);
      expect(failed).toHaveLength(1);
      expect(failed[0]).toMatchObject({ causationId: cause, data: { version: 2, code: 'candidate_hung' } });
    });
  });

  it('answers with the declared fallback when features are stale or the feature store is away', async () => {
    const endpoint = uniqueName('late');
    await deploy(aDeploymentChanged({ versions: [aDeployedVersion(1)] }), endpoint, ['flight-like-small.onnx']);
    await serving(endpoint, 1);
    gateway.features.status = FeatureStatus.STALE;
    const stale = await predict(aPredictRequest({ endpoint }));
    expect(stale).toMatchObject({ output: 0.2, version: 0, fallback: true, fallbackReason: 'feature_timeout' });
    gateway.features.status = FeatureStatus.PRESENT;
    gateway.features.error = status.UNAVAILABLE;
    for (let index = 0; index < 10; index += 1) {
      const away = await predict(aPredictRequest({ endpoint }));
      expect(away).toMatchObject({ fallback: true, fallbackReason: 'feature_store_unavailable' });
    }
    // It does not know the views yet, after a restart: nothing that the caller could mend.
    gateway.features.error = status.INVALID_ARGUMENT;
    await eventually(async () => {
      const unknown = await predict(aPredictRequest({ endpoint }));
      expect(unknown).toMatchObject({ fallback: true, fallbackReason: 'feature_store_unavailable' });
    });
    gateway.features.error = undefined;
    // The circuit closes again by itself.
    await eventually(async () =>
      expect(await predict(aPredictRequest({ endpoint }))).toMatchObject({ fallback: false }),
    );
  });

  it('publishes what it answered before it stops', async () => {
    const endpoint = uniqueName('late');
    await deploy(aDeploymentChanged(), endpoint, ['flight-like-small.onnx']);
    await serving(endpoint, 1);
    const ids = Array.from({ length: 300 }, (_, index) => `${endpoint}-${index}`);
    await Promise.all(ids.map((predictionId) => predict(aPredictRequest({ endpoint, predictionId }))));
    await gateway.stopGateway();
    const served = (await gateway.published(events.PredictionServed)).filter(({ data }) => data.endpoint === endpoint);
    expect(new Set(served.map(({ eventId }) => eventId))).toEqual(new Set(ids));
  });
});
