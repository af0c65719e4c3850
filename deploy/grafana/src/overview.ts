// "Headrace: the loop": everything from a record that arrives to the version that answers, on one page.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard';
import { dataIn, features, messaging, now, processes } from './overview-data';
import { rollouts, serving } from './overview-models';
import { quality } from './overview-quality';

export function overview(): Dashboard {
  return dashboard({
    uid: 'headrace-loop',
    title: 'Headrace: the loop',
    description: 'From the records that arrive to the version that answers, and whether it is still good.',
    variables: ['stream', 'endpoint', 'monitor'],
    rows: [
      ['Now', now],
      ['Data in', dataIn],
      ['Features', features],
      ['Training and rollouts', rollouts],
      ['Answers', serving],
      ['Is it still good', quality],
      ['Events', messaging],
      ['Processes', processes],
    ],
  });
}
