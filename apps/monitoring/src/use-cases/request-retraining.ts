import { events } from '@headrace/contracts';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { readPublished, recordDecision } from '../database/decisions.repository';
import type { Deployment } from '../database/deployments.repository';
import { readStates } from '../database/monitor-states.repository';
import { isRequestOpen, readRequestHistory, saveRequest } from '../database/retraining.repository';
import { decideRetraining, type Retraining } from '../domain/retraining-policy';
import type { WatchedMonitor } from '../watched-monitors';

/** A request that no training run answered within this time of the wall clock no longer stands in the way of others. */
const UNANSWERED_MS = 600_000;

/** Asks for a new version when the monitor's policy says so. */
@Injectable()
export class RequestRetraining {
  async run(transaction: Transaction, monitor: WatchedMonitor, deployment: Deployment): Promise<Retraining> {
    const rules = monitor.spec.retraining;
    if (!rules) return { kind: 'wait', why: 'no_signal' };
    const states = (await readStates(transaction, monitor.name)).filter(
      (state) => state.version === deployment.championVersion,
    );
    const history = await readRequestHistory(transaction, monitor.name);
    const nowEventMicros = Math.max(...states.map((state) => state.lastEndMicros ?? -Infinity));
    const decision = decideRetraining(rules, {
      standing: states.flatMap((state) => state.signal ?? []),
      nowEventMicros,
      lastRequestEventMicros: history.lastEventMicros,
      requestsWithinDay: history.withinDay,
      rolloutInProgress: deployment.rollout !== undefined,
      requestOpen: await isRequestOpen(transaction, monitor.model, UNANSWERED_MS),
    });
    if (decision.kind === 'wait') return decision;
    const { signal, reason } = decision;
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
      {
        cause: {
          eventId: signal.eventId,
          correlationId: signal.correlationId,
          ...(signal.traceparent === undefined ? {} : { traceparent: signal.traceparent }),
        },
      },
    );
    await saveRequest(transaction, {
      eventId,
      monitor: monitor.name,
      model: monitor.model,
      plan: rules.plan,
      decidedAtMicros: nowEventMicros,
      signalEventId: signal.eventId,
    });
    await recordDecision(transaction, {
      eventId,
      monitor: monitor.name,
      endpoint: monitor.endpoint,
      type: events.RetrainingRequested.type,
      recordPublishedMicros: (await readPublished(transaction, signal.eventId)) ?? 0,
      summary: `retraining by ${rules.plan}: ${reason}`,
    });
    return decision;
  }
}
