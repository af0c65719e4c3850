import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@headrace/contracts';
import { LOGGER, SETTINGS, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { ClaimsRepository, type Claim } from '../database/claims.repository';
import type { TrainingSettings } from '../training.config';
import type { RunRow } from '../database/run.table';
import { TabularTrainer, type PreparedFit } from '../trainer/tabular-trainer';
import { FitRun } from '../use-cases/fit-run';

const POLL_MS = 250;
const PAUSE_AFTER_FAULT_MS = 1_000;
const HEARTBEAT_MS = 500;

/** Why a worker may not go on with its run. */
type Loss = 'run-ended' | 'session-lost';

/**
 * Fits runs that are in state `fitting`, each by one worker at a time. Where this process ends in between, however, the
 * next one goes on: with the result when the trainer had finished, else with the fit.
 */
@Injectable()
export class FitWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private working: Promise<void>[] = [];

  constructor(
    private readonly claims: ClaimsRepository,
    private readonly fitRun: FitRun,
    private readonly trainer: TabularTrainer,
    @Inject(SETTINGS) private readonly settings: TrainingSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.trainer.clearAllBut(await this.claims.unfinished());
    this.working = Array.from({ length: this.settings.TRAINING_CONCURRENCY }, () => this.work());
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.working);
  }

  private async work(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let pause = POLL_MS;
      try {
        const claim = await this.claims.take();
        if (claim) {
          await this.workOn(claim);
          pause = 0;
        }
      } catch (error) {
        this.logger.error({ err: error }, 'a training worker met a fault and goes on');
        pause = PAUSE_AFTER_FAULT_MS;
      }
      if (pause > 0) await this.pause(pause);
    }
  }

  /** Ends at once when the service stops. */
  private async pause(milliseconds: number): Promise<void> {
    const { signal } = this.stopping;
    await delay(milliseconds, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  private async workOn(claim: Claim): Promise<void> {
    const lost = new AbortController();
    const heart = setInterval(() => {
      claim.beat().then(
        (isHeld) => isHeld || lost.abort('run-ended' satisfies Loss),
        (error: unknown) => {
          this.logger.warn({ err: error, runId: claim.runId }, 'the claim of a run is lost with its session');
          lost.abort('session-lost' satisfies Loss);
        },
      );
    }, HEARTBEAT_MS);
    try {
      const run = await this.fitRun.open(claim);
      if (run) await this.fit(claim, run, AbortSignal.any([this.stopping.signal, lost.signal]));
    } finally {
      clearInterval(heart);
      await claim.release();
    }
  }

  private async fit(claim: Claim, run: RunRow, signal: AbortSignal): Promise<void> {
    const { runId } = run;
    try {
      const prepared = await this.trainer.prepare(run);
      const result = prepared.finished ?? (await this.runTrainer(claim, prepared, signal));
      if (!result || !(await this.fitRun.fitted(claim, result))) return;
      const artifacts = await this.trainer.store(prepared, result);
      await this.fitRun.register(claim, result, artifacts);
      await this.trainer.clear(runId);
    } catch (error) {
      const { code, message, retriable } = failureOfFault(error);
      this.logger.error({ err: error, runId }, 'a run could not be fitted');
      if (await this.fitRun.fail(claim, { code, message, retriable })) await this.trainer.clear(runId);
    }
  }

  private async runTrainer(claim: Claim, prepared: PreparedFit, signal: AbortSignal) {
    const { runId } = claim;
    if (!(await this.fitRun.begin(claim))) return undefined;
    const outcome = await this.trainer.fit(prepared, signal, ({ step, message }) => {
      this.logger.info({ runId, step }, message);
      this.claims
        .note(runId, `${step}: ${message}`)
        .catch((error: unknown) => this.logger.warn({ err: error, runId }, 'the progress of a run was not kept'));
    });
    if (outcome.kind === 'fitted') return outcome.result;
    if (outcome.kind === 'interrupted') {
      this.logger.info({ runId, why: String(signal.reason) }, 'the trainer was ended');
      // A cancelled run leaves nothing; one that is only interrupted goes on later.
      if (signal.reason === ('run-ended' satisfies Loss)) await this.trainer.clear(runId);
      return undefined;
    }
    if (await this.fitRun.fail(claim, outcome.failure)) await this.trainer.clear(runId);
    return undefined;
  }
}

/** Disk full, an artifact that is missing or spoilt: what went wrong around the trainer. */
function failureOfFault(error: unknown): { code: string; message: string; retriable: boolean } {
  if (error instanceof DomainError) return { code: error.code, message: error.message, retriable: error.retriable };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'fit_failed', message, retriable: true };
}
