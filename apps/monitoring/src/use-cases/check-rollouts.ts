// Rollouts whose candidate fails, or that nobody asks: decided without labels, whether a Monitor watches or not.
import { events } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { DefinitionReader } from '@headrace/definition-store';
import { MICROS, nowMicros } from '@headrace/event-time';
import { UNIT_OF_WORK, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { recordDecision } from '../database/decisions.repository';
import { readDeployment, readRollingOut, type Deployment } from '../database/deployments.repository';
import { forgetRollouts, readCheck, readScores, saveCheck } from '../database/rollout-scores.repository';
import type { Queries } from '../database/sql';
import { checkRollout, type CheckRules, type Finding } from '../domain/rollout-check';
import { verdictsTotal } from '../monitoring-metrics';

/** Reports of a rollout that ended may still be on their way for a while. */
const KEPT_MICROS = 7 * MICROS.d;
const FORGET_EVERY_MS = 600_000;

@Injectable()
export class CheckRollouts {
  private forgotAt = -Infinity;

  constructor(
    private readonly source: DataSource,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(): Promise<void> {
    const queries: Queries = { query: (sql, parameters) => this.source.query(sql, parameters && [...parameters]) };
    if (performance.now() - this.forgotAt > FORGET_EVERY_MS) {
      await forgetRollouts(queries, nowMicros() - KEPT_MICROS);
      this.forgotAt = performance.now();
    }
    const endpoints = await readRollingOut(queries);
    for (const endpoint of endpoints) {
      const rules = this.definitions.get('Endpoint', endpoint)?.definition.spec.rollout.analysis;
      if (!rules) continue;
      // One checker at a time, of all instances; not the lock of the windows, whose rounds may take long.
      await this.work.run(async (transaction) => {
        await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '/check'), 0)`);
        const deployment = await readDeployment(transaction, endpoint);
        if (deployment?.rollout) await this.check(transaction, deployment, deployment.rollout, rules);
      });
    }
  }

  private async check(
    transaction: Transaction,
    deployment: Deployment,
    rollout: NonNullable<Deployment['rollout']>,
    rules: CheckRules,
  ): Promise<void> {
    const { rolloutId, step } = rollout;
    const scores = await readScores(transaction, rolloutId);
    const scoresOf = (version: number) =>
      scores.find((one) => one.version === version) ?? { asked: 0, failed: 0, lastError: '' };
    const before = await readCheck(transaction, rolloutId);
    const checked = {
      step,
      stepStartedMicros: rollout.stepStartedMicros ?? 0,
      candidate: scoresOf(rollout.candidate),
      champion: scoresOf(rollout.champion),
      reportedMicros: Math.max(0, ...scores.map((one) => one.reportedMicros)),
      ...before,
    };
    const finding = checkRollout(checked, rules, nowMicros());
    if (finding.kind === 'nothing') return;
    await saveCheck(
      transaction,
      rolloutId,
      finding.kind === 'roll_back' ? { ...before, rolledBack: true } : { ...before, inconclusiveStep: step },
    );
    await this.publish(transaction, deployment, rollout, finding, checked.reportedMicros);
  }

  private async publish(
    transaction: Transaction,
    { endpoint, model, cause }: Deployment,
    { rolloutId, candidate, champion, step }: NonNullable<Deployment['rollout']>,
    { kind, reason }: Exclude<Finding, { kind: 'nothing' }>,
    reportedMicros: number,
  ): Promise<void> {
    const eventId = transaction.publish(
      events.RolloutAnalysisCompleted,
      {
        model,
        endpoint,
        rolloutId,
        candidateVersion: candidate,
        championVersion: champion,
        step,
        verdict: kind === 'roll_back' ? RolloutVerdict.ROLL_BACK : RolloutVerdict.INCONCLUSIVE,
        improvement: undefined,
        loss: '',
        pairs: 0,
        reason,
        trigger: undefined,
      },
      { cause },
    );
    await recordDecision(transaction, {
      eventId,
      monitor: '',
      endpoint,
      type: events.RolloutAnalysisCompleted.type,
      recordPublishedMicros: reportedMicros || nowMicros(),
      summary: `${kind} version ${candidate}: ${reason}`,
    });
    verdictsTotal.inc({ endpoint, verdict: kind });
    this.logger.info({ endpoint, rolloutId, step, kind, reason }, 'verdict about the rollout without labels');
  }
}
