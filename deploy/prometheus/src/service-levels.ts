// Service levels as code: each objective becomes recording rules over many windows and two alerts by burn rate (Google,
// "The Site Reliability Workbook", chapter 5, "multiwindow, multi-burn-rate alerts").

/** What is promised, and how Prometheus sees that it was not kept. */
export interface ServiceLevel {
  /** Of its alerts, in words run together, and of its recorded series in snake case. */
  readonly name: string;
  readonly series: string;
  /** For people. */
  readonly promise: string;
  /** Share that is kept, such as 0.999. */
  readonly objective: number;
  /** Labels that each have the objective for themselves. */
  readonly by: readonly string[];
  /** Recorded first, where the errors rest on it. */
  readonly prepared?: { readonly record: string; readonly expr: string };
  /** PromQL: the share that was not kept, over a window such as 5m. */
  readonly errors: (window: string) => string;
  /** What its alerts say beyond the promise. */
  readonly description: string;
  /** Page of docs/runbooks. */
  readonly runbook: string;
  /** Panel that shows it: path in Grafana, without variables. */
  readonly panel: string;
  /** How the tests make a share of errors: series that rise (or stand) so in one step. */
  readonly tried: (share: number) => readonly { readonly series: string; readonly values: string }[];
  readonly triedLabels: Readonly<Record<string, string>>;
}

const FAULTS =
  'code=~"UNKNOWN|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"';
const STEPS = 100;

function shareOf(part: string, whole: string, by: readonly string[], window: string): string {
  const rate = (metric: string): string => `sum by (${by.join(', ')}) (rate(${metric}[${window}]))`;
  return `${rate(part)} / ${rate(whole)}`;
}

/** Services say "10"; from version 3 on Prometheus writes whole bounds as "10.0". */
function boundIs(bound: string): string {
  return bound.includes('.') ? `le="${bound}"` : `le=~"${bound}([.]0)?"`;
}

/** 1 − the share of a histogram's observations up to a bound. */
function slowerThan(metric: string, bound: string, selector: string, by: readonly string[], window: string): string {
  const inner = selector === '' ? '' : `,${selector}`;
  const whole = selector === '' ? '' : `{${selector}}`;
  return `1 - (${shareOf(`${metric}_bucket{${boundIs(bound)}${inner}}`, `${metric}_count${whole}`, by, window)})`;
}

function histogramSeries(metric: string, labels: string, bound: string, share: number) {
  return [
    { series: `${metric}_bucket{${labels},le="${bound}"}`, values: `0+${Math.round(10_000 * (1 - share))}x${STEPS}` },
    { series: `${metric}_count{${labels}}`, values: `0+10000x${STEPS}` },
  ];
}

export const serviceLevels: readonly ServiceLevel[] = [
  {
    name: 'PredictAvailability',
    series: 'predict_availability',
    promise: '99.9 % of the requests to an endpoint are answered',
    objective: 0.999,
    by: ['endpoint'],
    // An endpoint without any fault has no series of faults: that is a share of 0.
    errors: (window) =>
      `(sum by (endpoint) (rate(headrace_gateway_requests_total{${FAULTS}}[${window}]))` +
      ` or 0 * sum by (endpoint) (rate(headrace_gateway_requests_total[${window}])))` +
      ` / sum by (endpoint) (rate(headrace_gateway_requests_total[${window}]))`,
    description: 'Wrong requests of callers do not count; answers by the declared fallback count as answered.',
    runbook: 'slo-predict-availability',
    panel: '/d/headrace-endpoint?viewPanel=820849',
    tried: (share) => [
      {
        series: 'headrace_gateway_requests_total{endpoint="fraud",code="OK"}',
        values: `0+${Math.round(10_000 * (1 - share))}x${STEPS}`,
      },
      {
        series: 'headrace_gateway_requests_total{endpoint="fraud",code="UNAVAILABLE"}',
        values: `0+${Math.round(10_000 * share)}x${STEPS}`,
      },
    ],
    triedLabels: { endpoint: 'fraud' },
  },
  {
    name: 'PredictLatency',
    series: 'predict_latency',
    promise: '99 % of the requests to an endpoint are answered within 100 ms',
    objective: 0.99,
    by: ['endpoint'],
    errors: (window) => slowerThan('headrace_gateway_request_duration_seconds', '0.1', '', ['endpoint'], window),
    description: 'From the decoded request to the answer, waiting for features included.',
    runbook: 'slo-predict-latency',
    panel: '/d/headrace-endpoint?viewPanel=524576',
    tried: (share) => histogramSeries('headrace_gateway_request_duration_seconds', 'endpoint="fraud"', '0.1', share),
    triedLabels: { endpoint: 'fraud' },
  },
  {
    name: 'EventsInTime',
    series: 'events_in_time',
    promise: '99 % of the events have taken effect within 10 s',
    objective: 0.99,
    by: ['group'],
    errors: (window) =>
      slowerThan('headrace_messaging_event_age_seconds', '10', 'type=~"headrace[.].*"', ['group'], window),
    description: 'From the time at which a service said something to the commit of what another made of it.',
    runbook: 'slo-events-in-time',
    panel: '/d/headrace-events?viewPanel=807657',
    tried: (share) =>
      histogramSeries(
        'headrace_messaging_event_age_seconds',
        'group="registry",type="headrace.training.v1.ModelTrained"',
        // As Prometheus 3 has it; Debian's, with the other spelling, is the one of the game day.
        '10.0',
        share,
      ),
    triedLabels: { group: 'registry' },
  },
  {
    name: 'WindowsInTime',
    series: 'windows_in_time',
    promise: 'for 99 % of the time no window of a monitor waits for its judgement for more than 5 minutes',
    objective: 0.99,
    by: ['monitor'],
    prepared: {
      record: 'headrace:windows_in_time:overdue',
      expr: 'max by (monitor) (headrace_monitoring_evaluation_overdue_seconds) > bool 300',
    },
    errors: (window) => `avg_over_time(headrace:windows_in_time:overdue[${window}])`,
    description: 'Event time has passed the end of the window, so that everything is known; yet drift is not decided.',
    runbook: 'slo-windows-in-time',
    panel: '/d/headrace-model-health?viewPanel=635430',
    tried: (share) => [
      {
        series: 'headrace_monitoring_evaluation_overdue_seconds{monitor="orders"}',
        values: share === 0 ? `0x${STEPS}` : share < 0.1 ? overdueNowAndThen(share) : `900x${STEPS}`,
      },
    ],
    triedLabels: { monitor: 'orders' },
  },
];

/** Overdue for a share of the time: a run of steps with one of them late. */
function overdueNowAndThen(share: number): string {
  const period = Math.round(1 / share);
  return Array.from({ length: Math.ceil(STEPS / period) }, () => `0x${period - 2} 900`).join(' ');
}

/** Burn rate: how many times faster than allowed the errors of 30 days are used up. */
export const BURNS = [
  {
    severity: 'critical',
    suffix: 'BurnsFast',
    rates: [
      { rate: 14.4, long: '1h', short: '5m' },
      { rate: 6, long: '6h', short: '30m' },
    ],
  },
  { severity: 'warning', suffix: 'BurnsSlowly', rates: [{ rate: 1, long: '3d', short: '6h' }] },
] as const;

export const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;
