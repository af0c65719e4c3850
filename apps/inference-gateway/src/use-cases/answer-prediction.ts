// Answers one Predict: features by entity, the assigned version's score, the other versions' scores beside it, and one
// event for the prediction log.
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import { FeatureStatus, type FeatureVector } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictionServed, ShadowScore } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { PredictRequest, PredictResponse } from '@headrace/contracts/proto/inference/v1/inference_service';
import type { Cause } from '@headrace/messaging';
import type { Deployment } from '../domain/deployment';
import { breachesOf, strictest, type Breach } from '../domain/guardrails';
import { checkPredictRequest, gapIn, joinKeyOf, unitOf, type InputPlan } from '../domain/input-plan';
import { isLogged, type PersonalData } from '../domain/prediction-log';
import type { FetchOutcome } from '../grpc-out/feature-fetcher';
import type { ActiveDeployment, ServedVersion } from '../serving/active-deployment';
import { scoreOf } from '../serving/score';
import { Shadows, type FallbackReason, type Scored } from '../serving/shadows';
import { tallied } from '../serving/tally';
import type { ServingTable } from '../serving/serving-table';

export interface Features {
  fetch(
    plan: InputPlan,
    row: { entities: PredictRequest['entities']; request: PredictRequest['request']; asOfMicros: number },
    timeoutMs: number,
    /** W3C trace context of the request. */
    trace?: string,
  ): Promise<FetchOutcome>;
}

export interface PredictionObserver {
  /** An answer that belongs to the prediction log. */
  served(event: PredictionServed, cause: Cause, trace: string | undefined): void;
  featuresWaited(endpoint: string, seconds: number): void;
  fallback(endpoint: string, reason: FallbackReason): void;
  versionFailed(endpoint: string, version: number, assigned: boolean, error: unknown): void;
  /** Guardrails found an answer doubtful. */
  guarded(endpoint: string, breaches: readonly Breach[]): void;
  /** A version of a rollout was asked; `error`: why it gave no score. */
  versionAsked(rollout: Deployment, version: number, error: unknown): void;
}

export interface Answer {
  readonly response: PredictResponse;
  /** Undefined for a fallback. */
  readonly version: ServedVersion | undefined;
}

interface Evidence {
  /** W3C trace context of the request, when it has one. */
  readonly trace: string | undefined;
  readonly startedAt: number;
  readonly shadows: Shadows;
  readonly vector?: FeatureVector | undefined;
  /** Of the vector, where they are not the champion's. */
  readonly names?: readonly string[];
  readonly breaches?: readonly Breach[];
  /** Scores of versions that were set aside by a guardrail. */
  readonly setAside?: readonly ShadowScore[];
}

const NO_INPUTS: InputPlan = { entities: [], requestFields: [], features: [], names: [] };

/** What stays of the caller's deadline for the model and the answer. */
const ANSWER_RESERVE_MS = 20;

export class AnswerPrediction {
  constructor(
    private readonly table: ServingTable,
    private readonly features: Features,
    private readonly observer: PredictionObserver,
    private readonly personal: PersonalData,
    private readonly nowMicros: () => number,
  ) {}

  /** `trace`: W3C trace context that the request belongs to. */
  async answer(request: PredictRequest, remainingMs: number, trace?: string): Promise<Answer> {
    const startedAt = performance.now();
    const withoutModel = this.table.fallbackWithoutModel(request.endpoint);
    if (withoutModel) {
      checkPredictRequest(request, NO_INPUTS, withoutModel.joinKey);
      const evidence = { trace, startedAt, shadows: new Shadows() };
      return this.fallBack(request, withoutModel, 'model_error', 'no version is loaded', evidence);
    }
    const active = this.table.require(request.endpoint);
    active.enter();
    const shadows = new Shadows();
    try {
      return await this.answerWith(active, request, remainingMs, { trace, startedAt, shadows });
    } finally {
      shadows.whenDone(() => active.leave());
    }
  }

  private async answerWith(
    active: ActiveDeployment,
    request: PredictRequest,
    remainingMs: number,
    evidence: Evidence,
  ): Promise<Answer> {
    const { deployment, champion } = active;
    const { shadows } = evidence;
    if (champion.inputs.features.length === 0) {
      const message = `endpoint ${deployment.endpoint} serves a model without features: ask it by ModelInfer`;
      throw new DomainError('precondition', 'no_features', message);
    }
    checkPredictRequest(request, champion.inputs, deployment.joinKey);
    const { sticky } = deployment;
    const assigned = active.route(sticky && unitOf(request, sticky.unit));
    const timeoutMs = Math.max(1, Math.min(deployment.featureTimeoutMs, remainingMs - ANSWER_RESERVE_MS));
    const deadlineMs = performance.now() + remainingMs;
    const ask = this.scorer(request, { timeoutMs, deadlineMs }, deployment, evidence.trace);
    const asked = new Map<ServedVersion, Scored | undefined>();
    const score = async (version: ServedVersion): Promise<Scored> => {
      asked.set(version, undefined);
      const scored = await ask(version);
      asked.set(version, scored);
      return scored;
    };
    // Whoever answers is first in line.
    const answer = score(assigned);
    if (deployment.paired) {
      for (const version of active.versions)
        if (version !== assigned && version.role !== 'fallback') shadows.add(version, score(version));
    }
    let answering = assigned;
    let scored = await answer;
    if (scored.kind !== 'score' && assigned !== champion) {
      // A canary is never the reason that somebody gets no answer.
      this.complain(deployment, assigned, scored, true);
      scored = await (shadows.take(champion) ?? score(champion));
      answering = champion;
    }
    shadows.onFailure((version, failed) => this.complain(deployment, version, failed, false));
    if (deployment.rolloutId !== '') {
      shadows.whenDone(() => {
        for (const { version, error } of tallied(asked, champion)) {
          this.observer.versionAsked(deployment, version.number, error);
        }
      });
    }
    switch (scored.kind) {
      case 'score':
        return this.guard(active, request, scored, ask, evidence);
      case 'refused':
        throw new DomainError('invalid', 'features_refused', `the feature store refuses it: ${scored.message}`);
      case 'no-features':
        return this.fallBack(request, deployment, scored.reason, scored.message, {
          ...evidence,
          vector: scored.vector,
        });
      case 'model-failed':
        this.observer.versionFailed(deployment.endpoint, answering.number, true, scored.error);
        if (scored.error instanceof DomainError && deployment.fallback === undefined) throw scored.error;
        return this.fallBack(request, deployment, 'model_error', 'the model gave no answer', evidence);
    }
  }

  /** What the endpoint wants done about a doubtful answer. */
  private async guard(
    { deployment, standIn }: ActiveDeployment,
    request: PredictRequest,
    scored: Extract<Scored, { kind: 'score' }>,
    score: (version: ServedVersion) => Promise<Scored>,
    evidence: Evidence,
  ): Promise<Answer> {
    const { version, output, vector } = scored;
    const { guardrails } = deployment;
    const { names } = version.inputs;
    const doubtful = { names, values: vector.values, ranges: version.ranges, task: version.task, output };
    const breaches = guardrails ? breachesOf(guardrails, doubtful) : [];
    if (breaches.length === 0) return this.respond(request, deployment, scored, evidence);
    this.observer.guarded(deployment.endpoint, breaches);
    const action = strictest(breaches);
    const reasons = breaches.map(({ guardrail, reason }) => `${guardrail}: ${reason}`).join('; ');
    if (action === 'refuse') throw new DomainError('precondition', 'guardrail', `no answer is given: ${reasons}`);
    // Nobody stands in for itself.
    if (action === 'flag' || (action === 'fallback-model' && standIn === version)) {
      return this.respond(request, deployment, scored, { ...evidence, breaches });
    }
    const aside = { ...evidence, vector, names, breaches, setAside: [{ version: version.number, output }] };
    if (action === 'fallback-model' && standIn) {
      const instead = await score(standIn);
      if (instead.kind === 'score') return this.respond(request, deployment, instead, aside);
      this.complain(deployment, standIn, instead, true);
    }
    return this.fallBack(request, deployment, 'guardrail', reasons, aside);
  }

  /** Scores one version; versions that are asked alike share one fetch of the features. */
  private scorer(
    request: PredictRequest,
    { timeoutMs, deadlineMs }: { readonly timeoutMs: number; readonly deadlineMs: number },
    deployment: Deployment,
    trace: string | undefined,
  ): (version: ServedVersion) => Promise<Scored> {
    const fetched = new Map<InputPlan, Promise<FetchOutcome>>();
    const { entities, request: fields, asOfMicros } = request;
    const fetch = async (plan: InputPlan): Promise<FetchOutcome> => {
      const from = performance.now();
      const outcome = await this.features.fetch(plan, { entities, request: fields, asOfMicros }, timeoutMs, trace);
      this.observer.featuresWaited(deployment.endpoint, (performance.now() - from) / 1_000);
      return outcome;
    };
    return async (version) => {
      const gap = gapIn(request, version.inputs);
      if (gap !== undefined) return { kind: 'refused', message: gap };
      let fetching = fetched.get(version.inputs);
      if (!fetching) fetched.set(version.inputs, (fetching = fetch(version.inputs)));
      const outcome = await fetching;
      const failure = failureOf(outcome);
      if (failure) return failure;
      if (outcome.kind !== 'features') return { kind: 'refused', message: 'unknown outcome' };
      try {
        const { vector } = outcome;
        const outputs = await version.loaded.batcher.infer(Float32Array.from(vector.values), 1, deadlineMs);
        return { kind: 'score', version, output: scoreOf(outputs, version.task), vector };
      } catch (error) {
        return { kind: 'model-failed', error };
      }
    };
  }

  private complain(deployment: Deployment, version: ServedVersion, scored: Scored, assigned: boolean): void {
    if (scored.kind === 'score' || scored.kind === 'no-features') return;
    const error = scored.kind === 'model-failed' ? scored.error : new Error(scored.message);
    this.observer.versionFailed(deployment.endpoint, version.number, assigned, error);
  }

  private respond(
    request: PredictRequest,
    deployment: Deployment,
    { version, output, vector }: Extract<Scored, { kind: 'score' }>,
    evidence: Evidence,
  ): Answer {
    const { names } = version.inputs;
    const response: PredictResponse = {
      predictionId: request.predictionId || randomUUID(),
      output,
      model: deployment.model,
      version: version.number,
      assignment: version.role,
      features: names.map((name, index) => ({
        name,
        value: vector.values[index] ?? NaN,
        status: vector.statuses[index] ?? FeatureStatus.UNSPECIFIED,
      })),
      fallback: false,
      fallbackReason: '',
      guardrails: [...(evidence.breaches ?? [])],
    };
    this.log(request, response, deployment, names, { ...evidence, vector });
    return { response, version };
  }

  private fallBack(
    request: PredictRequest,
    deployment: Deployment,
    reason: FallbackReason,
    message: string,
    evidence: Evidence,
  ): Answer {
    if (deployment.fallback === undefined) {
      throw new DomainError('unavailable', reason, `${message}; endpoint ${deployment.endpoint} declares no fallback`);
    }
    this.observer.fallback(deployment.endpoint, reason);
    const response: PredictResponse = {
      predictionId: request.predictionId || randomUUID(),
      output: deployment.fallback,
      model: deployment.model,
      version: 0,
      assignment: '',
      features: [],
      fallback: true,
      fallbackReason: reason,
      guardrails: [...(evidence.breaches ?? [])],
    };
    const known = evidence.names ?? deployment.champion.signature.features.map(({ name }) => name);
    const names = evidence.vector ? known : [];
    this.log(request, response, deployment, names, evidence);
    return { response, version: undefined };
  }

  /** The caller has its answer before the other versions have theirs. */
  private log(
    request: PredictRequest,
    response: PredictResponse,
    deployment: Deployment,
    featureNames: readonly string[],
    { trace, vector, startedAt, shadows, setAside = [] }: Evidence,
  ): void {
    if (!isLogged(response.predictionId, deployment.logSampleRate)) return;
    const servedAtMicros = this.nowMicros();
    const event: PredictionServed = {
      predictionId: response.predictionId,
      endpoint: deployment.endpoint,
      model: deployment.model,
      version: response.version,
      assignment: response.assignment,
      joinKey: joinKeyOf(request, deployment.joinKey),
      asOfMicros: request.asOfMicros || (vector?.asOfMicros ?? servedAtMicros),
      servedAtMicros,
      featureNames: [...featureNames],
      featureValues: vector?.values ?? [],
      featureStatuses: vector?.statuses ?? [],
      watermarkMicros: vector?.watermarkMicros ?? 0,
      entities: request.entities,
      request: request.request,
      output: response.output,
      shadowScores: [],
      fallback: response.fallback,
      fallbackReason: response.fallbackReason,
      latencyMicros: Math.round((performance.now() - startedAt) * 1_000),
      deploymentGeneration: deployment.generation,
      rolloutId: deployment.rolloutId,
      guardrails: response.guardrails,
    };
    shadows.whenDone((shadowScores) => {
      event.shadowScores = [...setAside, ...shadowScores];
      this.observer.served(this.personal.treat(deployment, event), deployment.cause, trace);
    });
  }
}

/** Why features cannot be used: every one of them must be exact. MISSING is exact: there is no value. */
function failureOf(outcome: FetchOutcome): Exclude<Scored, { kind: 'score' | 'model-failed' }> | undefined {
  switch (outcome.kind) {
    case 'refused':
      return outcome;
    case 'late':
      return { kind: 'no-features', reason: 'feature_timeout', message: 'the features did not come in time' };
    case 'away':
      return { kind: 'no-features', reason: 'feature_store_unavailable', message: outcome.message };
    case 'features': {
      const { vector } = outcome;
      if (vector.statuses.includes(FeatureStatus.EXPIRED)) {
        const message = 'as_of lies before what the feature store keeps online';
        return { kind: 'no-features', reason: 'feature_expired', message, vector };
      }
      if (vector.statuses.includes(FeatureStatus.STALE)) {
        const message = 'the features were not known up to as_of in time';
        return { kind: 'no-features', reason: 'feature_timeout', message, vector };
      }
      return undefined;
    }
  }
}
