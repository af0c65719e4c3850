import { events } from '@headrace/contracts';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { nowMicros } from '@headrace/event-time';
import { UNIT_OF_WORK, type Cause, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { Claim } from '../database/claims.repository';
import { InputsRepository } from '../database/inputs.repository';
import { RunRow, RunStepRow } from '../database/run.table';
import { RunsRepository } from '../database/runs.repository';
import { comparableChampion } from '../domain/signature';
import { estimates, improvementOf, type TrainerResult } from '../domain/trainer-contract';
import { nextAttempt, type AttemptFailure } from '../domain/trainer-outcome';
import type { TrainedArtifacts } from '../trainer/tabular-trainer';
import { runsFinished, stepSeconds } from '../training-metrics';
import { AdvancePlan } from './advance-plan';
import { EndRun } from './end-run';
import { takeRunLock } from './run-lock';

/** The transactions of a fit. Each answers undefined or false when the claim is no longer good: then nothing is written. */
@Injectable()
export class FitRun {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly runs: RunsRepository,
    private readonly inputs: InputsRepository,
    private readonly endRun: EndRun,
    private readonly advancePlan: AdvancePlan,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The run, with the champion that all its attempts are compared with. */
  open(claim: Claim): Promise<RunRow | undefined> {
    return this.ifHeld(claim, async (transaction, run) => {
      if (run.isChampionFixed) return run;
      const champion = await this.inputs.champion(transaction, run.model);
      run.champion = comparableChampion(champion, run.columns ?? []) ?? null;
      run.isChampionFixed = true;
      await transaction.manager.save(run);
      return run;
    });
  }

  /** A trainer is about to run. */
  begin(claim: Claim): Promise<boolean | undefined> {
    return this.ifHeld(claim, async (transaction, run) => {
      const { runId, plan } = run;
      const fit = await transaction.manager.findOneByOrFail(RunStepRow, { runId, name: 'fit' });
      await this.runs.beginStep(transaction, runId, 'fit', nowMicros());
      if (fit.attempts === 0) {
        transaction.publish(events.TrainingStarted, { runId, plan, step: 'fit' }, { cause: causeOfFit(run) });
      }
      return true;
    });
  }

  /** The trainer has succeeded; its files are about to be taken in. */
  fitted(claim: Claim, result: TrainerResult): Promise<boolean | undefined> {
    return this.ifHeld(claim, async (transaction, { runId }) => {
      const at = nowMicros();
      const message = `fitted on ${result.rows.registered} rows, measured on ${result.rows.validation}`;
      await this.runs.endStep(transaction, runId, 'fit', message, at);
      await this.runs.beginStep(transaction, runId, 'register', at);
      return true;
    });
  }

  /** The end: ModelTrained and the state of the run in one transaction. */
  async register(claim: Claim, result: TrainerResult, artifacts: TrainedArtifacts): Promise<void> {
    const steps = await this.ifHeld(claim, async (transaction, run) => {
      await this.runs.endStep(transaction, run.runId, 'register', artifacts.model.digest, nowMicros());
      run.claim = null;
      await this.runs.advance(transaction, run, 'done');
      transaction.publish(events.ModelTrained, modelTrained(run, result, artifacts), { cause: causeOfFit(run) });
      await this.advancePlan.run(transaction, run.plan);
      runsFinished.inc({ plan: run.plan, outcome: 'done' });
      this.logger.info({ runId: run.runId, plan: run.plan, model: run.model }, 'model trained');
      return this.runs.steps(transaction, run.runId);
    });
    for (const step of steps ?? []) {
      if (step.startedAtMicros === null || step.finishedAtMicros === null) continue;
      stepSeconds.observe({ step: step.name }, (step.finishedAtMicros - step.startedAtMicros) / 1e6);
    }
  }

  /** True: the run is over, its files are not needed any more. */
  async fail(claim: Claim, failure: AttemptFailure): Promise<boolean> {
    const over = await this.ifHeld(claim, async (transaction, run) => {
      const next = nextAttempt(failure, run.failures + 1, run.planDocument?.spec.attempts ?? 1);
      run.failures += 1;
      if (next.kind === 'give-up') {
        await this.endRun.run(transaction, run, 'failed', next, causeOfFit(run));
        return true;
      }
      run.nextAttemptAtMicros = nowMicros() + next.afterMs * 1_000;
      run.claim = null;
      await transaction.manager.save(run);
      await transaction.manager.update(
        RunStepRow,
        { runId: run.runId, name: 'fit' },
        { message: `${failure.code}: ${failure.message}; another attempt follows` },
      );
      this.logger.warn({ runId: run.runId, ...failure, next }, 'an attempt to train failed');
      return false;
    });
    return over ?? true;
  }

  private ifHeld<R>(claim: Claim, work: (transaction: Transaction, run: RunRow) => Promise<R>): Promise<R | undefined> {
    return this.work.run(async (transaction) => {
      await takeRunLock(transaction);
      const run = await this.runs.find(transaction, claim.runId);
      return run?.state === 'fitting' && run.claim === claim.token ? work(transaction, run) : undefined;
    });
  }
}

function causeOfFit(run: RunRow): Cause {
  return run.featuresEvent ?? run.cause;
}

function modelTrained(run: RunRow, result: TrainerResult, artifacts: TrainedArtifacts): ModelTrained {
  return {
    runId: run.runId,
    plan: run.plan,
    planVersion: run.planVersion,
    model: run.model,
    modelArtifact: artifacts.model,
    profileArtifact: artifacts.profile,
    resultArtifact: artifacts.result,
    signature: {
      task: result.task,
      inputs: result.signature.inputs,
      outputs: result.signature.outputs,
      features: run.columns ?? [],
    },
    metrics: estimates(result.metrics.validation),
    championVersion: result.champion?.version ?? '',
    championMetrics: estimates(result.champion?.metrics ?? {}),
    improvement: improvementOf(result),
    datasets: run.datasets,
    trainingSet: run.trainingSet ?? undefined,
    featureViews: run.featureViews,
    seed: result.seed,
    environmentDigest: result.environment.lock_digest ?? '',
    trainingRows: result.rows.registered,
    validationRows: result.rows.validation,
    trainFromMicros: result.event_time.train_from,
    trainToMicros: result.event_time.registered_to,
    shuffleLabels: result.shuffle_labels,
    parityMaxAbsDifference: result.parity.max_abs_difference,
    trigger: run.trigger,
  };
}
