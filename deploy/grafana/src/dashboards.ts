// All dashboards, by the name of their file.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { capacity } from './capacity';
import { dataAndFeatures } from './data-and-features';
import { endpoint } from './endpoint';
import { eventFlow } from './event-flow';
import { modelHealth } from './model-health';
import { overview } from './overview';
import { security } from './security';
import { serviceLevelsDashboard } from './service-levels';
import { training } from './training';

export const dashboards: Readonly<Record<string, () => Dashboard>> = {
  overview,
  'service-levels': serviceLevelsDashboard,
  endpoint,
  'event-flow': eventFlow,
  'data-and-features': dataAndFeatures,
  'model-health': modelHealth,
  training,
  capacity,
  security,
};
