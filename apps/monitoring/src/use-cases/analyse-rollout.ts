import { events } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { nowMicros } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { recordDecision } from '../database/decisions.repository';
import type { Deployment, RunningRollout } from '../database/deployments.repository';
import { labelPublished, lastPair, readPairs } from '../database/outcomes.repository';
import { findPredictionRef, firstOfRollout } from '../database/predictions.repository';
import { readAnalysis, saveAnalysis, type RolloutAnalysis } from '../database/rollout-analyses.repository';
import { labelHorizon, type Progress } from '../domain/progress';
import { analyse, beginAnalysis, closedBucketsEnd, type AnalysisState, type Verdict } from '../domain/rollout-analysis';
import type { WatchedMonitor } from '../watched-monitors';

/** As a decided step: there is nothing more to say about the rollout. */
const ROLLED_BACK = 2_147_483_647;

export type AnalysedRollout =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'analysed'; readonly state: AnalysisState; readonly verdict: Verdict | undefined };

/** Takes in the labels that came since, and gives at most one verdict for a step of a rollout. */
@Injectable()
export class AnalyseRollout {
  async run(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    progress: Progress,
  ): Promise<AnalysedRollout> {
    const { rollout } = deployment;
    const rules = monitor.rollout.analysis;
    const horizon = labelHorizon(progress);
    const closedTo = closedBucketsEnd(horizon, rules);
    if (!rollout || !Number.isFinite(closedTo)) return { kind: 'nothing' };
    const before = await this.known(transaction, monitor, rollout);
    if (!before || before.decidedStep === ROLLED_BACK || before.state.analysedToMicros >= closedTo) {
      return { kind: 'nothing' };
    }
    // A step that may pass is watched on until it ends: its pause protects no candidate that turns out worse.
    const mayPromote = !rollout.paused && before.decidedStep < rollout.step;
    const from = before.state.analysedToMicros;
    const pairs = await readPairs(
      transaction,
      monitor.source.id,
      rollout,
      Number.isFinite(from) ? from : undefined,
      closedTo,
    );
    const { state, verdict } = analyse(before.state, pairs, closedTo, horizon, rules, {
      mayPromote,
      mayExpire: before.decidedStep < rollout.step,
    });
    await saveAnalysis(transaction, {
      ...before,
      state,
      decidedStep: verdict ? (verdict.verdict === 'promote' ? rollout.step : ROLLED_BACK) : before.decidedStep,
    });
    if (verdict) await this.publish(transaction, monitor, deployment, rollout, verdict);
    return { kind: 'analysed', state, verdict };
  }

  private async known(
    transaction: Transaction,
    monitor: WatchedMonitor,
    rollout: RunningRollout,
  ): Promise<RolloutAnalysis | undefined> {
    const first = await firstOfRollout(transaction, rollout.rolloutId);
    const known = await readAnalysis(transaction, rollout.rolloutId);
    if (!known) {
      if (first === undefined) return undefined;
      const state = beginAnalysis(first);
      return { rolloutId: rollout.rolloutId, endpoint: monitor.endpoint, state, decidedStep: -1 };
    }
    const startMicros = Math.min(known.state.startMicros, first ?? Infinity);
    return { ...known, state: { ...known.state, startMicros } };
  }

  private async publish(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    rollout: RunningRollout,
    verdict: Verdict,
  ): Promise<void> {
    const { source } = monitor;
    const decidingId =
      verdict.decidingPredictionId ?? (await lastPair(transaction, source.id, rollout.rolloutId)) ?? '';
    const deciding = await findPredictionRef(transaction, decidingId);
    const { mean, low, high } = verdict.improvement;
    const eventId = transaction.publish(
      events.RolloutAnalysisCompleted,
      {
        model: deployment.model,
        endpoint: monitor.endpoint,
        rolloutId: rollout.rolloutId,
        candidateVersion: rollout.candidate,
        championVersion: rollout.champion,
        step: rollout.step,
        verdict: verdict.verdict === 'promote' ? RolloutVerdict.PROMOTE : RolloutVerdict.ROLL_BACK,
        improvement: { value: mean, low, high },
        loss: source.task === 'binary' ? 'brier' : 'squared_error',
        pairs: verdict.pairs,
        reason: verdict.reason,
        trigger: deciding?.ref,
      },
      { cause: deciding?.cause ?? deployment.cause },
    );
    await recordDecision(transaction, {
      eventId,
      monitor: '',
      endpoint: monitor.endpoint,
      type: events.RolloutAnalysisCompleted.type,
      recordPublishedMicros: (await labelPublished(transaction, source.id, decidingId)) ?? nowMicros(),
      summary: `${verdict.verdict} version ${rollout.candidate}: ${verdict.reason}`,
    });
  }
}
