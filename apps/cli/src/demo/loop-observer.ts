// Watches the loop through the services' own answers and says what is new.
import { setTimeout as delay } from 'node:timers/promises';
import type { GetMonitorResponse } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type {
  EndpointHistoryEntry,
  GetEndpointResponse,
  ModelVersion,
} from '@headrace/contracts/proto/registry/v1/registry_service';
import type { TrainingRun } from '@headrace/contracts/proto/training/v1/training_service';
import { isServiceError } from '@headrace/grpc';
import { status } from '@grpc/grpc-js';
import type { Clients } from '../connection';
import { figure } from '../output';
import type { Progress } from './report';
import type { DemoNames } from './summary';

const POLL_MS = 500;
const STEP_TIMEOUT_MS = 240_000;

/** What has happened so far. */
export class LoopState {
  constructor(
    readonly versions: readonly ModelVersion[],
    readonly endpoint: GetEndpointResponse | undefined,
    readonly monitor: GetMonitorResponse | undefined,
    readonly failedRuns: readonly TrainingRun[],
  ) {}

  serves(version: number): boolean {
    return this.endpoint?.desired?.versions.some((deployed) => deployed.version === version) ?? false;
  }

  get promoted(): EndpointHistoryEntry | undefined {
    return this.change('promoted');
  }

  get rolledBack(): EndpointHistoryEntry | undefined {
    return this.change('rolled_back');
  }

  /** The version trained on shuffled labels, once its gates judged it; undefined before. */
  get judgedBad(): { version: number; refused: boolean } | undefined {
    const bad = this.versions.find((version) => version.shuffleLabels && version.state !== 'registered');
    return bad && { version: bad.version, refused: bad.state === 'refused' };
  }

  private change(name: string): EndpointHistoryEntry | undefined {
    return this.endpoint?.history.find((entry) => entry.change?.change === name);
  }
}

export class LoopObserver {
  private readonly said = new Set<string>();

  constructor(
    private readonly clients: Clients,
    private readonly names: DemoNames,
    private readonly progress: Progress,
  ) {}

  /** Polls until the condition gives something; says on the way what is new. */
  async until<T>(what: string, condition: (state: LoopState) => T | false | undefined): Promise<T> {
    const deadline = Date.now() + STEP_TIMEOUT_MS;
    for (;;) {
      const state = await this.look();
      this.tell(state);
      const result = condition(state);
      if (result !== false && result !== undefined) return result;
      if (Date.now() > deadline) throw new Error(`waited ${STEP_TIMEOUT_MS / 1_000} s in vain until ${what}`);
      await delay(POLL_MS);
    }
  }

  private async look(): Promise<LoopState> {
    const { registry, monitoring, training } = this.clients;
    const [versions, endpoint, monitor, trainings] = await Promise.all([
      this.ask(() => this.clients.call(registry.listVersions.bind(registry), { model: this.names.model })),
      this.ask(() => this.clients.call(registry.getEndpoint.bind(registry), { endpoint: this.names.endpoint })),
      this.ask(() =>
        this.clients.call(monitoring.getMonitor.bind(monitoring), { monitor: this.names.monitor, lastWindows: 10 }),
      ),
      this.ask(() => this.clients.call(training.listRuns.bind(training), { plan: '' })),
    ]);
    const failed = trainings?.runs.filter((run) => run.state === 'failed') ?? [];
    return new LoopState(versions?.versions ?? [], endpoint, monitor, failed);
  }

  /** Undefined while a service is on its way back, or does not know the thing yet. */
  private async ask<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      const passing = [
        status.UNAVAILABLE,
        status.NOT_FOUND,
        status.DEADLINE_EXCEEDED,
        status.CANCELLED,
        status.INTERNAL,
      ];
      if (isServiceError(error) && passing.includes(error.code)) return undefined;
      throw error;
    }
  }

  private tell(state: LoopState): void {
    for (const run of state.failedRuns) this.once(run.runId, `A training (${run.trigger}) failed: ${run.error}`);
    for (const version of state.versions) {
      const metric = Object.entries(version.metrics).find(([name]) => name === 'auc');
      this.once(
        `version ${version.version}`,
        `Version ${version.version} is registered (${version.trigger}${version.shuffleLabels ? ', shuffled labels' : ''}): backtest AUC ${figure(metric?.[1].value)}`,
      );
      if (version.state !== 'registered') {
        const failed = version.gates.filter((gate) => !gate.passed).map((gate) => gate.name);
        this.once(
          `gates ${version.version}`,
          failed.length === 0
            ? `Version ${version.version} passed its ${version.gates.length} gates`
            : `Version ${version.version} failed ${failed.join(', ')}`,
        );
      }
    }
    for (const decision of state.monitor?.decisions ?? []) {
      this.once(decision.eventId, `${decision.type.split('.').at(-1)}: ${decision.summary}`);
    }
    for (const entry of state.endpoint?.history ?? []) {
      const { change } = entry;
      if (change)
        this.once(
          entry.eventId,
          `Endpoint ${change.endpoint}: ${change.change.replaceAll('_', ' ')}, version ${change.version}${change.reason === '' ? '' : ` (${change.reason})`}`,
        );
    }
  }

  private once(key: string, line: string): void {
    if (this.said.has(key)) return;
    this.said.add(key);
    this.progress.say(line);
  }
}
