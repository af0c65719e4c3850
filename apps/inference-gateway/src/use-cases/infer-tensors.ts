// Answers one request of the Open Inference Protocol, however it came: routing, the model, the champion when a canary fails,
// the guardrails, and what is counted. The hottest path: no promise of its own, nothing looked up twice.
import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import type { Deployment } from '../domain/deployment';
import { breachesOfRows, strictest, type Breach, type GuardrailRules } from '../domain/guardrails';
import type { TensorRequest } from '../open-inference/tensor-request';
import { readInputs } from '../open-inference/read-inputs';
import { requestedOutputs } from '../open-inference/write-outputs';
import type { Caller, InferenceDone } from '../models/micro-batcher';
import { rowElements, type Outputs, type OutputSpec, type PackedRows } from '../models/tensors';
import type { ActiveDeployment, ServedVersion } from '../serving/active-deployment';
import type { ServingTable } from '../serving/serving-table';

export interface TensorAnswer {
  readonly endpoint: string;
  /** Version that answered. */
  readonly version: number;
  readonly outputs: Outputs;
  /** The outputs that were asked for, in the asked order. */
  readonly wanted: readonly OutputSpec[];
  /** Guardrails that acted; empty: none. */
  readonly guardrails: readonly Breach[];
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
  /** Value of a parameter of the request as text; undefined: it has none of this name. */
  parameter(name: string): string | undefined;
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
  /** Guardrails found an answer doubtful. */
  guarded(endpoint: string, breaches: readonly Breach[]): void;
  /** A version of a rollout was asked; `error`: why it gave no answer. */
  versionAsked(rollout: Deployment, version: number, error: unknown): void;
}

const NO_BREACHES: readonly Breach[] = [];

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
      version = call.version === '' ? routed(active, call) : versionOf(active, call.version);
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
        const { guardrails } = active.deployment;
        // What stands in for a doubtful answer is not looked at again.
        const found = guardrails && !asked.standingIn ? doubts(guardrails, version, packed, outputs) : NO_BREACHES;
        if (found.length === 0 || this.isAnsweredAnyway(asked, version, found)) {
          const { endpoint } = active.deployment;
          const breaches = asked.breaches;
          asked.call.answer({ endpoint, version: version.number, outputs, wanted, guardrails: breaches });
          asked.observer.answered(active, version, packed.rows, (performance.now() - asked.startedAt) / 1_000);
        }
        this.tell(asked, version, undefined);
      } catch (failure) {
        this.recover(asked, version, failure);
      } finally {
        active.leave();
      }
    };
    batcher.submit(packed, done, asked.call.deadlineMs, asked.call.caller);
  }

  /**
   * What the endpoint wants done about a doubtful answer: true = it is given, with its reasons. Otherwise the version that
   * stands in is asked, or the request is refused: the declared number is no tensor, and who asks for a version by its number
   * gets no other.
   */
  private isAnsweredAnyway(asked: Asked, version: ServedVersion, breaches: readonly Breach[]): boolean {
    const { call, observer, active, startedAt } = asked;
    observer.guarded(active.deployment.endpoint, breaches);
    asked.breaches = breaches;
    const action = strictest(breaches);
    const { standIn } = active;
    // Nobody stands in for itself.
    if (action === 'flag' || (action === 'fallback-model' && standIn === version)) return true;
    if (action === 'fallback-model' && standIn && call.version === '') {
      asked.standingIn = true;
      this.askInstead(asked, standIn);
      return false;
    }
    const reasons = breaches.map(({ guardrail, reason }) => `${guardrail}: ${reason}`).join('; ');
    const refusal = new DomainError('precondition', 'guardrail', `no answer is given: ${reasons}`);
    refuse(call, observer, active, version, refusal, startedAt);
    return false;
  }

  /** For monitoring: how the versions of a rollout fare. What no version could have answered is nobody's failure. */
  private tell({ observer, active: { deployment } }: Asked, version: ServedVersion, error: unknown): void {
    if (deployment.rolloutId === '') return;
    if (error instanceof DomainError && (error.kind === 'invalid' || error.code === 'cancelled')) return;
    observer.versionAsked(deployment, version.number, error);
  }

  /** A canary is never the reason that somebody gets no answer, unless it was asked for by its number. */
  private recover(asked: Asked, version: ServedVersion, failure: unknown): void {
    const { call, observer, active, startedAt } = asked;
    const { endpoint } = active.deployment;
    observer.versionFailed(endpoint, version.number);
    this.tell(asked, version, failure);
    if (version === active.champion || call.version !== '' || asked.standingIn) {
      refuse(call, observer, active, version, failure, startedAt);
      return;
    }
    observer.canaryFailed(endpoint, version.number, failure);
    this.askInstead(asked, active.champion);
  }

  private askInstead(asked: Asked, version: ServedVersion): void {
    try {
      this.ask(asked, version);
    } catch (error) {
      refuse(asked.call, asked.observer, asked.active, version, error, asked.startedAt);
    }
  }
}

class Asked {
  /** Of the answer that is given, or of the one that another stands in for. */
  breaches: readonly Breach[] = NO_BREACHES;
  /** A version answers in place of a doubtful answer. */
  standingIn = false;

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

function routed(active: ActiveDeployment, call: TensorCall): ServedVersion {
  const { sticky } = active.deployment;
  return sticky ? active.route(call.parameter(sticky.unit)) : active.route();
}

/**
 * For versions that take features by the trainer's contract, one FP32 tensor of [N, features]. Others have no profile, and no
 * output that is known to be a score.
 */
function doubts(
  rules: GuardrailRules,
  { inputs: { names }, ranges, task, loaded }: ServedVersion,
  { rows, bytes }: PackedRows,
  outputs: Outputs,
): readonly Breach[] {
  const [input, ...others] = loaded.model.inputs;
  if (!input || others.length > 0 || input.datatype !== 'FP32' || rowElements(input) !== names.length)
    return NO_BREACHES;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const values = new Float32Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, rows * names.length);
  const scores = Array.from({ length: rows }, (_, row) => Number(outputs['probabilities']?.data[2 * row + 1] ?? NaN));
  return breachesOfRows(rules, { rows, names, values, ranges, task, outputs: scores });
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
