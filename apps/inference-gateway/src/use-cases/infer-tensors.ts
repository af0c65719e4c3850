// Answers one request of the Open Inference Protocol, however it came: routing, the model, the champion when a canary fails,
// and what is counted. The hottest path: no promise of its own, nothing looked up twice.
import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import type { TensorRequest } from '../open-inference/tensor-request';
import { readInputs } from '../open-inference/read-inputs';
import { requestedOutputs } from '../open-inference/write-outputs';
import type { Caller, InferenceDone } from '../models/micro-batcher';
import type { Outputs, OutputSpec } from '../models/tensors';
import type { ActiveDeployment, ServedVersion } from '../serving/active-deployment';
import type { ServingTable } from '../serving/serving-table';

export interface TensorAnswer {
  readonly endpoint: string;
  /** Version that answered. */
  readonly version: number;
  readonly outputs: Outputs;
  /** The outputs that were asked for, in the asked order. */
  readonly wanted: readonly OutputSpec[];
}

/** One request in the hands of its protocol. Exactly one of `answer` and `fail` is called; neither keeps anybody waiting. */
export interface TensorCall {
  /** Name of an endpoint. */
  readonly model: string;
  /** Number of a version; empty: the routing decides. */
  readonly version: string;
  /** The caller's deadline, a moment of performance.now(). Absent: there is none. */
  readonly deadlineMs?: number;
  /** Knows whether somebody still waits. */
  readonly caller?: Caller;
  /** Throws `invalid`. Called once for each version that is asked. */
  request(): TensorRequest;
  answer(answer: TensorAnswer): void;
  fail(error: unknown): void;
}

export interface TensorObserver {
  /** `active` and `version` as far as they were found. */
  answered(active: ActiveDeployment, version: ServedVersion, rows: number, seconds: number): void;
  refused(
    active: ActiveDeployment | undefined,
    version: ServedVersion | undefined,
    error: unknown,
    seconds: number,
  ): void;
  canaryFailed(endpoint: string, version: number, error: unknown): void;
  versionFailed(endpoint: string, version: number): void;
}

export class InferTensors {
  constructor(
    private readonly table: ServingTable,
    private readonly maxRows: number,
  ) {}

  infer(call: TensorCall, observer: TensorObserver): void {
    const startedAt = performance.now();
    let active: ActiveDeployment | undefined;
    let version: ServedVersion | undefined;
    try {
      active = this.table.require(call.model);
      version = call.version === '' ? active.route() : versionOf(active, call.version);
      this.ask(new Asked(call, observer, active, startedAt), version);
    } catch (error) {
      refuse(call, observer, active, version, error, startedAt);
    }
  }

  private ask(asked: Asked, version: ServedVersion): void {
    const { model, batcher } = version.loaded;
    const request = asked.call.request();
    const wanted = requestedOutputs(request, model.outputs);
    const packed = readInputs(request, model, this.maxRows);
    const { active } = asked;
    active.enter();
    const done: InferenceDone = (error, outputs) => {
      try {
        if (!outputs) throw error;
        asked.call.answer({ endpoint: active.deployment.endpoint, version: version.number, outputs, wanted });
        asked.observer.answered(active, version, packed.rows, (performance.now() - asked.startedAt) / 1_000);
      } catch (failure) {
        this.recover(asked, version, failure);
      } finally {
        active.leave();
      }
    };
    batcher.submit(packed, done, asked.call.deadlineMs, asked.call.caller);
  }

  /** A canary is never the reason that somebody gets no answer, unless it was asked for by its number. */
  private recover(asked: Asked, version: ServedVersion, failure: unknown): void {
    const { call, observer, active, startedAt } = asked;
    const { endpoint } = active.deployment;
    observer.versionFailed(endpoint, version.number);
    if (version === active.champion || call.version !== '') {
      refuse(call, observer, active, version, failure, startedAt);
      return;
    }
    observer.canaryFailed(endpoint, version.number, failure);
    try {
      this.ask(asked, active.champion);
    } catch (error) {
      refuse(call, observer, active, active.champion, error, startedAt);
    }
  }
}

class Asked {
  constructor(
    readonly call: TensorCall,
    readonly observer: TensorObserver,
    readonly active: ActiveDeployment,
    readonly startedAt: number,
  ) {}
}

function refuse(
  call: TensorCall,
  observer: TensorObserver,
  active: ActiveDeployment | undefined,
  version: ServedVersion | undefined,
  error: unknown,
  startedAt: number,
): void {
  observer.refused(active, version, error, (performance.now() - startedAt) / 1_000);
  call.fail(error);
}

/** Throws `not-found`. */
export function versionOf(active: ActiveDeployment, number: string): ServedVersion {
  const version = active.version(number);
  if (version) return version;
  const loaded = answering(active)
    .map((one) => one.number)
    .join(', ');
  const message = `endpoint "${active.deployment.endpoint}" has no loaded version "${number.slice(0, 100)}": loaded are ${loaded}`;
  throw new DomainError('not-found', 'unknown_version', message);
}

/** Not the shadows: their answers are returned to nobody. */
export function answering({ versions }: ActiveDeployment): readonly ServedVersion[] {
  return versions.filter(({ role }) => role !== 'shadow');
}
