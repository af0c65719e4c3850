// From a duration on a panel to the trace of one request or event, and on to `headrace why`.
import { eventually, type OtlpCollector } from '@headrace/testing';
import type { WeatherStation } from './seattle-weather';
import type { WholeSystem } from './whole-system';

const PATIENCE = { timeoutMs: 30_000, intervalMs: 100 };

interface World {
  readonly system: WholeSystem;
  readonly collector: OtlpCollector;
  readonly station: WeatherStation;
}

/** Labels of the exemplars of a histogram in the text of OpenMetrics 1.0. */
function exemplarsOf(text: string, metric: string): Record<string, string>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}_bucket{`))
    .flatMap((line) => {
      const [, labels] = /\} \d+ # \{(.*)\} [0-9.e-]+ [0-9.]+$/.exec(line) ?? [];
      if (labels === undefined) return [];
      return [Object.fromEntries([...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))];
    });
}

/** `world` is asked when it runs. */
export function exemplarSpec(world: () => World): void {
  it('shows beside its durations single requests and events, with their traces', async () => {
    const { system, collector, station } = world();
    const exported = (): Set<string> => new Set(collector.spans.map(({ traceId }) => traceId));
    const durations = exemplarsOf(
      await system.metricsOf('inference-gateway'),
      'headrace_gateway_request_duration_seconds',
    );
    expect(durations).not.toEqual([]);
    const answered = new Set(station.answered.map(({ answer }) => answer.predictionId));
    // Those that got no answer, while nothing was loaded yet, have no id.
    const ids = durations.flatMap(({ prediction_id: id }) => id ?? []);
    expect(ids).not.toEqual([]);
    for (const id of ids) expect(answered).toContain(id);
    const ages = exemplarsOf(await system.metricsOf('registry'), 'headrace_messaging_event_age_seconds');
    expect(ages).not.toEqual([]);
    await eventually(() => {
      for (const { trace_id: id } of [...durations, ...ages]) expect(exported()).toContain(id);
    }, PATIENCE);
  });
}
