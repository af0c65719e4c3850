// "Headrace: the loop": everything from a record that arrives to the version that answers, on one page.
import {
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
import { dataIn, features, messaging, now, processes } from './overview-data';
import { quality, rollouts, serving } from './overview-models';
import { DATASOURCE } from './panels';

interface Builder {
  build(): Panel;
}

/** Rows of panels from top to bottom, in the order of the loop. */
const rows: readonly (readonly [string, () => readonly Builder[]])[] = [
  ['Now', now],
  ['Data in', dataIn],
  ['Features', features],
  ['Training and rollouts', rollouts],
  ['Answers', serving],
  ['Is it still good', quality],
  ['Events', messaging],
  ['Processes', processes],
];

export function overview(): Dashboard {
  const dashboard = new DashboardBuilder('Headrace: the loop')
    .uid('headrace-loop')
    .description('From the records that arrive to the version that answers, and whether it is still good.')
    .tags(['headrace'])
    .timezone('browser')
    .readonly()
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(choice('stream', 'Stream', 'headrace_ingestion_records_total', 'stream'))
    .withVariable(choice('endpoint', 'Endpoint', 'headrace_gateway_version_weight_percent', 'endpoint'))
    .withVariable(choice('monitor', 'Monitor', 'headrace_monitoring_windows_total', 'monitor'))
    .link(
      new DashboardLinkBuilder('Alerts')
        .type(DashboardLinkType.Link)
        .url('/alerting/list')
        .tooltip('Rules of deploy/prometheus, with their runbooks'),
    );
  let id = 0;
  for (const [title, panels] of rows) {
    dashboard.withRow(new RowBuilder(title).id((id += 1)));
    for (const panel of panels()) {
      const numbered = { build: () => ({ ...panel.build(), id: (id += 1) }) };
      dashboard.withPanel(numbered);
    }
  }
  return dashboard.build();
}

/** A variable over the values of a label; all of them when nothing is chosen. */
function choice(name: string, label: string, metric: string, of: string): QueryVariableBuilder {
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
