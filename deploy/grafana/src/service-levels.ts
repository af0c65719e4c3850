// "Headrace: service levels": what is promised, how much of it was kept, and how fast what may be broken is used up.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { PercentUnit, Short } from '@grafana/grafana-foundation-sdk/units';
import { recorded } from '../../prometheus/src/rules';
import { BURNS, serviceLevels, type ServiceLevel } from '../../prometheus/src/service-levels';
import { dashboard } from './dashboard';
import { stat, timeSeries } from './panels';

/** Over the longest window that an alert looks at. */
const LONGEST = '3d';
const [FAST, SLOW] = [BURNS[0], BURNS[1]];
/** Lines of the graphs: a window of each alert, the shorter one first. */
const SHOWN = ['5m', '1h', '6h', LONGEST] as const;

function subjectOf({ by }: ServiceLevel): string {
  return by.map((label) => `{{${label}}}`).join(', ');
}

const kept = () =>
  serviceLevels.map((level) =>
    stat({
      title: `${level.name}, kept`,
      description: `Promised: ${level.promise}. Kept over the last ${LONGEST}, as far as there are figures.`,
      unit: PercentUnit,
      decimals: 2,
      width: 24 / serviceLevels.length,
      queries: [{ expr: `1 - ${recorded(level, LONGEST)}`, legend: subjectOf(level) }],
      thresholds: [
        { from: null, color: 'red' },
        { from: level.objective, color: 'green' },
      ],
    }).height(6),
  );

const burning = () =>
  serviceLevels.map((level) => {
    const allowed = 1 - level.objective;
    return timeSeries({
      title: `${level.name}, burn rate`,
      description:
        `How many times faster than allowed errors came, over ${SHOWN.join(', ')}: at 1 a promise of 30 days is just kept. ` +
        `${level.name}${SLOW.suffix} fires at ${SLOW.rates[0].rate}, ${level.name}${FAST.suffix} at ${FAST.rates[0].rate} (or ${FAST.rates[1].rate} for longer). Runbook: ${level.runbook}.`,
      unit: Short,
      width: 12,
      min: 0,
      limits: { warning: SLOW.rates[0].rate, critical: FAST.rates[0].rate },
      queries: SHOWN.map((window) => ({
        expr: `${recorded(level, window)} / ${Number(allowed.toPrecision(4))}`,
        legend: `${subjectOf(level)} ${window}`,
      })),
    });
  });

export function serviceLevelsDashboard(): Dashboard {
  return dashboard({
    uid: 'headrace-service-levels',
    title: 'Headrace: service levels',
    description: 'What is promised, how much of it was kept, and how fast what may be broken is used up.',
    variables: [],
    rows: [
      ['Kept', kept],
      ['Burn rates', burning],
    ],
  });
}
