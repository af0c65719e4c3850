// Prometheus' rules for the service levels, and promtool's tests for them, as plain objects.
import { BURNS, serviceLevels, WINDOWS, type ServiceLevel } from './service-levels';

export function recorded({ series }: ServiceLevel, window: string): string {
  return `headrace:${series}:error_ratio_${window}`;
}

function alertsOf(level: ServiceLevel): object[] {
  const allowed = 1 - level.objective;
  return BURNS.map(({ severity, suffix, rates }) => ({
    alert: `${level.name}${suffix}`,
    expr: rates
      .map(({ rate, long, short }) => {
        const limit = Number((rate * allowed).toPrecision(4));
        return `(${recorded(level, long)} > ${limit} and ${recorded(level, short)} > ${limit})`;
      })
      .join('\nor '),
    labels: { severity, service_level: level.series },
    annotations: annotationsOf(level, suffix),
  }));
}

function annotationsOf(level: ServiceLevel, suffix: string, labels?: Readonly<Record<string, string>>) {
  const valueOf = (label: string): string => labels?.[label] ?? `{{ $labels.${label} }}`;
  const subject = level.by.map(valueOf).join(', ');
  const speed =
    suffix === 'BurnsFast' ? 'is broken so fast that days of it are used up in hours' : 'is being broken slowly';
  return {
    summary: `${subject}: a service level ${speed}`,
    description: `Promised: ${level.promise}. ${level.description}`,
    runbook_url: `docs/runbooks/${level.runbook}.md`,
    dashboard: level.panel + level.by.map((label) => `&var-${label}=${valueOf(label)}`).join(''),
  };
}

export function serviceLevelRules(): object {
  return {
    groups: [
      {
        name: 'service-levels',
        rules: serviceLevels.flatMap((level) => [
          ...(level.prepared ? [level.prepared] : []),
          ...WINDOWS.map((window) => ({ record: recorded(level, window), expr: level.errors(window) })),
        ]),
      },
      { name: 'service-levels-burning', rules: serviceLevels.flatMap(alertsOf) },
    ],
  };
}

/** Each alert fires when its share of errors is burnt, and neither does when all is well. */
export function serviceLevelTests(): object {
  const tests = serviceLevels.flatMap((level) => {
    const allowed = 1 - level.objective;
    const fires = (suffix: (typeof BURNS)[number]['suffix'], at: string, isFiring: boolean) => {
      const severity = BURNS.find((burn) => burn.suffix === suffix)?.severity;
      return {
        alertname: `${level.name}${suffix}`,
        eval_time: at,
        exp_alerts: isFiring
          ? [
              {
                exp_labels: { severity, service_level: level.series, ...level.triedLabels },
                exp_annotations: annotationsOf(level, suffix, level.triedLabels),
              },
            ]
          : [],
      };
    };
    const scenario = (name: string, share: number, alertRuleTest: object[]) => ({
      name: `${level.name}: ${name}`,
      interval: '5m',
      input_series: level.tried(share),
      alert_rule_test: alertRuleTest,
    });
    return [
      scenario('nothing is wrong', 0, [fires('BurnsFast', '8h', false), fires('BurnsSlowly', '8h', false)]),
      scenario('burns at twenty times what is allowed', Math.min(20 * allowed, 1), [fires('BurnsFast', '8h', true)]),
      scenario('burns at twice what is allowed', 2 * allowed, [
        fires('BurnsFast', '8h', false),
        fires('BurnsSlowly', '8h', true),
      ]),
    ];
  });
  return { rule_files: ['../rules/service-levels.yml'], evaluation_interval: '5m', tests };
}
