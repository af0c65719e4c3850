import { events } from '@headrace/contracts';
import type { VersionsScored } from '@headrace/contracts/proto/inference/v1/inference_events';
import { OnEvent, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { addScores } from '../database/rollout-scores.repository';

/** What gateways say about the versions of a rollout. A report that was read before does not come here again. */
@Controller()
export class ScoresHandler {
  @OnEvent(events.VersionsScored, { deadLetter: 'reorder-safe' })
  async onScores(event: ReceivedEvent<VersionsScored>, transaction: Transaction): Promise<Outcome> {
    const { rolloutId, versions } = event.data;
    const wrong = versions.find(({ asked, failed }) => failed < 0 || failed > asked);
    if (rolloutId === '' || wrong) {
      const message = `rollout_id "${rolloutId}", failed ${wrong?.failed ?? 0}: expected a rollout and 0 to asked`;
      return { kind: 'rejected', code: 'bad_scores', message };
    }
    await addScores(transaction, event.data, event.timeMicros);
    return { kind: 'done' };
  }
}
