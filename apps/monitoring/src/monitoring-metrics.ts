import { Counter, Gauge, Histogram } from 'prom-client';

// Labels are bounded by the definitions: models, versions, endpoints, monitors and their features.

export const predictionsTotal = new Counter({
  name: 'headrace_monitoring_predictions_total',
  help: 'Predictions taken in; kind is answer or fallback.',
  labelNames: ['endpoint', 'kind'] as const,
});

export const labelsTotal = new Counter({
  name: 'headrace_monitoring_labels_total',
  help: 'Records of label streams: label, missing (the expression gave none) or not_binary (for a binary model).',
  labelNames: ['stream', 'outcome'] as const,
});

export const joinedTotal = new Counter({
  name: 'headrace_monitoring_joined_total',
  help: 'Predictions whose truth became known.',
  labelNames: ['endpoint'] as const,
});

export const lateTotal = new Counter({
  name: 'headrace_monitoring_late_total',
  help: 'Predictions and labels that came after their window had been closed: it is judged again.',
  labelNames: ['monitor', 'kind'] as const,
});

export const labelDelay = new Histogram({
  name: 'headrace_monitoring_label_delay_seconds',
  help: 'Event time from the prediction until its label was known.',
  labelNames: ['endpoint'] as const,
  buckets: [60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 30 * 86_400],
});

export const labelCoverage = new Gauge({
  name: 'headrace_monitoring_label_coverage_ratio',
  help: 'Share of all answered predictions whose label is known.',
  labelNames: ['endpoint'] as const,
});

export const driftStatistic = new Gauge({
  name: 'headrace_monitoring_drift_statistic',
  help: 'Distance of the last closed window from the reference profile; subject is prediction, a feature, or features: all of them together.',
  labelNames: ['monitor', 'model', 'subject', 'statistic'] as const,
});

export const driftThreshold = new Gauge({
  name: 'headrace_monitoring_drift_threshold',
  help: 'Threshold of each drift test.',
  labelNames: ['monitor', 'model', 'subject', 'statistic'] as const,
});

export const performanceValue = new Gauge({
  name: 'headrace_monitoring_performance_value',
  help: 'Performance of the champion in the last closed window.',
  labelNames: ['monitor', 'model', 'version', 'metric'] as const,
});

export const performanceBound = new Gauge({
  name: 'headrace_monitoring_performance_bound',
  help: '95 % interval of the performance in the last closed window; bound is low or high.',
  labelNames: ['monitor', 'model', 'version', 'metric', 'bound'] as const,
});

export const slicePerformance = new Gauge({
  name: 'headrace_monitoring_slice_performance',
  help: 'Measures of each group of a declared slice in the last closed window; kind is drift or performance. Groups below their minimum sample are absent.',
  labelNames: ['monitor', 'model', 'kind', 'slice', 'group', 'metric'] as const,
});

export const sliceRows = new Gauge({
  name: 'headrace_monitoring_slice_rows',
  help: 'Requests of each group of a declared slice in the last closed window; of performance windows those with a label.',
  labelNames: ['monitor', 'model', 'kind', 'slice', 'group'] as const,
});

export const fairnessDifference = new Gauge({
  name: 'headrace_monitoring_fairness_difference',
  help: 'Largest difference between the groups of a slice in the last closed window; measure is demographic_parity_difference or equal_opportunity_difference, kind is drift or performance.',
  labelNames: ['monitor', 'model', 'kind', 'slice', 'measure'] as const,
});

export const businessMetric = new Gauge({
  name: 'headrace_monitoring_business_metric',
  help: 'What the labelled predictions of the last closed window were worth, by the expressions of the Monitor.',
  labelNames: ['monitor', 'model', 'metric'] as const,
});

export const businessMetricBound = new Gauge({
  name: 'headrace_monitoring_business_metric_bound',
  help: '95 % interval of the metric in the last closed window; bound is low or high.',
  labelNames: ['monitor', 'model', 'metric', 'bound'] as const,
});

export const businessMetricFailures = new Gauge({
  name: 'headrace_monitoring_business_metric_failed_predictions',
  help: 'Labelled predictions of the last closed window for which the expression of the metric gave no number.',
  labelNames: ['monitor', 'model', 'metric'] as const,
});

export const estimatedPerformance = new Gauge({
  name: 'headrace_monitoring_estimated_performance',
  help: 'Performance of the last closed window as estimated from its scores, before labels; bound is value, low or high.',
  labelNames: ['monitor', 'model', 'version', 'metric', 'bound'] as const,
});

export const errorDetections = new Gauge({
  name: 'headrace_monitoring_error_detections',
  help: 'Drifts that each detector found in the errors of the last closed window.',
  labelNames: ['monitor', 'model', 'version', 'detector'] as const,
});

export const falseAlarmRun = new Gauge({
  name: 'headrace_monitoring_false_alarm_run_seconds',
  help: 'Event time between false alarms that the declared tests and rule let expect, at least; absent: not known.',
  labelNames: ['monitor', 'model', 'signal'] as const,
});

export const falseAlarmRunPredictions = new Gauge({
  name: 'headrace_monitoring_false_alarm_run_predictions',
  help: 'The same as predictions, of windows by count.',
  labelNames: ['monitor', 'model', 'signal'] as const,
});

export const uncalibratedTests = new Gauge({
  name: 'headrace_monitoring_uncalibrated_tests',
  help: 'Drift tests that cannot cross: the reference has too few windows for their threshold, or the profile of the version lacks what they need.',
  labelNames: ['monitor', 'model'] as const,
});

export const performanceReference = new Gauge({
  name: 'headrace_monitoring_performance_reference',
  help: 'Performance of the champion in its reference profile.',
  labelNames: ['monitor', 'model', 'version', 'metric'] as const,
});

export const windowsTotal = new Counter({
  name: 'headrace_monitoring_windows_total',
  help: 'Closed windows: judged, skipped below the minimum sample, or no_reference (too few windows to compare with, or none of its tests fits the profile); revised: judged again, something came late.',
  labelNames: ['monitor', 'kind', 'outcome'] as const,
});

export const signalStands = new Gauge({
  name: 'headrace_monitoring_signal_stands',
  help: '1 while the signal (drift, estimate, performance, concept) stands.',
  labelNames: ['monitor', 'model', 'signal'] as const,
});

export const retrainingRequestsTotal = new Counter({
  name: 'headrace_monitoring_retraining_requests_total',
  help: 'Retrainings asked for, by the signal that completed the condition.',
  labelNames: ['monitor', 'model', 'signal'] as const,
});

export const retrainingHeld = new Gauge({
  name: 'headrace_monitoring_retraining_held',
  help: '1 while signals ask for a retraining that is held back; reason is rollout_in_progress, request_open, person_needed, cooldown, daily_maximum or quiet_hours.',
  labelNames: ['monitor', 'model', 'reason'] as const,
});

export const requestsWithoutPerson = new Gauge({
  name: 'headrace_monitoring_requests_without_person',
  help: 'Retrainings that the monitor asked for in a row since a person acted on the model.',
  labelNames: ['monitor', 'model'] as const,
});

export const verdictsTotal = new Counter({
  name: 'headrace_monitoring_rollout_verdicts_total',
  help: 'Verdicts about rollouts: promote, roll_back, inconclusive.',
  labelNames: ['endpoint', 'verdict'] as const,
});

export const canaryImprovement = new Gauge({
  name: 'headrace_monitoring_canary_improvement',
  help: 'Loss of the champion minus loss of the candidate, positive is better; bound is value, low or high.',
  labelNames: ['endpoint', 'bound'] as const,
});

export const canaryPairs = new Gauge({
  name: 'headrace_monitoring_canary_pairs',
  help: 'Labelled requests that both versions of the rollout scored, in whole blocks.',
  labelNames: ['endpoint'] as const,
});

export const eventTimeHorizon = new Gauge({
  name: 'headrace_monitoring_event_time_seconds',
  help: 'Event time up to which windows may be closed, seconds since the epoch.',
  labelNames: ['monitor', 'kind'] as const,
});

export const decisionFailuresTotal = new Counter({
  name: 'headrace_monitoring_decision_failures_total',
  help: 'Rounds of a monitor that failed and are tried again.',
  labelNames: ['monitor'] as const,
});

export const evaluationOverdue = new Gauge({
  name: 'headrace_monitoring_evaluation_overdue_seconds',
  help: 'How long windows of a monitor that could be judged have been waiting for it; 0: none waits.',
  labelNames: ['monitor'] as const,
});

export const labelQueueItems = new Gauge({
  name: 'headrace_monitoring_label_queue_items',
  help: 'Predictions that people are asked about, by why they were chosen; state is open or taken (somebody has leased it).',
  labelNames: ['monitor', 'reason', 'state'] as const,
});

export const labelAnswersTotal = new Counter({
  name: 'headrace_monitoring_label_answers_total',
  help: 'Labels that people gave.',
  labelNames: ['monitor'] as const,
});

export const gateReplaysWaiting = new Gauge({
  name: 'headrace_monitoring_gate_replays_waiting',
  help: 'Replays that gates of a model wait for: nobody is served by those versions.',
  labelNames: ['model'] as const,
});

export const gateReplaysTotal = new Counter({
  name: 'headrace_monitoring_gate_replays_total',
  help: 'Replays answered to gates; outcome is measured, or inconclusive (not enough by the deadline).',
  labelNames: ['model', 'outcome'] as const,
});

export const loopSeconds = new Gauge({
  name: 'headrace_monitoring_loop_seconds',
  help: 'Of the last loop that got so far; step is drift_to_detected (event time), detected_to_trained, detected_to_promoted (time to recover) or data_to_production (lead time).',
  labelNames: ['model', 'step'] as const,
});

export const deploymentsPerDay = new Gauge({
  name: 'headrace_monitoring_deployments_per_day',
  help: 'Versions that became champion of an endpoint, a day, over the last 30 days.',
  labelNames: ['model'] as const,
});

export const changeFailureRatio = new Gauge({
  name: 'headrace_monitoring_change_failure_ratio',
  help: 'Share of the changes of the last 30 days that were rolled back or aborted.',
  labelNames: ['model'] as const,
});
