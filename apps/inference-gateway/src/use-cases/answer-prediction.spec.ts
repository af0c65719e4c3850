import { DomainError } from '@headrace/contracts';
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import type { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import {
  aDeployedVersion,
  aDeployment,
  aDeploymentChanged,
  aPredictRequest,
  aVector,
  flightColumns,
} from '../../test/builders';
import { NOW, setUp } from '../../test/answering';
import { PersonalData } from '../domain/prediction-log';
import type { FetchOutcome } from '../grpc-out/feature-fetcher';
import { ServingTable } from '../serving/serving-table';
import { AnswerPrediction, type Features, type PredictionObserver } from './answer-prediction';

function withoutFallback(changed = aDeploymentChanged()): DeploymentChanged {
  const { behaviour } = changed;
  if (!behaviour) throw new Error('the builder gives a behaviour');
  return { ...changed, behaviour: { ...behaviour, fallback: undefined } };
}

const statusesWith = (status: FeatureStatus): FetchOutcome => ({
  kind: 'features',
  vector: aVector({ statuses: flightColumns.map((_, index) => (index === 4 ? status : FeatureStatus.PRESENT)) }),
});

describe('answering a prediction by entity', () => {
  it('answers with the score, the features as they came, and logs the same', async () => {
    const { answer, log } = setUp({});
    const { response } = await answer.answer(aPredictRequest({ predictionId: 'flight-1' }), Infinity);
    expect(response).toMatchObject({ predictionId: 'flight-1', version: 1, assignment: 'champion', fallback: false });
    expect(response.output).toBeCloseTo(0.1);
    expect(response.features.map(({ value }) => value)).toEqual(aVector().values);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatchObject({
      predictionId: 'flight-1',
      joinKey: 'f-1',
      asOfMicros: aPredictRequest().asOfMicros,
      servedAtMicros: NOW,
      featureNames: flightColumns.map(({ name }) => name),
      featureValues: aVector().values,
      watermarkMicros: aVector().watermarkMicros,
      output: response.output,
      deploymentGeneration: 1,
      entities: { origin: 'ATL', destination: 'ORD' },
    });
  });

  it("asks for features and logs in the caller's trace, also when it falls back", async () => {
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const good = setUp({});
    await good.answer.answer(aPredictRequest(), Infinity, trace);
    expect([good.fetches[0]?.trace, good.traces]).toEqual([trace, [trace]]);
    const late = setUp({ outcome: { kind: 'late' } });
    await late.answer.answer(aPredictRequest(), Infinity, trace);
    expect(late.traces).toEqual([trace]);
  });

  it('makes an id when the caller gives none', async () => {
    const { answer } = setUp({});
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response.predictionId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('hands missing features to the model', async () => {
    const { answer } = setUp({ outcome: statusesWith(FeatureStatus.MISSING) });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 1, fallback: false });
  });

  it('waits for features no longer than the endpoint allows, and within the caller’s deadline', async () => {
    const { answer, fetches } = setUp({});
    await answer.answer(aPredictRequest(), Infinity);
    await answer.answer(aPredictRequest(), 520);
    await answer.answer(aPredictRequest(), 5);
    expect(fetches.map(({ timeoutMs }) => timeoutMs)).toEqual([2_000, 500, 1]);
  });

  it.each<[string, FetchOutcome, string]>([
    ['late', { kind: 'late' }, 'feature_timeout'],
    ['stale', statusesWith(FeatureStatus.STALE), 'feature_timeout'],
    ['expired', statusesWith(FeatureStatus.EXPIRED), 'feature_expired'],
    ['unobtainable', { kind: 'away', message: 'no connection' }, 'feature_store_unavailable'],
  ])('answers with the declared fallback when features are %s, else not at all', async (_, outcome, reason) => {
    const { answer, log, fallbacks } = setUp({ outcome });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ output: 0.2, version: 0, assignment: '', fallback: true, fallbackReason: reason });
    expect(log[0]).toMatchObject({ version: 0, fallback: true, fallbackReason: reason, joinKey: 'f-1' });
    expect(fallbacks).toEqual([reason]);

    const bare = setUp({ outcome, changed: withoutFallback() });
    await expect(bare.answer.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(bare.log).toEqual([]);
  });

  it('passes on what the feature store refuses', async () => {
    const { answer } = setUp({ outcome: { kind: 'refused', message: 'origin is no airport' } });
    const refused = answer.answer(aPredictRequest(), Infinity);
    await expect(refused).rejects.toMatchObject({ kind: 'invalid' });
    await expect(refused).rejects.toThrow('origin is no airport');
  });

  it('names the missing field before it asks anybody', async () => {
    const { answer, fetches } = setUp({});
    await expect(answer.answer(aPredictRequest({ entities: {} }), Infinity)).rejects.toThrow(DomainError);
    expect(fetches).toEqual([]);
  });

  it('falls back when the model gives no answer', async () => {
    const { answer, log } = setUp({ broken: [1] });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ fallback: true, fallbackReason: 'model_error' });
    expect(log).toHaveLength(1);
  });
});

describe('an endpoint without a loaded version', () => {
  it('is asked again later while it loads, and falls back once it cannot be loaded', async () => {
    const { answer } = setUp({});
    const table = new ServingTable();
    const features: Features = { fetch: () => Promise.reject(new Error('nobody asks')) };
    const observer: PredictionObserver = {
      served: () => undefined,
      featuresWaited: () => undefined,
      fallback: () => undefined,
      versionFailed: () => undefined,
      guarded: () => undefined,
      versionAsked: () => undefined,
    };
    const early = new AnswerPrediction(table, features, observer, new PersonalData(undefined), () => NOW);
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    table.markCaughtUp();
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'not-found' });
    table.want(aDeployment(aDeploymentChanged({ versions: [aDeployedVersion(1)] })));
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    table.refuse('late-arrival', { version: 1, code: 'crashed', message: 'SIGSEGV' });
    const { response } = await early.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ fallback: true, fallbackReason: 'model_error', output: 0.2 });
    await expect(answer.answer(aPredictRequest({ endpoint: 'other' }), Infinity)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});
