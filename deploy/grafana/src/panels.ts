// The few kinds of panels that the dashboards are made of, so that a unit, a legend and a threshold look alike everywhere.
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Threshold,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The variable that chooses the Prometheus to ask. */
export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

export interface Query {
  readonly expr: string;
  /** Grafana's legend format: {{label}} is replaced. */
  readonly legend: string;
  /** A bound or a reference beside what is measured. */
  readonly dashed?: boolean;
}

/** From which value on (the unit's) a panel turns orange or red. */
export interface Limits {
  readonly warning?: number;
  readonly critical?: number;
}

interface PanelOptions {
  readonly title: string;
  /** What it shows, and what to think of it. */
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Columns of 24. */
  readonly width: number;
  readonly decimals?: number;
}

export interface TimeSeriesOptions extends PanelOptions {
  readonly limits?: Limits;
  /** Values that hold until the next one: versions, weights, states. */
  readonly steps?: boolean;
  /** Of histograms that keep the trace of single observations: points that lead there. */
  readonly exemplars?: boolean;
  readonly min?: number;
  readonly max?: number;
}

export interface StatOptions extends PanelOptions {
  readonly thresholds?: readonly { readonly from: number | null; readonly color: string }[];
  readonly words?: Readonly<Record<string, string>>;
  /** Text shown for each series: its value, its name, or both. */
  readonly show?: 'value' | 'name' | 'both';
}

const DASHED = { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } };
const STAT_HEIGHT = 4;
const GRAPH_HEIGHT = 8;

export function timeSeries(options: TimeSeriesOptions): TimeSeriesBuilder {
  const panel = new TimeSeriesBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(DATASOURCE)
    .unit(options.unit)
    .span(options.width)
    .height(GRAPH_HEIGHT)
    .targets(targetsOf(options.queries, options.exemplars))
    .lineWidth(1)
    .fillOpacity(5)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  options.queries.forEach(({ dashed }, index) => {
    if (dashed === true) panel.overrideByQuery(refIdOf(index), [DASHED]);
  });
  if (options.steps === true) panel.lineInterpolation(LineInterpolation.StepAfter);
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  if (options.min !== undefined) panel.min(options.min);
  if (options.max !== undefined) panel.max(options.max);
  if (options.limits) {
    panel
      .thresholds(thresholds(stepsOf(options.limits)))
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  return panel;
}

export function stat(options: StatOptions): StatBuilder {
  const panel = new StatBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(DATASOURCE)
    .unit(options.unit)
    .span(options.width)
    .height(STAT_HEIGHT)
    .targets(targetsOf(options.queries))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .graphMode(BigValueGraphMode.None)
    .colorMode(options.thresholds ? BigValueColorMode.Background : BigValueColorMode.Value)
    .textMode(
      { value: BigValueTextMode.Value, name: BigValueTextMode.Name, both: BigValueTextMode.ValueAndName }[
        options.show ?? 'both'
      ],
    );
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  panel.thresholds(
    thresholds(
      (options.thresholds ?? [{ from: null, color: 'blue' }]).map(({ from, color }) => ({ value: from, color })),
    ),
  );
  if (options.words) panel.mappings([wordsFor(options.words)]);
  return panel;
}

/** One line for each series, coloured by its value: where it is high, and since when. */
export function heatLines(options: PanelOptions & { readonly limits: Limits }): StateTimelineBuilder {
  return new StateTimelineBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(DATASOURCE)
    .unit(options.unit)
    .decimals(options.decimals ?? 2)
    .span(options.width)
    .height(GRAPH_HEIGHT)
    .targets(targetsOf(options.queries))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(thresholds(stepsOf(options.limits)))
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .legend(new VizLegendOptionsBuilder().showLegend(false).placement(LegendPlacement.Bottom).calcs([]))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single).sort(SortOrder.None));
}

function refIdOf(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

function targetsOf(queries: readonly Query[], exemplars = false): DataqueryBuilder[] {
  return queries.map(({ expr, legend }, index) => {
    const query = new DataqueryBuilder()
      .datasource(DATASOURCE)
      .refId(refIdOf(index))
      .expr(expr)
      .legendFormat(legend)
      .range();
    // Of one query: each would show the same points again.
    return exemplars && index === 0 ? query.exemplar(true) : query;
  });
}

function stepsOf({ warning, critical }: Limits): Threshold[] {
  return [
    { value: null, color: 'green' },
    ...(warning === undefined ? [] : [{ value: warning, color: 'orange' }]),
    ...(critical === undefined ? [] : [{ value: critical, color: 'red' }]),
  ];
}

function thresholds(steps: Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function wordsFor(words: Readonly<Record<string, string>>): ValueMapping {
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(Object.entries(words).map(([value, text], index) => [value, { text, index }])),
  };
}
