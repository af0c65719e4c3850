// What all dashboards have in common: variables, the way from one to the next, and marks where the loop has acted.
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './panels';

interface Builder {
  build(): Panel;
}

export type Row = readonly [title: string, panels: () => readonly Builder[]];

export interface DashboardOptions {
  /** Stays as it is: links from alerts and bookmarks name it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** From top to bottom. */
  readonly rows: readonly Row[];
  readonly variables: readonly VariableName[];
}

export type VariableName = keyof typeof VARIABLES;

/** Label, and the metric and label whose values can be chosen. */
const VARIABLES = {
  stream: ['Stream', 'headrace_ingestion_records_total', 'stream'],
  endpoint: ['Endpoint', 'headrace_gateway_version_weight_percent', 'endpoint'],
  monitor: ['Monitor', 'headrace_monitoring_windows_total', 'monitor'],
  group: ['Consumer group', 'headrace_messaging_batch_events_count', 'group'],
  plan: ['Training plan', 'headrace_training_runs_total', 'plan'],
  job: ['Service', 'headrace_messaging_outbox_rows', 'job'],
} as const;

/** Where the loop acted: name, colour, when (above zero), and what the mark says. */
const MARKS = [
  ['Deployments', 'blue', 'changes(headrace_registry_deployment_generation[$__interval])', '{{endpoint}}: deployed'],
  ['Drift', 'orange', 'headrace_monitoring_signal_stands', '{{monitor}}: {{signal}} stands'],
  [
    'Retraining',
    'purple',
    'increase(headrace_monitoring_retraining_requests_total[$__interval])',
    '{{monitor}}: retraining, {{signal}}',
  ],
] as const;

export function dashboard({ uid, title, description, rows, variables }: DashboardOptions): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['headrace'])
    .timezone('browser')
    .readonly()
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  for (const name of variables) builder.withVariable(choice(name));
  for (const [name, color, expr, text] of MARKS) {
    builder.annotation(
      new AnnotationQueryBuilder()
        .name(name)
        .datasource(DATASOURCE)
        .enable(true)
        .iconColor(color)
        .expr(`${expr} > 0`)
        .step('10s')
        .titleFormat(name)
        .textFormat(text),
    );
  }
  builder
    .link(
      new DashboardLinkBuilder('Headrace')
        .type(DashboardLinkType.Dashboards)
        .tags(['headrace'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .link(
      new DashboardLinkBuilder('Alerts')
        .type(DashboardLinkType.Link)
        .url('/alerting/list')
        .tooltip('Rules of deploy/prometheus, with their runbooks'),
    );
  for (const [row, panels] of rows) {
    builder.withRow(new RowBuilder(row).id(idOf(row)));
    for (const panel of panels()) builder.withPanel({ build: () => numbered(row, panel.build()) });
  }
  return builder.build();
}

function numbered(row: string, panel: Panel): Panel {
  return { ...panel, id: idOf(`${row} / ${panel.title ?? ''}`) };
}

/** From what it is called, not from where it stands: links of alerts and bookmarks stay right when panels are added. FNV-1a. */
function idOf(name: string): number {
  let hash = 2_166_136_261;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16_777_619);
  return 1 + ((hash >>> 0) % 1_000_000);
}

/** A variable over the values of a label; all of them when nothing is chosen. */
function choice(name: VariableName): QueryVariableBuilder {
  const [label, metric, of] = VARIABLES[name];
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query: `label_values(${metric}, ${of})`, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}
