import { DomainError } from '@headrace/contracts';
import {
  FeatureStatus,
  type FeatureRef,
  type FeatureRow,
  type FeatureVector,
} from '@headrace/contracts/proto/features/v1/features_service';
import { nowMicros } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import { onlineRowsTotal } from '../feature-store-metrics';
import { entityKeyOf, type CompiledView } from '../domain/feature-view';
import { KnownViews } from '../known-views';
import { evaluateRequest, planOnlineRead, type OnlinePlan } from '../online/online-plan';
import { OnlineReader } from '../online/online-reader';
import { Watermarks } from '../online/watermarks';

const MAXIMUM_ROWS = 10_000;
const KNOWN_PLANS = 200;

/** Features of many rows, each exact as of its own moment. */
@Injectable()
export class ReadOnlineFeatures {
  /** By the asked features and the contents of their views. */
  private readonly plans = new Map<string, OnlinePlan>();

  constructor(
    private readonly views: KnownViews,
    private readonly watermarks: Watermarks,
    private readonly reader: OnlineReader,
  ) {}

  async run(features: readonly FeatureRef[], rows: readonly FeatureRow[], maxWaitMs: number): Promise<FeatureVector[]> {
    if (rows.length > MAXIMUM_ROWS)
      throw new DomainError('exhausted', 'too_many_rows', `rows: ${rows.length}, expected at most ${MAXIMUM_ROWS}`);
    const plan = this.planOf(features);
    rows.forEach((row, index) => checkEntities(plan, row, index));
    return Promise.all(rows.map((row) => this.readRow(features, plan, row, maxWaitMs)));
  }

  private async readRow(
    features: readonly FeatureRef[],
    before: OnlinePlan,
    row: FeatureRow,
    maxWaitMs: number,
  ): Promise<FeatureVector> {
    const streams = [...new Set(before.parts.map(({ view }) => view.stream))];
    const now = row.asOfMicros === 0;
    const asOfMicros = now ? nowMicros() : row.asOfMicros;
    // "Now" is whatever is known: nobody could wait for it.
    const exact = now || (await this.watermarks.reached(streams, asOfMicros, maxWaitMs));
    const watermarkMicros = this.watermarks.of(streams);
    // A newer content of a view may serve by now.
    const plan = this.planOf(features);
    const values = new Array<number>(plan.width).fill(NaN);
    const statuses = new Array<FeatureStatus>(plan.width).fill(FeatureStatus.MISSING);
    evaluateRequest(plan, row.request, values);
    for (const { position } of plan.requests) statuses[position] = statusOf(values[position]);
    await Promise.all(
      plan.parts.map(async (part) => {
        const { view } = part;
        const serving = this.watermarks.servingVersion(view.name);
        const found =
          serving?.view.version === view.version
            ? await this.reader.read(part, serving.id, row.entities[view.entity] ?? '', asOfMicros)
            : undefined;
        const isExpired = found !== undefined && asOfMicros < found.watermarkMicros - view.retentionMicros;
        part.positions.forEach((position, index) => {
          const value = (isExpired ? undefined : found?.values[index]) ?? NaN;
          values[position] = value;
          if (isExpired) statuses[position] = FeatureStatus.EXPIRED;
          else statuses[position] = exact && found ? statusOf(value) : FeatureStatus.STALE;
        });
      }),
    );
    onlineRowsTotal.inc({ status: exact ? 'exact' : 'stale' });
    return { values, statuses, asOfMicros, watermarkMicros: Number.isFinite(watermarkMicros) ? watermarkMicros : 0 };
  }

  /** What serves; while the first content of a view is being filled, what will serve. */
  private viewOf(name: string): CompiledView | undefined {
    return this.watermarks.servingVersion(name)?.view ?? this.views.get(name);
  }

  private planOf(features: readonly FeatureRef[]): OnlinePlan {
    const key = features
      .map((ref) => `${ref.view}@${this.viewOf(ref.view)?.version ?? ''}:${ref.feature}:${ref.requestExpression}`)
      .join('\n');
    const known = this.plans.get(key);
    if (known) return known;
    const plan = planOnlineRead(features, (name) => this.viewOf(name));
    const oldest = this.plans.keys().next();
    if (this.plans.size >= KNOWN_PLANS && oldest.done !== true) this.plans.delete(oldest.value);
    this.plans.set(key, plan);
    return plan;
  }
}

function statusOf(value: number | undefined): FeatureStatus {
  return value === undefined || Number.isNaN(value) ? FeatureStatus.MISSING : FeatureStatus.PRESENT;
}

function checkEntities(plan: OnlinePlan, row: FeatureRow, index: number): void {
  for (const { view } of plan.parts) {
    const key = row.entities[view.entity];
    const place = `rows.${index}.entities: "${view.entity}", the entity of FeatureView "${view.name}"`;
    if (key === undefined) throw new DomainError('invalid', 'missing_entity', `${place}, is missing`);
    if (entityKeyOf(key) === undefined) {
      throw new DomainError(
        'invalid',
        'bad_entity',
        `${place}, is no key: expected at most 500 characters, none of them NUL`,
      );
    }
  }
}
