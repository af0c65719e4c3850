import { events } from '@headrace/contracts';
import { nowMicros } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { readPublished, recordDecision } from '../database/decisions.repository';
import type { Deployment } from '../database/deployments.repository';
import { readStates } from '../database/monitor-states.repository';
import {
  forgetWithheld,
  isRequestOpen,
  readRequestHistory,
  saveRequest,
  saveWithheld,
} from '../database/retraining.repository';
import type { Queries } from '../database/sql';
import { driftHorizon, type Progress } from '../domain/progress';
import {
  decideRetraining,
  type Held,
  type Obstacle,
  type RetrainingDecision,
  type RetrainingRules,
  type Signal,
} from '../domain/retraining-policy';
import type { WatchedMonitor } from '../watched-monitors';

/** A request that no training run answered within this time of the wall clock no longer stands in the way of others. */
const UNANSWERED_MS = 600_000;

/** The policy forbids it for now, which people are told; the other obstacles are the loop at work. */
const TOLD: ReadonlySet<Obstacle> = new Set(['quiet_hours', 'person_needed']);

/** What the policy of the monitor says now; undefined: it has none. Changes nothing. */
export async function readRetraining(
  queries: Queries,
  monitor: WatchedMonitor,
  deployment: Deployment,
  progress: Progress,
): Promise<RetrainingDecision | undefined> {
  const rules = monitor.spec.retraining;
  if (!rules) return undefined;
  const states = (await readStates(queries, monitor.name)).filter(
    (state) => state.version === deployment.championVersion,
  );
  const history = await readRequestHistory(queries, monitor.name, monitor.model);
  const nowEventMicros = Math.max(...states.map((state) => state.lastEndMicros ?? -Infinity));
  const horizon = driftHorizon(progress);
  const retraining = decideRetraining(rules, {
    standing: states.flatMap((state) => state.signal ?? []),
    nowEventMicros,
    eventClockMicros: Number.isFinite(horizon) ? Math.max(horizon, nowEventMicros) : nowEventMicros,
    wallClockMicros: nowMicros(),
    lastRequestEventMicros: history.lastEventMicros,
    requestsWithinDay: history.withinDay,
    requestsWithoutPerson: history.withoutPerson,
    rolloutInProgress: deployment.rollout !== undefined,
    requestOpen: await isRequestOpen(queries, monitor.model, UNANSWERED_MS),
  });
  return { rules, retraining, requestsWithoutPerson: history.withoutPerson, nowEventMicros };
}

/** Asks for a new version when the monitor's policy says so, or tells why it does not. */
@Injectable()
export class RequestRetraining {
  /** Undefined: the monitor has no policy. */
  async run(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    progress: Progress,
  ): Promise<RetrainingDecision | undefined> {
    const decision = await readRetraining(transaction, monitor, deployment, progress);
    if (!decision) return undefined;
    const { rules, retraining, nowEventMicros } = decision;
    if (retraining.kind === 'held' && TOLD.has(retraining.why)) {
      await this.tellHeld(transaction, monitor, rules, retraining);
    }
    if (retraining.kind !== 'request') return decision;
    const { signal, reason } = retraining;
    const eventId = transaction.publish(
      events.RetrainingRequested,
      {
        monitor: monitor.name,
        model: monitor.model,
        plan: rules.plan,
        signal: signal.kind,
        reason,
        signalEventId: signal.eventId,
        decidedAtEventMicros: nowEventMicros,
      },
      { cause: causeOf(signal) },
    );
    await saveRequest(transaction, {
      eventId,
      monitor: monitor.name,
      model: monitor.model,
      plan: rules.plan,
      decidedAtMicros: nowEventMicros,
      signalEventId: signal.eventId,
    });
    await forgetWithheld(transaction, monitor.name);
    const summary = `retraining by ${rules.plan}: ${reason}`;
    await this.record(transaction, monitor, signal, { eventId, type: events.RetrainingRequested.type, summary });
    return { ...decision, requestsWithoutPerson: decision.requestsWithoutPerson + 1 };
  }

  /** Once for each signal and end of quiet hours. */
  private async tellHeld(
    transaction: Transaction,
    monitor: WatchedMonitor,
    rules: RetrainingRules,
    { why, reason, signal, untilMicros }: Held,
  ): Promise<void> {
    const isNew = await saveWithheld(transaction, monitor.name, { why, signalEventId: signal.eventId, untilMicros });
    if (!isNew) return;
    const eventId = transaction.publish(
      events.RetrainingWithheld,
      {
        monitor: monitor.name,
        model: monitor.model,
        plan: rules.plan,
        signal: signal.kind,
        signalEventId: signal.eventId,
        why,
        reason,
        untilMicros,
      },
      { cause: causeOf(signal) },
    );
    const summary = `retraining by ${rules.plan} not requested: ${reason}`;
    await this.record(transaction, monitor, signal, { eventId, type: events.RetrainingWithheld.type, summary });
  }

  private async record(
    transaction: Transaction,
    monitor: WatchedMonitor,
    signal: Signal,
    decision: { readonly eventId: string; readonly type: string; readonly summary: string },
  ): Promise<void> {
    await recordDecision(transaction, {
      ...decision,
      monitor: monitor.name,
      endpoint: monitor.endpoint,
      recordPublishedMicros: (await readPublished(transaction, signal.eventId)) ?? 0,
    });
  }
}

function causeOf({ eventId, correlationId, traceparent }: Signal): Cause {
  return { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
}
